"""Starts a predictor from what another engine has learnt."""

from __future__ import annotations

from sls_plugins.errors import EncoderMismatchError, SettingsError
from sls_plugins.protocols import Learns, SnapshotStore
from sls_plugins.updater.learning import SNAPSHOT

__all__ = ["warm_start"]

PREFIX = "predictor/"


def warm_start(
    predictor: Learns, *, own: SnapshotStore, other: SnapshotStore, fingerprint: str, source: str
) -> bool:
    """Load the predictor's part of another engine's newest snapshot, once.

    An engine that has a snapshot of its own is past its start: nothing happens then. Returns
    whether anything was loaded. Raises SettingsError if there is no snapshot in `source` or another
    predictor's, and EncoderMismatchError if it was learnt from another encoder's vectors.
    """
    if own.load(SNAPSHOT) is not None:
        return False
    found = other.load(SNAPSHOT)
    if found is None:
        raise SettingsError(
            "settings",
            "warm_start",
            f"{source} holds nothing that was learnt",
            "Name the folder or database of an engine that was closed, or drop the key",
        )
    state, _, learnt_with = found
    if learnt_with != fingerprint:
        hint = "Configure the encoder it was learnt with, or drop warm_start"
        raise EncoderMismatchError(f"what {source} has learnt", learnt_with, fingerprint, hint)
    learnt = {
        key.removeprefix(PREFIX): value for key, value in state.items() if key.startswith(PREFIX)
    }
    lacking = [key for key in predictor.save() if key not in learnt]
    if lacking:
        raise SettingsError(
            "settings",
            "warm_start",
            f"{source} was learnt by another predictor or version: {lacking[0]!r} is not in it",
            "Open and close that engine with this version once, or drop the key",
        )
    predictor.load(learnt)
    return True
