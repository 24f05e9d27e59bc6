"""`sls events` and `sls feedback`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from sls_plugins.cli.work.place import opened
from sls_plugins.cli.work.screen import show, tell
from sls_plugins.errors import UnknownDecisionError
from sls_plugins.evaluation.files import write_json
from sls_plugins.evaluation.results import JsonValue
from sls_plugins.storage import Stores
from sls_plugins.types import Feedback
from sls_plugins.updater import joined_line
from sls_plugins.updater.opinions import read_opinions

__all__ = ["events", "import_feedback"]


def events(where: str, limit: int, json: Path | None) -> None:
    """Show the newest events. Raises SLSError."""
    with opened(where) as stores:
        found = stores.events.newest(limit)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("when", "what", "of", ""):
        table.add_column(heading, overflow="fold")
    for event in found:
        when = datetime.fromtimestamp(event.created_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(when, event.kind, escape(event.candidate), escape(event.text))
    show(table if found else "Nothing was noticed so far.")
    if json is not None:
        lines: list[JsonValue] = [
            {
                "kind": event.kind,
                "candidate": event.candidate,
                "task": event.task,
                "text": event.text,
                "created_s": event.created_s,
                "facts": dict(event.facts),
            }
            for event in found
        ]
        write_json(json, {"events": lines})


def import_feedback(where: str, file: Path, *, skip_bad: bool) -> None:
    """Take in a file of opinions; running engines learn from them at their next round."""
    bad: list[str] = []
    told = list(read_opinions(file, bad.append if skip_bad else None))
    for problem in bad:
        tell(escape(f"passed over: {problem}"))
    counts = {"taken in": 0, "known before": 0, "waiting for their decision": 0}
    with opened(where) as stores:
        for one in told:
            counts[_take(stores, one)] += 1
    show(", ".join(f"{count} {what}" for what, count in counts.items()))
    if counts["waiting for their decision"]:
        tell("Those that wait are joined as soon as their decision is known.")


def _take(stores: Stores, told: Feedback) -> str:
    now_s = time.time()
    try:
        known = stores.log.find(told.decision_id)
    except UnknownDecisionError:
        stores.feedback.wait(told, now_s)
        return "waiting for their decision"
    line = stores.feedback.append(joined_line(known, told, now_s), told)
    return "known before" if line is None else "taken in"
