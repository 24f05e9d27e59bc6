"""`sls whatif`: what other settings would have brought, from the receipts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from sls_plugins.cli.work.place import opened
from sls_plugins.cli.work.screen import show, tell
from sls_plugins.errors import InputError
from sls_plugins.evaluation.cache_whatif import CacheWhatIf, stricter
from sls_plugins.evaluation.files import write_json
from sls_plugins.evaluation.whatif import FEW, Interval, Logged, Rule, WhatIf, read_log, what_if

__all__ = ["run"]


def run(where: str, wanted: Mapping[str, Any], json: Path | None) -> None:
    """Estimate and show. Raises SLSError."""
    rule = Rule(
        price=wanted["price"], without=frozenset(wanted["without"]), policy=wanted["policy"]
    )
    asked = [name for name in ("price", "budget", "policy") if wanted[name] is not None]
    if len(asked) > 1:
        raise InputError(f"{' and '.join(asked)} contradict each other: give one of them")
    if wanted["max_error"] is not None and (asked or rule.without):
        raise InputError("--max-error is about the cache alone: ask it by itself")
    with opened(where) as stores:
        if wanted["max_error"] is not None:
            of_cache = stricter(stores.database, wanted["max_error"])
            if json is not None:
                write_json(json, asdict(of_cache))
            _show_cache(of_cache)
            return
        if not asked and not rule.without:
            raise InputError("say what if: --price, --budget, --max-error, --without or --policy")
        logged = list(read_log(stores.log))
        _known(rule.without, logged)
        found = what_if(logged, rule, wanted["budget"])
    if json is not None:
        write_json(json, _facts(found))
    _show(found)


def _known(without: frozenset[str], logged: Sequence[Logged]) -> None:
    """Raises InputError for candidates that no decision could have chosen."""
    known = {each.candidate for one in logged for each in one.decision.estimates}
    if logged and (strange := sorted(without - known)):
        raise InputError(
            f"no decision could choose {', '.join(strange)}; known are {', '.join(sorted(known))}"
        )


def _show(found: WhatIf) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("", "quality", "USD per query"):
        table.add_column(heading)
    table.add_row("as it was", _text(found.done_quality), _text(found.done_usd_per_query))
    table.add_row("what if", _text(found.quality), _text(found.usd_per_query))
    show(table)
    tell(
        f"{found.decisions} decisions, {found.grades} graded; {found.changed:.0%} would have gone "
        f"elsewhere; the correction rests on {found.effective:.0f} grades, so to speak."
    )
    if found.effective < FEW:
        tell("That is little: these are hardly more than the predictor's expectations.")


def _show_cache(found: CacheWhatIf) -> None:
    show(
        f"{found.dropped} of {found.hits} hits would have been calls: {found.usd:.4f} USD more, "
        f"and {found.wrong:.1f} wrong answers fewer (as the acceptance rule saw them)."
    )


def _text(interval: Interval) -> str:
    down, up = interval.mean - interval.low, interval.high - interval.mean
    if abs(up - down) < 1e-9:
        return f"{interval.mean:.4g} ± {up:.2g}"
    return f"{interval.mean:.4g} ({interval.low:.3g} to {interval.high:.3g})"


def _facts(found: WhatIf) -> dict[str, Any]:
    pairs = ("quality", "usd_per_query", "done_quality", "done_usd_per_query")
    numbers = ("decisions", "grades", "effective", "changed")
    return {
        **{name: [getattr(getattr(found, name), k) for k in ("mean", "low", "high")]
           for name in pairs},
        **{name: getattr(found, name) for name in numbers},
    }  # fmt: skip
