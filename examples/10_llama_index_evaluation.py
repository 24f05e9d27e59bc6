"""Let LlamaIndex's evaluators teach the engine which LLM to ask.

Every response tells the decisions behind it; an evaluator's result grades them. The evaluator here
finds the cheap LLM's answers unfaithful to the context, so that the engine moves on. LLMs are
scripted, so that the program runs offline. It prints:

    at first: small
    of the last 10: large
"""

import itertools

from llama_index.core import Document, VectorStoreIndex
from llama_index.core.evaluation import FaithfulnessEvaluator

from llama_index_sls import SLSFeedbackHandler, SLSRouterLLM
from llama_index_sls.testing import ScriptedLLM, WordsEmbedding
from sls_plugins import Budget, Candidate, Settings, build

settings = Settings(
    candidates=[
        Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4, quality_prior=0.8),
        Candidate(name="large", input_usd_per_mtok=5, output_usd_per_mtok=15, quality_prior=0.8),
    ],
    budget=Budget(price=100),  # a cent more must buy full quality
    encoder="hashing",  # needs no weights; leave this line out for the better default
)
small = ScriptedLLM(model_name="small", reply="The warranty lasts a hundred years.")
large = ScriptedLLM(model_name="large", reply="The warranty lasts two years.")
judge = ScriptedLLM(
    model_name="judge", reply=lambda words: "NO" if "a hundred years" in words else "YES"
)
documents = [Document(text=f"The warranty of the X{n} lasts two years.") for n in range(20, 40)]

numbers = itertools.count()
with build(settings, ids=lambda: f"decision-{next(numbers)}") as engine:
    handler = SLSFeedbackHandler(engine)
    handler.install()
    llm = SLSRouterLLM(engine, {"small": small, "large": large})
    index = VectorStoreIndex.from_documents(documents, embed_model=WordsEmbedding())
    asked = index.as_query_engine(llm=llm, similarity_top_k=1)
    evaluator = FaithfulnessEvaluator(llm=judge)

    chosen = []
    for n in range(20, 40):
        response = asked.query(f"How long is the warranty of the X{n}?")
        result = evaluator.evaluate_response(response=response)
        [decision_id] = handler.evaluated(response, result, source="faithfulness")
        chosen.append(engine.parts.log.find(decision_id).candidate)
    handler.close()

print("at first:", chosen[0])
print("of the last 10:", *{name for name in chosen if chosen[-10:].count(name) >= 9})
