"""Stream answers: from the model, past a failing model, from the cache.

The first chunk tells the decision, the last one what it cost. It prints:

    large | In the beginning there was a prompt. | 0.000145 USD
    large | In the beginning there was a prompt. | 0.000000 USD
    async | In the beginning there was a prompt.
"""

import asyncio

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
models = {
    "small": ScriptedChatModel(model_name="small", error=ConnectionError("no route to host")),
    "large": ScriptedChatModel(model_name="large", reply="In the beginning there was a prompt."),
}


def tell(chat: ChatSLS, question: str) -> None:
    """Show the words as they come."""
    for chunk in chat.stream(question):
        sls = chunk.response_metadata.get("sls", {})
        if "candidate" in sls:
            print(sls["candidate"], "| ", end="")
        print(chunk.text, end="", flush=True)
        if sls.get("cost_usd") is not None:
            print(f" | {sls['cost_usd']:.6f} USD")


async def atell(chat: ChatSLS, question: str) -> None:
    """The same without blocking."""
    print("async |", "".join([chunk.text async for chunk in chat.astream(question)]))


with build(settings) as engine:
    chat = ChatSLS(engine, models)
    tell(chat, "How does your story of the prompt begin?")
    tell(chat, "How does your story of the prompt begin?")
    asyncio.run(atell(chat, "How does your story of the prompt begin?"))
