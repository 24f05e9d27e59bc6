"""What SLSRouterLLM may answer again, what it must not, and between whom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
)
from llama_index.core.instrumentation.dispatcher import instrument_tags

from llama_index_sls import SLSRouterLLM
from llama_index_sls.answers import answer_of
from llama_index_sls.testing import ScriptedLLM
from sls_plugins import Engine

QUESTION = "What is the capital of France?"
PIXEL = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
    b"\x1f\x15\xc4\x89\x00\x00\x00\rIDATx\x9cc\xf8\xff\xff?\x00\x05\xfe\x02\xfe\xa75\x81\x84"
    b"\x00\x00\x00\x00IEND\xaeB`\x82"
)


def source(said: ChatResponse | CompletionResponse) -> str:
    return str(said.additional_kwargs["sls"]["source"])


def asked(text: str = QUESTION, system: str = "Be brief.") -> list[ChatMessage]:
    return [ChatMessage(system, role=MessageRole.SYSTEM), ChatMessage(text)]


def test_repeat_is_free(llm: SLSRouterLLM, small: ScriptedLLM) -> None:
    """A repeated question is answered by a new message, free, without a call."""
    first, again = llm.chat(asked()), llm.chat(asked())

    told = again.additional_kwargs["sls"]
    assert len(small.heard) == 1
    assert again.message == first.message
    assert (told["source"], told["cost_usd"], told["candidate"]) == ("cache", 0.0, "small")
    assert told["similarity"] == pytest.approx(1.0)
    assert told["decision_id"] != first.additional_kwargs["sls"]["decision_id"]


def test_served_answers_are_copies(llm: SLSRouterLLM) -> None:
    """What a caller does to an answer does not reach the next one."""
    llm.chat(asked())
    served = llm.chat(asked())
    served.message.content = "tampered"
    served.additional_kwargs["sls"]["candidate"] = "tampered"

    assert llm.chat(asked()).message.content == "Small says so."
    assert llm.chat(asked()).additional_kwargs["sls"]["candidate"] == "small"


async def test_all_roads_share_answers(llm: SLSRouterLLM, small: ScriptedLLM) -> None:
    """An answer that was streamed is found by every other kind of call, whole or in one chunk."""
    list(llm.stream_chat(asked()))
    list(llm.stream_complete(QUESTION))

    replays = [
        [llm.chat(asked())],
        [await llm.achat(asked())],
        list(llm.stream_chat(asked())),
        [each async for each in await llm.astream_chat(asked())],
        [llm.complete(QUESTION)],
        [await llm.acomplete(QUESTION)],
        list(llm.stream_complete(QUESTION)),
        [each async for each in await llm.astream_complete(QUESTION)],
    ]

    assert len(small.heard) == 2
    assert [len(each) for each in replays] == [1] * 8
    assert {str(each[0]).removeprefix("assistant: ") for each in replays} == {"Small says so."}
    assert {each[0].delta for each in replays} == {"Small says so."}


WALLS: list[Callable[[SLSRouterLLM], ChatResponse]] = [
    lambda llm: llm.chat(asked(system="Be verbose.")),
    lambda llm: llm.chat(asked(), temperature=1.0),
    lambda llm: llm.chat(asked(), sls_tenant="acme"),
    lambda llm: llm.chat(asked(), sls_task="quiz"),
    lambda llm: llm.chat(asked(), model="large"),
    lambda llm: llm.chat([*asked("Hi"), ChatMessage("Hi!", role="assistant"), asked()[1]]),
    lambda llm: llm.chat([asked()[0], ChatMessage([TextBlock(text=QUESTION), picture()])]),
    lambda llm: llm.chat([ChatMessage(QUESTION, role="user", additional_kwargs={"name": "Bo"})]),
    lambda llm: llm.model_copy(update={"epoch": "2"})._road.answer(
        llm.model_copy(update={"epoch": "2"})._query({}, messages=asked())
    ),
]


def picture() -> ImageBlock:
    return ImageBlock(image=PIXEL)


@pytest.mark.parametrize("other", WALLS)
def test_walls(llm: SLSRouterLLM, other: Callable[[SLSRouterLLM], ChatResponse]) -> None:
    """What shapes the answer besides the question separates two calls."""
    llm.chat(asked())

    assert source(other(llm)) == "model"
    assert source(other(llm)) == "cache"


def test_completions_and_chats_are_apart(llm: SLSRouterLLM) -> None:
    """A completion of a text is no answer to it."""
    llm.complete(QUESTION)

    assert source(llm.chat([ChatMessage(QUESTION)])) == "model"


def test_tags_name_the_tenant(llm: SLSRouterLLM) -> None:
    """Whoever queries a whole engine names the tenant by LlamaIndex's tags, also for a stream."""
    with instrument_tags({"sls_tenant": "acme"}):
        chunks = llm.stream_chat(asked())
    list(chunks)

    assert source(llm.chat(asked())) == "model"
    with instrument_tags({"sls_tenant": "acme"}):
        assert source(llm.chat(asked())) == "cache"
    assert source(llm.chat(asked(), sls_tenant="acme")) == "cache"


