"""ChatSLS under random faults in mid-stream."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from pydantic import PrivateAttr

from langchain_sls import ChatSLS
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Budget, Candidate
from sls_plugins.errors import SLSError

STREAMS = 200
FAULT = 0.02
WORDS = ("tide", "moon", "sand", "rope", "boat", "gull", "salt", "reef", "kelp", "wave", "foam")


class Faulty(ScriptedChatModel):
    """Breaks before a chunk now and then; goes on, or begins anew, when it is asked to go on."""

    _random: random.Random = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        super().model_post_init(context)
        self._random = random.Random(self.model_name)

    def _stream(self, messages: list[BaseMessage], *given: Any, **settings: Any) -> Iterator[Any]:
        story = story_of(messages[0].text)
        said = messages[1].text if len(messages) > 1 else ""
        if said and self._random.random() < 0.5:
            story = story[len(said) :]
        self.reply = story
        chunk: ChatGenerationChunk
        for chunk in super()._stream(messages, *given, **settings):
            if self._random.random() < FAULT:
                raise ConnectionError("lost")
            yield chunk


def story_of(question: str) -> str:
    """The one right answer to a question."""
    drawn = random.Random(question)
    return " ".join(drawn.choices(WORDS, k=drawn.randint(1, 25)))


async def test_streams_survive_faults(make_engine: Any) -> None:
    """Nearly all streams complete; no word comes twice, none is lost; no money stays held."""
    names = ("a", "b", "c", "d")
    candidates = tuple(
        Candidate(name=name, input_usd_per_mtok=1.0 + place, output_usd_per_mtok=2.0)
        for place, name in enumerate(names)
    )
    engine = make_engine(candidates, budget=Budget(usd=100.0))
    models = {name: Faulty(model_name=name) for name in names}
    chat = ChatSLS(engine, models, takeovers=3)
    complete = broken = 0

    for number in range(STREAMS):
        question, seen = f"Tell me story number {number}", ""
        try:
            if number % 2:
                for chunk in chat.stream(question):
                    seen += chunk.text
            else:
                async for chunk in chat.astream(question):
                    seen += chunk.text
        except SLSError:
            broken += 1
            assert story_of(question).startswith(seen)
        else:
            complete += 1
            assert seen == story_of(question)

    failed = sum(line.error != "" for line in engine.parts.log.after(0, 1000))
    assert failed > 20
    assert complete >= 0.99 * STREAMS
    assert engine.parts.ledger.purse().reserved_usd == 0.0
