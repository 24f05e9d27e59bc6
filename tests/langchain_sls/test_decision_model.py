"""SLSDecisionModel behind LangChain's own model router."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage

from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Answer, Engine, Usage
from sls_plugins.errors import InputError, UnknownCandidateError

HERE = importlib.util.find_spec("langchain_core.decisions") is not None

pytestmark = pytest.mark.xfail(
    not HERE, reason="decision models came with langchain-core 1.8", run=False
)


def module(name: str) -> Any:
    """A module that needs decision models."""
    return importlib.import_module(name) if HERE else None


decisions = module("langchain_core.decisions")
middleware = module("langchain.agents.middleware")
ours = module("langchain_sls.decisions")


def choice(*labels: str) -> Any:
    """A question between candidates."""
    return decisions.Choice(instructions="Which?", criteria=dict.fromkeys(labels))


@pytest.mark.parametrize(
    "state",
    [
        "How high is the Brocken?",
        HumanMessage("How high is the Brocken?"),
        [HumanMessage("How high is the Brocken?")],
        {"messages": [HumanMessage("How high is the Brocken?")]},
        {"question": "How high?", "said": HumanMessage("Hm.")},
    ],
)
async def test_the_schedule_is_the_choice(engine: Engine, state: Any) -> None:
    """Whatever the state, the choice is a decision: probabilities add up, the receipt is kept."""
    model = ours.SLSDecisionModel(engine=engine)
    asked = {"state": state, "questions": {"who": choice("small", "large")}}

    for response in (model.invoke(asked), await model.ainvoke(asked)):
        answer = response.choices["who"]
        assert answer.choice == "small"
        assert sum(answer.probabilities.values()) == pytest.approx(1.0)
        assert answer.probabilities["small"] == answer.confidence
        assert engine.parts.log.decision(response.request_id).candidate == "small"


def test_only_the_labels_may_be_chosen(engine: Engine) -> None:
    """A candidate that is no label is out of the question; what came of it can be recorded."""
    model = ours.SLSDecisionModel(engine=engine)

    response = model.invoke({"state": "Hi!", "questions": {"who": choice("large")}})

    assert response.choices["who"].choice == "large"
    engine.record(response.request_id, Answer(text="Hello", usage=Usage(output_tokens=2)))
    (line,) = engine.parts.log.after(0, 9)
    assert (line.candidate, line.answer_text) == ("large", "Hello")


def test_other_questions_are_refused(engine: Engine) -> None:
    """A yes-or-no question, and a label that is no candidate, are errors that say so."""
    model = ours.SLSDecisionModel(engine=engine)
    noul = decisions.Noul(instructions="Is it urgent?")

    with pytest.raises(InputError, match="Noul"):
        model.invoke({"state": "Hi!", "questions": {"urgent": noul}})
    with pytest.raises(UnknownCandidateError, match="huge"):
        model.invoke({"state": "Hi!", "questions": {"who": choice("huge")}})


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
async def test_langchains_router_routes_by_it(
    engine: Engine, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """An agent behind ModelRouterMiddleware calls the model that the engine chose."""
    router = middleware.ModelRouterMiddleware(
        choices={
            "small": middleware.ModelChoice(model=small, criteria=None),
            "large": middleware.ModelChoice(model=large, criteria=None),
        },
        instructions="Choose the one that is worth its price.",
        classifier=ours.SLSDecisionModel(engine=engine),
    )
    agent = create_agent(large, middleware=[router])
    asked = {"messages": [("user", "Hello?")]}

    assert agent.invoke(asked)["messages"][-1].text == "Small says so."
    assert (await agent.ainvoke(asked))["messages"][-1].text == "Small says so."
