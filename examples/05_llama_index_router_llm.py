"""Let a query engine of LlamaIndex pay for the dear LLM only when it must.

The LLMs here are scripted, so that the program runs offline; in yours they are OpenAI, Anthropic or
any other LLM of LlamaIndex. The router is an LLM as well: it could be `Settings.llm`. It prints:

    small: The warranty lasts two years.
    small: The warranty lasts two years. (from the cache, free)
    large streams: The warranty lasts two years, says page 4. (small failed: TimeoutError: too busy)
    large calls the tool: opening_hours(town='Goslar')
    tokens that LlamaIndex counted: 47
"""

from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool

from llama_index_sls import SLSRouterLLM
from llama_index_sls.testing import ScriptedLLM
from sls_plugins import Budget, Candidate, Settings, build

settings = Settings(
    candidates=[
        Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4),
        Candidate(
            name="large",
            input_usd_per_mtok=5,
            output_usd_per_mtok=15,
            capabilities=frozenset({"tools"}),
        ),
    ],
    budget=Budget(price=1e5),  # so thrifty that the cheap LLM is always asked first
    encoder="hashing",  # needs no weights; leave this line out for the better default
)
small = ScriptedLLM(model_name="small", reply="The warranty lasts two years.")
large = ScriptedLLM(model_name="large", reply="The warranty lasts two years, says page 4.")
counter = TokenCountingHandler(tokenizer=str.split)


def opening_hours(town: str) -> str:
    """Tell when the shop in a town is open."""
    return f"The shop in {town} is open from 9 to 6."


def asked(question: str) -> list[ChatMessage]:
    """A conversation of two turns."""
    return [ChatMessage("You know our manuals.", role="system"), ChatMessage(question)]


with build(settings) as engine:
    llm = SLSRouterLLM(engine, {"small": small, "large": large})
    llm.callback_manager = CallbackManager([counter])

    for _ in range(2):
        response = llm.chat(asked("How long is the warranty of the X20?"))
        sls = response.additional_kwargs["sls"]
        note = " (from the cache, free)" if sls["source"] == "cache" else ""
        print(f"{sls['candidate']}: {response.message.content}{note}")

    small.error = TimeoutError("too busy")
    words = list(llm.stream_chat(asked("And how long is that of the Z9?")))
    sls = words[-1].additional_kwargs["sls"]
    said = "".join(word.delta or "" for word in words)
    failure = sls["failures"]["small"].replace(": ", " failed: ", 1)
    print(f"{sls['candidate']} streams: {said} ({failure})")

    tool = FunctionTool.from_defaults(fn=opening_hours)
    response = llm.chat_with_tools([tool], "Is the shop in 'Goslar' open at 5?")
    [call] = llm.get_tool_calls_from_response(response)
    arguments = ", ".join(f"{key}={value!r}" for key, value in call.tool_kwargs.items())
    sls = response.additional_kwargs["sls"]
    print(f"{sls['candidate']} calls the tool: {call.tool_name}({arguments})")

print("tokens that LlamaIndex counted:", counter.total_llm_token_count)
