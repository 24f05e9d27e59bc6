"""A small real engine behind LangChain: hashing encoder, SQLite in memory, two scripted models."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from langchain_sls import ChatSLS
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Budget, Candidate, Engine, Settings, build

TOOLS = frozenset({"tools", "vision", "json", "audio"})

CANDIDATES = (
    Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4, capabilities=TOOLS),
    Candidate(name="large", input_usd_per_mtok=10.0, output_usd_per_mtok=40.0, capabilities=TOOLS),
)

MakeEngine = Callable[..., Engine]
MakeChat = Callable[..., ChatSLS]


@pytest.fixture
def make_engine() -> Iterator[MakeEngine]:
    """Makes engines from changed settings and closes them afterwards."""
    made: list[Engine] = []

    def make(candidates: tuple[Candidate, ...] = CANDIDATES, **changes: object) -> Engine:
        settings = Settings(
            candidates=candidates,
            budget=Budget(price=1e6),  # money is dear: the cheap candidate comes first
            encoder="hashing",
            index="memory",
            plugins=(),
        )
        made.append(build(settings.model_copy(update=changes)))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


@pytest.fixture
def engine(make_engine: MakeEngine) -> Engine:
    """An engine with the candidates "small" and "large", of which it tries "small" first."""
    return make_engine()


@pytest.fixture
def small() -> ScriptedChatModel:
    """The cheap model."""
    return ScriptedChatModel(model_name="small", reply="Small says so.")


@pytest.fixture
def large() -> ScriptedChatModel:
    """The dear model."""
    return ScriptedChatModel(model_name="large", reply="Large says so.")


@pytest.fixture
def chat(engine: Engine, small: ScriptedChatModel, large: ScriptedChatModel) -> ChatSLS:
    """The chat model under test."""
    return ChatSLS(engine, models={"small": small, "large": large})


@pytest.fixture
def chat_in(small: ScriptedChatModel, large: ScriptedChatModel) -> Callable[[Engine], ChatSLS]:
    """Makes the chat model under test over another engine."""
    return lambda engine: ChatSLS(engine, models={"small": small, "large": large})
