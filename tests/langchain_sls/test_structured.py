"""ChatSLS with structured output: what is asked of models, what becomes of answers."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from pydantic import BaseModel

from langchain_sls import ChatSLS, SLSFeedbackHandler
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Engine
from sls_plugins.errors import InputError

QUESTION = "Describe 'Rome'"
SCHEMA = {
    "title": "City",
    "description": "A city.",
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name", "people"],
}


class City(BaseModel):
    """A city."""

    name: str
    people: int


ROME = City(name="Rome", people=3)
WRONG = {"name": "Rome", "people": "many"}


@pytest.mark.parametrize(
    ("schema", "expected"), [(City, ROME), (SCHEMA, {"name": "Rome", "people": 3})]
)
async def test_a_schema_is_answered(chat: ChatSLS, schema: Any, expected: object) -> None:
    """A class gives its objects, a JSON schema gives mappings: blocking, async, streaming."""
    asked = chat.with_structured_output(schema)

    assert asked.invoke(QUESTION) == expected
    assert await asked.ainvoke("Describe again 'Rome'") == expected
    assert list(asked.stream("Describe it once more: 'Rome'"))[-1] == expected


@pytest.mark.parametrize("method", ["json_mode", "json_schema"])
def test_json_is_asked_for_as_the_model_has_it(
    engine: Engine, method: Any, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """Each model binds the form in its own provider's way; the answer is read by the schema."""
    small.reply = '{"name": "Rome", "people": 3}'
    chat = ChatSLS(engine, {"small": _Jsonist.of(small), "large": large})

    city = chat.with_structured_output(City, method=method).invoke(QUESTION)

    assert city == ROME
    assert small.heard[0]["scripted_form"] == method


def test_raw_answers_are_shown_on_demand(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """With include_raw the message comes with what was read of it, and with what went wrong."""
    asked = chat.with_structured_output(City, include_raw=True)

    good = asked.invoke(QUESTION)

    assert isinstance(good["raw"], AIMessage)
    assert (good["parsed"], good["parsing_error"]) == (ROME, None)
    assert good["raw"].response_metadata["sls"]["candidate"] == "small"


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_broken_schema_falls_back_once(
    chat: ChatSLS, small: ScriptedChatModel, large: ScriptedChatModel, *, is_async: bool
) -> None:
    """An answer that breaks the schema counts as quality 0; the next model's is taken."""
    small.arguments = WRONG
    asked = chat.with_structured_output(City, include_raw=True)

    done = await asked.ainvoke(QUESTION) if is_async else asked.invoke(QUESTION)

    assert done["parsed"] == ROME
    told = done["raw"].response_metadata["sls"]
    assert (told["candidate"], set(told["failures"])) == ("large", {"small"})
    lines = chat.engine.parts.log.after(0, 9)
    assert [(line.candidate, line.quality) for line in lines] == [("small", 0.0), ("large", None)]


def test_two_broken_answers_are_the_parsers_error(
    chat: ChatSLS, small: ScriptedChatModel, large: ScriptedChatModel
) -> None:
    """When the second model breaks it, too, LangChain's own error comes; nobody is blamed twice."""
    small.arguments = large.arguments = WRONG
    asked = chat.with_structured_output(City)
    handler = SLSFeedbackHandler(chat.engine)

    for _ in range(2):
        with pytest.raises((OutputParserException, ValueError)):
            asked.invoke(QUESTION, {"callbacks": [handler]})

    assert [line.quality for line in chat.engine.parts.log.after(0, 9)] == [0.0] * 4


async def test_a_broken_stream_counts_as_quality_0(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """A streamed answer that breaks the schema is seen already: it is graded, and not kept."""
    small.arguments = WRONG
    asked = chat.with_structured_output(City, include_raw=True)

    list(asked.stream(QUESTION))
    parts = [part async for part in asked.astream(QUESTION)]

    assert parts[-1].get("parsed") is None
    lines = chat.engine.parts.log.after(0, 9)
    assert [line.quality for line in lines if line.quality is not None] == [0.0, 0.0]
    assert len(small.heard) == 2


def test_answers_are_kept_and_served(chat: ChatSLS, small: ScriptedChatModel) -> None:
    """A structured answer is an answer: it is served again, to the same schema only."""
    asked = chat.with_structured_output(City, include_raw=True)

    first, again = asked.invoke(QUESTION), asked.invoke(QUESTION)
    other = chat.with_structured_output(SCHEMA, include_raw=True).invoke(QUESTION)

    assert again["parsed"] == first["parsed"]
    assert again["raw"].response_metadata["sls"]["source"] == "cache"
    assert again["raw"].tool_calls[0]["id"] != first["raw"].tool_calls[0]["id"]
    assert other["raw"].response_metadata["sls"]["source"] == "model"
    assert len(small.heard) == 2


def test_tool_calls_are_kept_on_demand(engine: Engine, chat: ChatSLS) -> None:
    """A tool call is called afresh each time, unless the chat model was told otherwise."""
    keeping = ChatSLS(engine, chat.models, cache_tool_calls=True)

    for model, source in ((chat, "model"), (keeping, "cache")):
        bound = model.bind_tools([City])
        bound.invoke(QUESTION)
        again = bound.invoke(QUESTION)
        assert again.response_metadata["sls"]["source"] == source
        assert again.tool_calls[0]["args"] == {"name": "Rome", "people": 3}


@pytest.mark.parametrize(
    "wrong", [{"method": "guesswork"}, {"method": "json_schema", "schema": None}, {"odd": 1}]
)
def test_what_is_unknown_is_refused(chat: ChatSLS, wrong: dict[str, Any]) -> None:
    """A method, a missing schema or an option that nobody knows is told at once."""
    with pytest.raises(InputError):
        chat.with_structured_output(**{"schema": City, **wrong})


class _Jsonist(ScriptedChatModel):
    """Knows JSON modes of its own."""

    @classmethod
    def of(cls, model: ScriptedChatModel) -> _Jsonist:
        """The same model, hearing into the same list."""
        jsonist = cls(model_name=model.model_name, reply=model.reply)
        jsonist.heard = model.heard
        return jsonist

    def with_structured_output(self, schema: Any, **kwargs: Any) -> Any:
        return self.bind(scripted_form=kwargs["method"]) | (lambda message: message)
