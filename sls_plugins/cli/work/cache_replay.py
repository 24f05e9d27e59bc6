"""`sls cache-replay`: streams (text, group) through the semantic cache alone."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from sls_plugins.cli.arguments import CacheReplayArguments
from sls_plugins.cli.work.reporting import check_outputs
from sls_plugins.cli.work.screen import facts_table, progress, show
from sls_plugins.errors import TraceError
from sls_plugins.evaluation.cache_figures import CacheDecided, figures_of
from sls_plugins.evaluation.cache_replay import CacheResult, CacheRun, run_cache
from sls_plugins.evaluation.files import write_json, write_lines
from sls_plugins.evaluation.results import Fact, JsonValue
from sls_plugins.evaluation.traces import read_cache

__all__ = ["run"]


def run(arguments: CacheReplayArguments) -> None:
    """Replay, show the figures, write the files. Raises SLSError."""
    check_outputs((arguments.decisions, arguments.json), None)
    result = _replay(arguments)
    facts: dict[str, JsonValue] = {
        "trace": arguments.trace.name,
        **result.facts(),
        "max_error": arguments.max_error,
        "encoder": result.fingerprint,
        "seed": arguments.seed,
    }
    if arguments.decisions is not None:
        write_lines(arguments.decisions, (row.line() for row in result.decided))
    if arguments.json is not None:
        write_json(arguments.json, facts)
    show(f"[bold]Cache replay of {escape(arguments.trace.name)}[/]")
    shown = {key: value for key, value in facts.items() if key != "streams"}
    show(facts_table([Fact(key, _shown(value)) for key, value in shown.items()]))
    if facts["streams"]:
        show(_streams(result))


def _replay(arguments: CacheReplayArguments) -> CacheResult:
    rows = tuple(read_cache(arguments.trace, arguments.limit))
    if not rows:
        raise TraceError(str(arguments.trace), 1, "there is no row in it")
    wanted = CacheRun(
        max_error=arguments.max_error,
        encoder=arguments.encoder,
        embeddings=arguments.embeddings,
        seed=arguments.seed,
    )
    with progress("cache replay", len(rows)) as advance:
        done = hits = 0

        def watch(row: CacheDecided) -> None:
            nonlocal done, hits
            done, hits = done + 1, hits + row.hit
            if done % 50 == 0:
                advance(done, f"{hits / done:.0%} from cache")

        return run_cache(rows, wanted, watch)


def _streams(result: CacheResult) -> Table:
    """Each stream on a line of its own."""
    table = Table()
    table.add_column("stream")
    for heading in ("queries", "hits", "wrong hits", "found share", "labels"):
        table.add_column(heading, justify="right")
    for name in dict.fromkeys(row.stream for row in result.decided):
        each = figures_of([row for row in result.decided if row.stream == name])
        cells = (each.queries, each.hits, each.wrong, f"{each.found_share:.4f}", each.labels)
        table.add_row(escape(name), *(str(cell) for cell in cells))
    return table


def _shown(value: JsonValue) -> str:
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(part)}" for key, part in value.items())
    return str(value)
