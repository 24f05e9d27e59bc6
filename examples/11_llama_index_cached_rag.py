"""Answer repeated questions to an index without retrieval and without an LLM, until it changes.

The LLM is scripted and the embedding counts words, so that the program runs offline. It prints:

    asked: Two years. [The warranty of the X20 lasts two years.]
    from the cache: Two years. [The warranty of the X20 lasts two years.]
    the index has changed
    asked: Three years. [The warranty of the X20 lasts three years.]
    the LLM was called 2 times
"""

from llama_index.core import Document, VectorStoreIndex

from llama_index_sls import CachedQueryEngine
from llama_index_sls.testing import ScriptedLLM, WordsEmbedding
from sls_plugins import Candidate, Settings, build

settings = Settings(
    candidates=[Candidate(name="reader", input_usd_per_mtok=5, output_usd_per_mtok=15)],
    encoder="hashing",  # needs no weights; leave this line out for the better default
)
documents = [
    Document(text="The warranty of the X20 lasts two years.", id_="x20"),
    Document(text="The pump of the Z9 is blue.", id_="z9"),
]
reader = ScriptedLLM(model_name="reader", reply="Two years.")
index = VectorStoreIndex.from_documents(documents, embed_model=WordsEmbedding())


def show(cached: CachedQueryEngine) -> None:
    """Ask, and print the answer with its source."""
    response = cached.query("How long is the warranty of the X20?")
    where = "from the cache" if response.metadata["sls"]["source"] == "cache" else "asked"
    print(f"{where}: {response} [{response.source_nodes[0].text}]")


with build(settings) as engine:
    show(CachedQueryEngine(engine, index.as_query_engine(llm=reader, similarity_top_k=1)))
    show(CachedQueryEngine(engine, index.as_query_engine(llm=reader, similarity_top_k=1)))

    index.update_ref_doc(Document(text="The warranty of the X20 lasts three years.", id_="x20"))
    reader.reply = "Three years."
    print("the index has changed")
    show(CachedQueryEngine(engine, index.as_query_engine(llm=reader, similarity_top_k=1)))

print("the LLM was called", len(reader.heard), "times")
