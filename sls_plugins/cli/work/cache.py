"""`sls cache` and `sls forget`: reports on stored answers, and how they are erased."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from sls_plugins.assembly import build
from sls_plugins.cli.work.place import opened
from sls_plugins.cli.work.screen import show
from sls_plugins.errors import InputError
from sls_plugins.evaluation.files import write_json
from sls_plugins.evaluation.results import JsonValue
from sls_plugins.settings import load_settings
from sls_plugins.types import CacheRow, Share, TaskStats

__all__ = ["audit", "forget", "show_row", "stats"]

_Z = 1.96


def stats(where: str, json: Path | None) -> None:
    """Show what the cache holds and has saved, also while an engine serves. Raises SLSError."""
    with opened(where) as stores:
        told = stores.reports.stats()
    table = Table("task", "queries", "hits", "near", "graded", "wrong", "saved USD", "saved s")
    for task in told.tasks:
        table.add_row(
            escape(task.task) or "(none)",
            str(task.queries),
            str(task.hits),
            str(task.near),
            str(task.wrong.of),
            _share(task.wrong),
            _sum(task.saved_usd, task.saved_usd_sd),
            _sum(task.saved_s, task.saved_s_sd),
        )
    show(f"{told.live} live rows, {told.aliases} of all rows aliases; {told.revoked} revoked; "
         f"{told.bytes / 1e6:.1f} MB")  # fmt: skip
    show(table)
    if json is not None:
        rows: dict[str, JsonValue] = {
            "live": told.live,
            "revoked": told.revoked,
            "aliases": told.aliases,
            "bytes": told.bytes,
            "tasks": [_facts(task) for task in told.tasks],
        }
        write_json(json, rows)


def show_row(where: str, wanted: str, json: Path | None) -> None:
    """Show one stored answer. Raises InputError if there is none."""
    with opened(where) as stores:
        found = stores.reports.show(wanted)
    if found is None:
        raise InputError(f"no row is stored under {wanted!r}, nor used by such a decision")
    facts = _row_facts(found)
    grid = Table(box=None, show_header=False)
    for name, value in facts.items():
        grid.add_row(name, escape(str(value)))
    show(grid)
    if json is not None:
        write_json(json, facts)


def audit(where: str, limit: int, json: Path | None) -> None:
    """Show what audits found. Raises SLSError."""
    with opened(where) as stores:
        tasks, pairs = stores.reports.audits()
    table = Table("task", "audits", "found out", "wrong")
    for task in tasks:
        name = escape(task.task) or "(none)"
        table.add_row(name, str(task.audits), str(task.wrong.of), _share(task.wrong))
    show(table)
    wrong = [pair for pair in pairs if pair.right is False][:limit]
    for pair in wrong:
        show(f"[red]wrong[/] {pair.similarity or 0.0:.3f}  {escape(pair.text)}")
        show(f"        stored for  {escape(pair.entry_text)}  ({escape(pair.entry_id)})")
    if json is not None:
        lines: list[JsonValue] = [
            {
                "decision_id": pair.decision_id,
                "task": pair.task,
                "text": pair.text,
                "entry_id": pair.entry_id,
                "entry_text": pair.entry_text,
                "similarity": pair.similarity,
                "right": pair.right,
            }
            for pair in pairs
        ]
        by_task: list[JsonValue] = [
            {"task": task.task, "audits": task.audits, "wrong": _share_facts(task.wrong)}
            for task in tasks
        ]
        write_json(json, {"tasks": by_task, "pairs": lines})


def forget(settings: Path, wanted: Mapping[str, Any], json: Path | None) -> None:
    """Erase what is meant. Raises InputError if everything would be."""
    with build(load_settings(settings)) as engine:
        erased = engine.cache.forget(**wanted)
    show(f"forgot {len(erased.entry_ids)} stored answers, {erased.decisions} decisions and "
         f"{erased.outcomes} outcomes")  # fmt: skip
    if json is not None:
        counts: dict[str, JsonValue] = {
            "entries": len(erased.entry_ids),
            "decisions": erased.decisions,
            "outcomes": erased.outcomes,
        }
        write_json(json, counts)


def _share(share: Share) -> str:
    if share.value is None:
        return "unknown"
    low, high = share.interval
    return f"{share.count} ({100 * low:.1f}–{100 * high:.1f} %)"


def _sum(total: float, sd: float) -> str:
    return f"{total:.4g} ± {_Z * sd:.2g}"


def _share_facts(share: Share) -> JsonValue:
    return {"count": share.count, "of": share.of, "interval": list(share.interval)}


def _facts(task: TaskStats) -> JsonValue:
    return {
        "task": task.task,
        "queries": task.queries,
        "hits": task.hits,
        "exact": task.exact,
        "near": task.near,
        "wrong": _share_facts(task.wrong),
        "saved_usd": {"sum": task.saved_usd, "reach": _Z * task.saved_usd_sd},
        "saved_s": {"sum": task.saved_s, "reach": _Z * task.saved_s_sd},
    }


def _row_facts(found: CacheRow) -> dict[str, JsonValue]:
    entry = found.entry
    return {
        "id": entry.id,
        "served": found.live,
        "text": entry.text,
        "answer": entry.answer.text,
        "candidate": entry.answer.candidate,
        "task": entry.task,
        "tenant": entry.space.tenant,
        "scope": entry.space.scope,
        "made": _time(entry.created_s),
        "expires": None if entry.expires_s is None else _time(entry.expires_s),
        "good": entry.good,
        "bad": entry.bad,
        "uses": entry.uses,
        "cost_usd": entry.answer.cost_usd,
        "alias_of": entry.alias_of,
        "aliases": list(found.aliases),
    }


def _time(at_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))
