"""`sls cache-replay`: streams (text, group) through the semantic cache alone."""

from __future__ import annotations

from rich.markup import escape

from sls_plugins.assembly import build
from sls_plugins.cli.arguments import CacheReplayArguments
from sls_plugins.cli.work.reporting import check_outputs
from sls_plugins.cli.work.screen import facts_table, progress, show
from sls_plugins.errors import TraceError
from sls_plugins.evaluation.cache_replay import CacheDecided, CacheResult, cache_replay
from sls_plugins.evaluation.files import write_json, write_lines
from sls_plugins.evaluation.receipts import Receipts
from sls_plugins.evaluation.results import Fact, JsonValue
from sls_plugins.evaluation.traces import read_cache
from sls_plugins.evaluation.world import Ids, VirtualClock
from sls_plugins.settings import Budget, CacheSettings, PartSettings, Settings
from sls_plugins.types import Candidate

__all__ = ["run"]

ONLY = Candidate(name="model", input_usd_per_mtok=0.0, output_usd_per_mtok=0.0)
"""Who answers on a miss: one candidate, for there is nothing to schedule."""


def run(arguments: CacheReplayArguments) -> None:
    """Replay, show the figures, write the files. Raises SLSError."""
    check_outputs((arguments.decisions, arguments.json), None)
    result, fingerprint = _replay(arguments)
    facts: dict[str, JsonValue] = {
        "trace": arguments.trace.name,
        **result.facts(),
        "max_error": arguments.max_error,
        "encoder": fingerprint,
        "seed": arguments.seed,
    }
    show(f"[bold]Cache replay of {escape(arguments.trace.name)}[/]")
    show(facts_table([Fact(key, _shown(value)) for key, value in facts.items()]))
    if arguments.decisions is not None:
        write_lines(arguments.decisions, (row.line() for row in result.decided))
    if arguments.json is not None:
        write_json(arguments.json, facts)


def _replay(arguments: CacheReplayArguments) -> tuple[CacheResult, str]:
    """What was found, and the encoder's fingerprint."""
    rows = tuple(read_cache(arguments.trace, arguments.limit))
    if not rows:
        raise TraceError(str(arguments.trace), 1, "there is no row in it")
    clock, receipts = VirtualClock(), Receipts()
    settings = Settings(
        candidates=(ONLY,),
        budget=Budget(price=0.0),
        cache=CacheSettings(max_error=arguments.max_error),
        encoder=PartSettings(name=arguments.encoder),
        embeddings=arguments.embeddings,
        index=PartSettings(name="memory"),
        seed=arguments.seed,
    )
    with (
        build(settings, clock=clock, ids=Ids(), plugins=[receipts]) as engine,
        progress("cache replay", len(rows)) as advance,
    ):
        done = hits = 0

        def watch(row: CacheDecided) -> None:
            nonlocal done, hits
            clock.tick()
            done, hits = done + 1, hits + row.hit
            if done % 50 == 0:
                advance(done, f"{hits / done:.0%} from cache")

        result = cache_replay(rows, engine, receipts, watch)
        return result, engine.parts.encoder.fingerprint


def _shown(value: JsonValue) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(part)}" for key, part in value.items())
    return str(value)
