"""How long the event loop stands still while many `achat` run at once; whether the books fit."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast

import typer
from llama_index.core.llms import LLM, ChatMessage, ChatResponse

from llama_index_sls.router import SLSRouterLLM
from llama_index_sls.testing import ScriptedLLM
from sls_plugins.assembly import build
from sls_plugins.settings import Budget, PartSettings, Settings
from sls_plugins.types import Candidate

__all__ = ["Gaps", "run"]

TICK_S = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """What was seen of the loop, and of the money.

    `longest_s` is the longest time in which the loop did not come round, `longest_cpu_s` the most
    that its own thread worked meanwhile: the rest is other threads' and programs' time. `direct_s`
    and `direct_cpu_s` are the same for the LLM alone, without us.
    """

    calls: int
    took_s: float
    longest_s: float
    longest_cpu_s: float
    direct_s: float
    direct_cpu_s: float
    billed_usd: float
    spent_usd: float
    reserved_usd: float

    @property
    def books_fit(self) -> bool:
        """Whether the ledger has every bill, and holds nothing back."""
        return abs(self.billed_usd - self.spent_usd) < 1e-12 and self.reserved_usd == 0.0


async def run(calls: int = 1000, latency_s: float = 0.05) -> Gaps:
    """So many calls at once, each of which the LLM answers after `latency_s`.

    What the hosts have loaded is kept from Python's garbage collector, as servers do: else one full
    collection stops every thread for as long as it takes to look at all of it, with us or without.
    """
    settings = Settings(
        candidates=(
            Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4),
            Candidate(name="large", input_usd_per_mtok=10, output_usd_per_mtok=40),
        ),
        budget=Budget(price=1e6, usd=100.0),
        encoder=PartSettings(name="hashing"),
        index=PartSettings(name="memory"),
        plugins=(),
    )
    with build(settings) as engine:
        llms = {
            name: Patient(model_name=name, latency_s=latency_s, reply=lambda said: f"{said} Well!")
            for name in ("small", "large")
        }
        llm = SLSRouterLLM(engine, llms)
        await _at_once(llm, 1)  # everything is made ready
        before_usd = engine.parts.ledger.purse().spent_usd
        gc.collect()
        gc.freeze()
        try:
            _, direct, _ = await _at_once(llms["small"], calls)
            said, watch, took_s = await _at_once(llm, calls)
        finally:
            gc.unfreeze()
        purse = engine.parts.ledger.purse()
    return Gaps(
        calls=calls,
        took_s=took_s,
        longest_s=watch.longest_s,
        longest_cpu_s=watch.longest_cpu_s,
        direct_s=direct.longest_s,
        direct_cpu_s=direct.longest_cpu_s,
        billed_usd=sum(each.additional_kwargs["sls"]["cost_usd"] for each in said),
        spent_usd=purse.spent_usd - before_usd,
        reserved_usd=purse.reserved_usd,
    )


async def _at_once(llm: LLM, calls: int) -> tuple[list[ChatResponse], _Watch, float]:
    """Responses to so many calls, what was seen of the loop meanwhile, and how long they took."""
    watch = _Watch()
    watching = asyncio.create_task(watch.run())
    await asyncio.sleep(0)
    start_s = time.perf_counter()
    asked = (llm.achat([ChatMessage(f"How much is {n} plus {calls}?")]) for n in range(calls))
    said = await asyncio.gather(*asked)
    took_s = time.perf_counter() - start_s
    watching.cancel()
    return said, watch, took_s


class Patient(ScriptedLLM):
    """Answers after a while, letting others run."""

    latency_s: float = 0.0

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """The reply."""
        await asyncio.sleep(self.latency_s)
        return cast("ChatResponse", await super().achat(messages, **kwargs))


class _Watch:
    """Wakes up again and again, and sees how late it is."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.longest_cpu_s = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            start_s, worked_s = time.perf_counter(), time.thread_time()
            await asyncio.sleep(TICK_S)
            self.longest_s = max(self.longest_s, time.perf_counter() - start_s - TICK_S)
            self.longest_cpu_s = max(self.longest_cpu_s, time.thread_time() - worked_s)


def main(
    calls: Annotated[int, typer.Option(help="How many at once.")] = 1000,
    latency: Annotated[float, typer.Option(help="Seconds that the LLM takes.")] = 0.05,
) -> None:
    """The longest time in which the loop did not come round."""
    gaps = asyncio.run(run(calls, latency))
    typer.echo(f"{gaps.calls} calls in {gaps.took_s:.1f} s")
    for name, gap_s, cpu_s in (
        ("without us", gaps.direct_s, gaps.direct_cpu_s),
        ("with us", gaps.longest_s, gaps.longest_cpu_s),
    ):
        typer.echo(
            f"longest gap of the loop {name}: {gap_s * 1e3:.1f} ms; "
            f"most work of its own thread in one gap: {cpu_s * 1e3:.1f} ms"
        )
    typer.echo(f"billed {gaps.billed_usd:.9f} USD, in the ledger {gaps.spent_usd:.9f} USD")
    typer.echo(f"the books {'fit' if gaps.books_fit else 'DO NOT fit'}")


if __name__ == "__main__":
    typer.run(main)