@pytest.mark.parametrize("reason", ["length", "content_filter", "max_tokens"])
def test_half_answers_are_not_stored(llm: SLSRouterLLM, small: ScriptedLLM, reason: str) -> None:
    """An answer that was cut or filtered is given to nobody else, streamed or not."""
    small.finish_reason = reason

    for _ in range(2):
        assert source(llm.chat(asked())) == "model"
        assert source(list(llm.stream_chat(asked()))[-1]) == "model"
        assert source(llm.complete(QUESTION)) == "model"


def test_objects_without_a_plain_form_are_not_shared(llm: SLSRouterLLM) -> None:
    """A setting that cannot be compared keeps the answer private."""
    for _ in range(2):
        assert source(llm.chat(asked(), marker=object())) == "model"


def test_files_on_disk_may_change(llm: SLSRouterLLM, tmp_path: Path) -> None:
    """A question about a file is asked anew."""
    (tmp_path / "a.png").write_bytes(PIXEL)
    message = ChatMessage([TextBlock(text=QUESTION), ImageBlock(path=tmp_path / "a.png")])

    assert [source(llm.chat([message])) for _ in range(2)] == ["model", "model"]


def test_revoked_answers_are_not_served(llm: SLSRouterLLM) -> None:
    """Bad feedback on a stored answer takes it out; so does revoking it."""
    first = llm.chat(asked())
    llm.engine.revoke(first.additional_kwargs["sls"]["decision_id"])

    assert source(llm.chat(asked())) == "model"


def test_blocks_survive(engine: Engine, large: ScriptedLLM) -> None:
    """Thinking and other blocks of a message come back as they were."""
    blocks = [ThinkingBlock(content="hm"), TextBlock(text="Paris.")]
    llm = SLSRouterLLM(engine, {"small": _Fixed(model_name="small", blocks=blocks), "large": large})

    first, again = llm.chat(asked()), llm.chat(asked())

    assert source(again) == "cache"
    assert again.message == first.message


class _Fixed(ScriptedLLM):
    """Says the same blocks always."""

    blocks: list[Any]

    def _response(self, messages: Any, kwargs: Any) -> ChatResponse:
        return ChatResponse(message=ChatMessage(self.blocks, role="assistant"))


class _Object:
    """A raw response that is an object, as SDKs give it."""

    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)


BILLS: list[tuple[object, tuple[int, int, int, int]]] = [
    (
        _Object(
            usage=_Object(
                prompt_tokens=10,
                completion_tokens=5,
                prompt_tokens_details=_Object(cached_tokens=8),
                completion_tokens_details=_Object(reasoning_tokens=4),
            )
        ),
        (10, 5, 8, 4),
    ),
    (
        {
            "usage": {
                "input_tokens": 10,
                "output_tokens": 5,
                "cache_read_input_tokens": 100,
                "cache_creation_input_tokens": 7,
            },
            "stop_reason": "end_turn",
        },
        (117, 5, 100, 0),
    ),
    (
        {
            "usage_metadata": {
                "prompt_token_count": 10,
                "candidates_token_count": 5,
                "cached_content_token_count": 2,
                "thoughts_token_count": 3,
            }
        },
        (10, 5, 2, 3),
    ),
    ({"prompt_eval_count": 10, "eval_count": 5, "done_reason": "stop"}, (10, 5, 0, 0)),
]


@pytest.mark.parametrize(("raw", "tokens"), BILLS)
def test_usage_of_all_kinds(raw: object, tokens: tuple[int, int, int, int]) -> None:
    """Token counts are read from every provider's own form."""
    answer = answer_of(ChatResponse(message=ChatMessage("Yes."), raw=raw))

    usage = answer.usage
    assert usage is not None
    assert (
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.reasoning_tokens,
    ) == tokens
    assert answer.cacheable


def test_untold_usage_is_untold() -> None:
    """A provider that counts nothing leaves the count to the engine; a bill is believed."""
    silent = answer_of(CompletionResponse(text="Yes."))
    billed = answer_of(CompletionResponse(text="Yes.", raw={"usage": {"cost": 0.25}}))

    assert silent.usage is None
    assert silent.cacheable
    assert billed.cost_usd == 0.25


def test_refusals_are_not_stored() -> None:
    """What the provider marks as a refusal is nobody else's answer."""
    raw = {"choices": [{"finish_reason": "stop", "message": {"refusal": "I cannot."}}]}

    assert not answer_of(ChatResponse(message=ChatMessage("I cannot."), raw=raw)).cacheable
