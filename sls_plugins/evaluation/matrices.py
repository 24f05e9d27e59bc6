"""Reads the arrays of a batch from a NumPy archive."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sls_plugins.errors import InputError

__all__ = ["Matrices", "read_matrices"]

KNOWN = ("quality", "cost", "sd", "names", "capacity")


@dataclass(frozen=True, slots=True, eq=False)
class Matrices:
    """Arrays of shape (n, m), as they stand in the file; names, capacity have m entries."""

    quality: NDArray[Any]
    cost: NDArray[Any]
    sd: NDArray[Any] | None = None
    names: tuple[str, ...] = ()
    capacity: NDArray[Any] | None = None


def read_matrices(path: Path) -> Matrices:
    """Read `quality`, `cost`, perhaps `sd`, `names`, `capacity`. Raises InputError."""
    arrays = _arrays(path)
    missing = [name for name in ("quality", "cost") if name not in arrays]
    if missing:
        there = ", ".join(arrays) or "nothing"
        raise InputError(f"{path} has no array {' and no '.join(missing)}; it has {there}")
    names = tuple(str(name) for name in arrays["names"].ravel()) if "names" in arrays else ()
    quality = arrays["quality"]
    if names and (quality.ndim != 2 or len(names) != quality.shape[1]):
        raise InputError(f"{path}: there are {len(names)} names for quality of {quality.shape}")
    return Matrices(quality, arrays["cost"], arrays.get("sd"), names, arrays.get("capacity"))


def _arrays(path: Path) -> Mapping[str, NDArray[Any]]:
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise InputError(f"{path} is no .npz archive: write one with numpy.savez")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if name in KNOWN}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
