"""SLSRouterLLM under a thousand calls at once: exact books, and a loop that is left free."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from llama_index.core.llms import ChatMessage

from llama_index_sls import SLSRouterLLM
from llama_index_sls.studies.concurrency import run
from llama_index_sls.testing import ScriptedLLM
from sls_plugins import Engine


async def test_a_thousand_at_once_have_exact_books() -> None:
    """Every cent of 1,000 concurrent calls is in the ledger, and nothing stays held."""
    gaps = await run(1000, latency_s=0.01)

    assert gaps.calls == 1000
    assert gaps.books_fit


class Watched:
    """A part that notes in which threads its methods work."""

    def __init__(self, part: Any, threads: set[int]) -> None:
        self._part = part
        self._threads = threads

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if not callable(found):
            return found

        def noted(*args: Any, **kwargs: Any) -> Any:
            self._threads.add(threading.get_ident())
            return found(*args, **kwargs)

        return noted


async def test_the_loop_is_left_free(
    engine: Engine, small: ScriptedLLM, large: ScriptedLLM
) -> None:
    """Counting tokens, encoding, deciding, the ledger and the database work beside the loop."""
    threads: dict[str, set[int]] = {
        name: set()
        for name in ("encoder", "tokens", "cache", "predictor", "scheduler", "ledger", "log")
    }
    parts = replace(
        engine.parts,
        **{name: Watched(getattr(engine.parts, name), seen) for name, seen in threads.items()},
    )
    engine.parts = engine.as_async().parts = parts
    llm = SLSRouterLLM(engine, {"small": small, "large": large})

    await llm.achat([ChatMessage("How high is the Brocken?")])
    chunks = await llm.astream_chat([ChatMessage("How deep is the Oder?")])
    assert [chunk async for chunk in chunks]

    here = threading.get_ident()
    assert [name for name, seen in threads.items() if here in seen or not seen] == []
