"""An agent whose every turn goes to the model that is worth its price, with a fallback.

It prints:

    small calls look_up({'city': 'Rome'})
    large says: Rome is big. (small failed: ConnectionError: overloaded)
"""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import wrap_model_call
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from langchain_sls import SLSMiddleware
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Budget, Candidate, Settings, build

TOOLS = frozenset({"tools"})
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


def repeat(messages: list) -> str:
    """What the tool has said."""
    return messages[-1].text


models = {name: ScriptedChatModel(model_name=name, reply=repeat) for name in ("small", "large")}


@wrap_model_call
def overload(request: Any, handler: Any) -> Any:
    """The cheap model is overloaded from the second turn on."""
    models["small"].error = ConnectionError("overloaded") if len(request.messages) > 1 else None
    return handler(request)


with build(settings) as engine:
    agent = create_agent(
        models["large"],  # not called: each turn's model is chosen
        tools=[look_up],
        middleware=[overload, SLSMiddleware(engine, models)],
    )
    done = agent.invoke({"messages": [("user", "How big is 'Rome'?")]})
    for message in done["messages"]:
        if not isinstance(message, AIMessage):
            continue
        sls = message.response_metadata["sls"]
        for call in message.tool_calls:
            print(f"{sls['candidate']} calls {call['name']}({call['args']})")
        for failure in sls["failures"].values():
            note = failure.replace(": ", " failed: ", 1)
            print(f"{sls['candidate']} says: {message.text} ({note})")
