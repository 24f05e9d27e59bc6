"""Moves learnt state between names, files and databases; refuses what is not one's own.

A file is an .npz of plain arrays (no pickle) with the encoder's fingerprint beside the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sls_plugins.errors import EncoderMismatchError, InputError
from sls_plugins.types import State

__all__ = ["adopted", "candidates_of", "differences", "own_names"]

Array: TypeAlias = NDArray[np.generic]

NAMES = "predictor/names"
"""Where the default predictor keeps the names of its candidates."""

MARK = "snapshot/"


def own_names(state: State, fingerprint: str, seq: int) -> State:
    """A state for a file: with the encoder's fingerprint and the line it has learnt up to."""
    return {
        **state,
        f"{MARK}fingerprint": np.array([fingerprint], dtype=np.str_),
        f"{MARK}seq": np.array([seq]),
        f"{MARK}format": np.array([1]),
    }


def candidates_of(state: State) -> tuple[str, ...]:
    """The candidates that the predictor knows, as far as it tells."""
    return tuple(str(name) for name in state.get(NAMES, ()))


def adopted(
    state: State,
    fingerprint: str,
    *,
    encoder: str,
    candidates: tuple[str, ...],
    renamed: Mapping[str, str],
) -> State:
    """A foreign state as one's own: names are mapped, what does not fit is refused.

    `encoder` and `candidates` are one's own. Raises EncoderMismatchError for vectors of another
    encoder, InputError if the snapshot knows candidates that are neither one's own nor mapped,
    or if two of them would have one name.
    """
    if encoder and fingerprint != encoder:
        raise EncoderMismatchError(
            "the snapshot", fingerprint, encoder, "Learn anew, or configure that encoder"
        )
    theirs = candidates_of(state)
    for old in renamed:
        if theirs and old not in theirs:
            known = ", ".join(theirs)
            raise InputError(f"the snapshot knows no candidate {old!r}; it knows {known}")
    merged = [renamed.get(name, name) for name in theirs]
    if len(set(merged)) < len(merged):
        twice = next(name for name in merged if merged.count(name) > 1)
        raise InputError(
            f"two candidates of the snapshot would both be {twice!r}; it knows {', '.join(theirs)}"
        )
    strange = [name for name in theirs if renamed.get(name, name) not in candidates]
    if candidates and strange:
        raise InputError(
            f"the snapshot knows candidates that are not here: {', '.join(strange)}; "
            f"here are {', '.join(candidates)}. Map them: --map {strange[0]}={candidates[0]}"
        )
    return {
        key: _renamed(array, renamed) for key, array in state.items() if not key.startswith(MARK)
    }


def differences(first: State, second: State) -> list[tuple[str, str]]:
    """What two states differ in: the array's name, and how (in a few words)."""
    found = []
    for key in sorted({*first, *second}):
        if key not in first or key not in second:
            found.append((key, "only in the second" if key in second else "only in the first"))
        elif first[key].shape != second[key].shape:
            found.append((key, f"shape {first[key].shape} and {second[key].shape}"))
        elif first[key].dtype.kind in "fiub":
            one, two = first[key].astype(np.float64), second[key].astype(np.float64)
            gap = np.nan_to_num(np.abs(one - two)).max(initial=0.0)
            if gap > 0.0:
                found.append((key, f"differs by {gap:.3g} at most"))
        elif not np.array_equal(first[key], second[key]):
            found.append((key, "other names"))
    return found


def _renamed(array: Array, renamed: Mapping[str, str]) -> Array:
    if array.dtype.kind != "U" or not renamed:
        return array
    names = [renamed.get(str(name), str(name)) for name in array.ravel()]
    return np.array(names, dtype=np.str_).reshape(array.shape)
