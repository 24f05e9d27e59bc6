"""One engine behind LangChain and LlamaIndex in one process."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.query_engine import CustomQueryEngine

from langchain_sls import ChatSLS
from langchain_sls.testing import ScriptedChatModel
from llama_index_sls import SLSRouterLLM
from llama_index_sls.testing import ScriptedLLM
from sls_plugins import Budget, CacheSettings, Engine
from sls_plugins.errors import BudgetExhausted

MakeEngine = Callable[..., Engine]


class Asking(CustomQueryEngine):
    """A query engine that asks its LLM."""

    llm: SLSRouterLLM

    def custom_query(self, query_str: str) -> str:
        return self.llm.complete(query_str).text


def both(engine: Engine, small: ScriptedLLM, large: ScriptedLLM) -> tuple[ChatSLS, SLSRouterLLM]:
    chains = {
        name: ScriptedChatModel(model_name=name, reply=f"{name} says so.")
        for name in ("small", "large")
    }
    return ChatSLS(engine, chains), SLSRouterLLM(engine, {"small": small, "large": large})


def test_one_ledger(make_engine: MakeEngine, small: ScriptedLLM, large: ScriptedLLM) -> None:
    """What one host spends the other cannot: the sum is exact, and the cap is common."""
    engine = make_engine(budget=Budget(price=1e6, usd=0.01))
    chat, llm = both(engine, small, large)

    told = chat.invoke("How high is the Brocken?").response_metadata["sls"]
    Asking(llm=llm).query("How deep is the Oder?")

    purse = engine.parts.ledger.purse()
    assert told["cost_usd"] > 0
    assert purse.spent_usd == pytest.approx(told["cost_usd"] + (5 * 0.1 + 3 * 0.4) / 1e6)
    engine.parts.ledger.settle("all the rest", 0.01)
    for ask in (chat.invoke, llm.complete):
        with pytest.raises(BudgetExhausted):
            ask("And now?")


def test_one_learnt_state(make_engine: MakeEngine, small: ScriptedLLM, large: ScriptedLLM) -> None:
    """What LangChain's users say of a candidate changes LlamaIndex's choices."""
    engine = make_engine(budget=Budget(price=100), cache=CacheSettings(enabled=False))
    chat, llm = both(engine, small, large)
    for number in range(40):
        told = chat.invoke(f"How much is {number} plus 7?").response_metadata["sls"]
        engine.feedback(told["decision_id"], 0.0 if told["candidate"] == "small" else 1.0)

    chosen = [
        llm.chat([ChatMessage(f"How much is {number} plus 7?")]).additional_kwargs["sls"]
        for number in range(50, 60)
    ]
    assert [each["candidate"] for each in chosen].count("large") >= 8


def test_one_cache_with_a_wall_between_forms(
    engine: Engine, small: ScriptedLLM, large: ScriptedLLM
) -> None:
    """Both hosts' answers lie in one cache; neither serves a message in the other's form."""
    chat, llm = both(engine, small, large)
    question = "How high is the Brocken?"
    sources = []
    for _ in range(2):
        sources.append(chat.invoke(question).response_metadata["sls"]["source"])
        said = llm.chat([ChatMessage(question)])
        sources.append(said.additional_kwargs["sls"]["source"])
        assert said.message.content == "Small says so."

    assert sources == ["model", "model", "cache", "cache"]
