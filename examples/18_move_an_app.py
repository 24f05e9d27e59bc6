"""Move an existing ChatOpenAI application over: one line changes.

The application below is a chain with a prompt, a tool and a parser, as it might stand in your
project. A local server plays OpenAI here. It prints:

    before: large heard: What is our refund policy?
    after: small heard: What is our refund policy?
    after: small heard: What is our refund policy? (from the cache, free)
    tools: look_up({'city': 'Rome'})
"""

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from langchain_sls import ChatSLS
from sls_plugins import Budget, Candidate, Settings, build
from sls_plugins.testing.openai import OpenAIServer

TOOLS = frozenset({"tools", "json"})
settings = Settings(
    candidates=[
        Candidate(
            name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4, capabilities=TOOLS
        ),
        Candidate(name="large", input_usd_per_mtok=5, output_usd_per_mtok=15, capabilities=TOOLS),
    ],
    budget=Budget(price=1e5),  # so thrifty that the cheap model is always asked first
    encoder="hashing",  # needs no weights; leave this line out for the better default
)


@tool
def look_up(city: str) -> str:
    """Look up a city."""
    return f"{city} is big."


def application(model: BaseChatModel) -> None:
    """What was there before; it knows nothing of SLS."""
    prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "{question}")])
    message: AIMessage = (prompt | model).invoke({"question": "What is our refund policy?"})
    sls = message.response_metadata.get("sls", {})
    note = " (from the cache, free)" if sls.get("source") == "cache" else ""
    print(f"{'after' if sls else 'before'}: {message.text}{note}")


with OpenAIServer() as server, build(settings) as engine:

    def openai(name: str) -> ChatOpenAI:
        """A model as it was made before."""
        return ChatOpenAI(model=name, base_url=server.url, api_key="none", stream_usage=True)

    model = openai("large")
    application(model)

    model = ChatSLS(engine, {"small": openai("small"), "large": model})  # the one line
    application(model)
    application(model)
    (call,) = model.bind_tools([look_up]).invoke("How big is 'Rome'?").tool_calls
    print(f"tools: {call['name']}({call['args']})")
