"""Route questions to one of two chat models: cheap first, cached, with a fallback.

The models here are scripted, so that the program runs offline; in yours they are ChatOpenAI,
ChatAnthropic or any other chat model of LangChain. It prints:

    small: Yes.
    small: Yes. (from the cache, free)
    large: No, 9 is 3 times 3.
    large: Yes, it is. (small failed: ConnectionError: no route to host)
"""

from langchain_core.messages import AIMessage

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


def show(message: AIMessage) -> None:
    """Who answered, what, and why it was not somebody else."""
    sls = message.response_metadata["sls"]
    notes = [f"({error.replace(': ', ' failed: ', 1)})" for error in sls["failures"].values()]
    if sls["source"] == "cache":
        notes.append("(from the cache, free)")
    print(" ".join([f"{sls['candidate']}: {message.text}", *notes]))


small = ScriptedChatModel(model_name="small", reply="Yes.")
large = ScriptedChatModel(model_name="large", reply="No, 9 is 3 times 3.")

with build(settings) as engine:
    chat = ChatSLS(engine, {"small": small, "large": large})
    show(chat.invoke("Is 7 a prime number?"))
    show(chat.invoke("Is 7 a prime number?"))
    show(chat.invoke("Is 9 a prime number?", model="large"))  # a call may name its candidate

    small.error, large.reply = ConnectionError("no route to host"), "Yes, it is."
    show(chat.invoke("Is 11 a prime number?"))
