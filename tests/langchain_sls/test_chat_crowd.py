"""A thousand calls at once on one event loop."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatResult

from langchain_sls import ChatSLS
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Budget, Engine

CALLS = 1000
WATCHED = ("encoder", "cache", "predictor", "scheduler", "ledger", "log", "learner", "tokens")
ON_LOOP = {"ledger.release", "tokens.count"}
"""What only computes, or only happens when a call is cancelled."""


class Waiting(ScriptedChatModel):
    """Answers after a moment, without a thread."""

    async def _agenerate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **settings: Any
    ) -> ChatResult:
        await asyncio.sleep(0.01)
        return self._generate(messages, stop, None, **settings)


class Watched:
    """A part that notes which of its methods were called on which thread."""

    def __init__(self, name: str, part: Any, seen: set[tuple[str, int]]) -> None:
        self._name, self._part, self._seen = name, part, seen

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if not callable(found):
            return found

        def noted(*given: Any, **named: Any) -> Any:
            self._seen.add((f"{self._name}.{name}", threading.get_ident()))
            return found(*given, **named)

        return noted


async def heartbeat(gaps_s: list[float], done: asyncio.Event) -> None:
    """Notes how long the loop kept it waiting, beyond what it asked for."""
    while not done.is_set():
        start_s = time.perf_counter()
        await asyncio.sleep(0.001)
        gaps_s.append(time.perf_counter() - start_s - 0.001)


async def crowd(chat: Any) -> tuple[list[Any], float]:
    """All answers, and the loop's longest gap in seconds."""
    gaps_s: list[float] = []
    done = asyncio.Event()
    beats = asyncio.create_task(heartbeat(gaps_s, done))
    said = await asyncio.gather(*(chat.ainvoke(f"What of number {n}?") for n in range(CALLS)))
    done.set()
    await beats
    return said, max(gaps_s)


async def test_a_thousand_calls_at_once(
    make_engine: Callable[..., Engine], record_property: Callable[[str, object], None]
) -> None:
    """None of our parts works on the event loop; every call has its decision; money is exact.

    The longest gap of a heartbeat is told in the report, beside that of the bare model, with what
    LangChain has loaded kept from the garbage collector, as servers do: a full collection of it
    stops every thread for a tenth of a second, with us or without.
    """
    seen: set[tuple[str, int]] = set()
    made = make_engine(budget=Budget(usd=1000.0))
    parts = made.parts
    watched = {name: Watched(name, getattr(parts, name), seen) for name in WATCHED}
    engine = Engine(replace(parts, **watched))
    models = {
        name: Waiting(model_name=name, reply=lambda said: f"{said[-1].text} Well!")
        for name in ("small", "large")
    }
    chat = ChatSLS(engine, models)

    await chat.ainvoke("Is everybody there?")  # everything is loaded now
    gc.collect()
    gc.freeze()
    try:
        _, bare_s = await crowd(models["small"])
        said, ours_s = await crowd(chat)
    finally:
        gc.unfreeze()
    engine.as_async().stop()

    record_property("longest_gap_ms_bare", round(1000 * bare_s, 1))
    record_property("longest_gap_ms_ours", round(1000 * ours_s, 1))
    sys.stdout.write(f"\nlongest gap: bare {1000 * bare_s:.1f} ms, ours {1000 * ours_s:.1f} ms\n")
    blocking = {name for name, thread in seen if thread == threading.get_ident()} - ON_LOOP
    assert blocking == set()
    assert len({each.response_metadata["sls"]["decision_id"] for each in said}) == CALLS
    lines = [line for page in range(2) for line in parts.log.after(1000 * page, 1000)]
    purse = parts.ledger.purse()
    assert len(lines) == CALLS + 1
    assert purse.spent_usd == pytest.approx(sum(line.cost_usd or 0.0 for line in lines))
    assert purse.reserved_usd == 0.0


async def test_calls_that_are_given_up_leave_nothing_behind(
    make_engine: Callable[..., Engine],
) -> None:
    """Of many calls half are cancelled, in line, while they are decided or while they are made.

    The others are answered; no money stays held, and nobody waits for those who have left.
    """
    engine = make_engine(budget=Budget(usd=1000.0))
    models = {name: Waiting(model_name=name, reply="Here.") for name in ("small", "large")}
    chat = ChatSLS(engine, models)
    calls = [asyncio.create_task(chat.ainvoke(f"What of number {n % 60}?")) for n in range(120)]
    for place, call in enumerate(calls):
        if place % 2:
            call.cancel()
            await asyncio.sleep(0.001)

    said = await asyncio.gather(*calls, return_exceptions=True)

    assert [isinstance(each, AIMessage) for each in said[::2]] == [True] * 60
    assert engine.parts.ledger.purse().reserved_usd == 0.0
    assert engine.parts.flights is not None
    assert len(engine.parts.flights) == 0
