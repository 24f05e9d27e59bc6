"""A RAG chain: the passages that were found are scope, so that new passages get new answers.

It prints:

    small: The shop opens at 9.
    small: The shop opens at 9. (from the cache)
    small: The shop opens at 10.
"""

from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_sls import ChatSLS
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Budget, Candidate, Settings, build

settings = Settings(
    candidates=[
        Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4),
        Candidate(name="large", input_usd_per_mtok=5, output_usd_per_mtok=15),
    ],
    budget=Budget(price=1e5),  # so thrifty that the cheap model is always asked first
    encoder="hashing",  # needs no weights; leave this line out for the better default
)


def reads(messages: list) -> str:
    """What a model would read out of the passage: the hour in it."""
    hour = messages[0].text.rsplit(" ", 1)[1].rstrip(".")
    return f"The shop opens at {hour}."


def joined(found: list[Document]) -> str:
    """The passages as one text."""
    return "\n".join(each.page_content for each in found)


def show(message: AIMessage) -> None:
    """Who answered, and from where."""
    sls = message.response_metadata["sls"]
    note = " (from the cache)" if sls["source"] == "cache" else ""
    print(f"{sls['candidate']}: {message.text}{note}")


store = InMemoryVectorStore(DeterministicFakeEmbedding(size=64))
store.add_documents([Document("The shop opens at 9.", id="hours")])
prompt = ChatPromptTemplate.from_messages(
    [("system", "Answer from these passages only: {context}"), ("human", "{question}")]
)
models = {name: ScriptedChatModel(model_name=name, reply=reads) for name in ("small", "large")}

with build(settings) as engine:
    chat = ChatSLS(engine, models, task="shop")
    chain = (
        {
            "context": store.as_retriever(search_kwargs={"k": 1}) | RunnableLambda(joined),
            "question": RunnablePassthrough(),
        }
        | prompt
        | chat
    )
    show(chain.invoke("When does the shop open?"))
    show(chain.invoke("When does the shop open?"))
    store.delete(["hours"])
    store.add_documents([Document("The shop opens at 10.", id="hours")])
    show(chain.invoke("When does the shop open?"))
