"""`sls snapshot`: keeps, restores and compares what was learnt."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from sls_plugins.cli.work.place import opened
from sls_plugins.cli.work.screen import show
from sls_plugins.errors import InputError
from sls_plugins.evaluation.files import write_json
from sls_plugins.storage import Stores
from sls_plugins.storage.snapshots import packed, unpacked
from sls_plugins.types import State
from sls_plugins.updater.snapshot import MARK, adopted, candidates_of, differences, own_names

__all__ = ["diff", "listed", "load", "save"]

LEARNT = "learnt"


def save(where: str, name: str, file: Path | None) -> None:
    """Keep the newest learnt state under a name, or in a file. Raises SLSError."""
    with opened(where) as stores:
        state, seq, fingerprint = _kept(stores, LEARNT)
        if file is not None:
            _write(file, packed(own_names(state, fingerprint, seq)))
        else:
            now_s = time.time()
            stores.snapshots.save(name, state, seq=seq, fingerprint=fingerprint, now_s=now_s)
    show(f"kept {file or name}: it has learnt the log up to line {seq}")


def load(where: str, name: str, file: Path | None, renamed: Sequence[str]) -> None:
    """Make a kept state the newest learnt one. Raises SLSError, EncoderMismatchError too."""
    names = dict(_pair(one) for one in renamed)
    with opened(where) as stores:
        state, fingerprint = _read(file) if file else _kept(stores, name)[::2]
        mine = stores.snapshots.load(LEARNT)
        state = adopted(
            state,
            fingerprint,
            encoder=mine[2] if mine else "",
            candidates=candidates_of(mine[0]) if mine else (),
            renamed=names,
        )
        seq = stores.log.last_seq()
        now_s = time.time()
        stores.snapshots.save(LEARNT, state, seq=seq, fingerprint=fingerprint, now_s=now_s)
    show(f"engines start from {file or name} and learn on from line {seq} of the log")


def listed(where: str, json: Path | None) -> None:
    """List what is kept. Raises SLSError."""
    with opened(where) as stores:
        kept = stores.snapshots.listed()
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("name", "when", "line", "kB", "encoder"):
        table.add_column(heading, overflow="fold")
    for one in kept:
        when = datetime.fromtimestamp(one.created_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
        size = f"{one.size / 1024:.0f}"
        table.add_row(escape(one.name), when, str(one.seq), size, escape(one.fingerprint))
    show(table if kept else "Nothing is kept so far.")
    if json is not None:
        write_json(json, {"snapshots": [{"name": one.name, "seq": one.seq} for one in kept]})


def diff(where: str, first: str, second: str) -> None:
    """Show what two kept states differ in. Raises SLSError."""
    with opened(where) as stores:
        found = differences(*(_named(stores, name) for name in (first, second)))
    for key, how in found:
        show(f"{escape(key)}: {how}")
    show(f"{len(found)} arrays differ" if found else "They are the same.")


def _named(stores: Stores, name: str) -> State:
    """A state kept under a name, or in a file whose name ends with .npz."""
    if not name.endswith(".npz"):
        return _kept(stores, name)[0]
    state = _read(Path(name))[0]
    return {key: array for key, array in state.items() if not key.startswith(MARK)}


def _kept(stores: Stores, name: str) -> tuple[State, int, str]:
    found = stores.snapshots.load(name)
    if found is None:
        known = sorted({one.name for one in stores.snapshots.listed()})
        raise InputError(f"no state is kept as {name!r}; kept are: {', '.join(known) or 'none'}")
    return found


def _write(file: Path, data: bytes) -> None:
    try:
        file.write_bytes(data)
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error}") from error


def _read(file: Path) -> tuple[State, str]:
    try:
        state = unpacked(file.read_bytes())
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{file} is no snapshot: {error}") from error
    marks = state.get(f"{MARK}fingerprint")
    if marks is None:
        raise InputError(f"{file} is no snapshot: it does not tell its encoder")
    return state, str(marks[0])


def _pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise InputError(f"--map wants OLD=NEW, not {text!r}")
    return old, new
