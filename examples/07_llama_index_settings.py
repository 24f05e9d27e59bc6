"""Make a router LLM the LLM of all of LlamaIndex, over a small index.

`Settings.llm` is what LlamaIndex's indexes and engines use if nothing else is said. The LLMs are
scripted and the embedding counts words, so that the program runs offline. It prints:

    small: The warranty lasts two years.
    from: The warranty of the X20 lasts two years.
    the same question again: from the cache, nothing to pay
"""

from llama_index.core import Document, Settings, VectorStoreIndex

from llama_index_sls import SLSFeedbackHandler, SLSRouterLLM
from llama_index_sls.testing import ScriptedLLM, WordsEmbedding
from sls_plugins import Budget, Candidate, build
from sls_plugins import Settings as SLSSettings

settings = SLSSettings(
    candidates=[
        Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4),
        Candidate(name="large", input_usd_per_mtok=5, output_usd_per_mtok=15),
    ],
    budget=Budget(price=1e5),  # so thrifty that the cheap LLM is always asked first
    encoder="hashing",  # needs no weights; leave this line out for the better default
)
documents = [
    Document(text="The warranty of the X20 lasts two years."),
    Document(text="The pump of the Z9 is blue."),
]
question = "How long is the warranty of the X20?"

with build(settings) as engine:
    small = ScriptedLLM(model_name="small", reply="The warranty lasts two years.")
    large = ScriptedLLM(model_name="large", reply="Two years, says page 4.")
    Settings.llm = SLSRouterLLM(engine, {"small": small, "large": large})
    Settings.embed_model = WordsEmbedding()
    handler = SLSFeedbackHandler(engine)  # writes on each response which decisions it came of
    handler.install()

    asked = VectorStoreIndex.from_documents(documents).as_query_engine(similarity_top_k=1)
    response = asked.query(question)
    [decision_id] = response.metadata["sls_decision_ids"]
    print(f"{engine.parts.log.find(decision_id).candidate}: {response}")
    print("from:", response.source_nodes[0].text)

    asked.query(question)
    if len(small.heard) == 1:
        print("the same question again: from the cache, nothing to pay")
    handler.close()
