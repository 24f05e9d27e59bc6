"""Finds tiktoken's encoding files on this machine, reads those that are whole."""

from __future__ import annotations

import base64
import hashlib
import logging
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias

from tiktoken import Encoding
from tiktoken.load import read_file

__all__ = ["EncodingName", "load_encoding"]

logger = logging.getLogger(__name__)

EncodingName: TypeAlias = Literal["o200k_base", "cl100k_base"]

PACKAGE = "llama_index"
"""The package that carries copies of both files."""

ADDRESS = "https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"

# How OpenAI's encodings cut a text before merging bytes; published with tiktoken.
_LEAD = r"[^\r\n\p{L}\p{N}]?"
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_ENDING = r"(?i:'(?:[stmd]|re|ve|ll))"
_NUMBER = r"\p{N}{1,3}"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"


@dataclass(frozen=True, slots=True)
class _Scheme:
    """What defines an encoding besides its name: the file's SHA-256, and how a text is cut."""

    sha256: str
    pattern: str


SCHEMES: Mapping[EncodingName, _Scheme] = {
    "o200k_base": _Scheme(
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        f"{_LEAD}{_UPPER}*{_LOWER}+{_ENDING}?|{_LEAD}{_UPPER}+{_LOWER}*{_ENDING}?|{_NUMBER}"
        rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_SPACES}",
    ),
    "cl100k_base": _Scheme(
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        rf"{_ENDING}|{_LEAD}\p{{L}}+|{_NUMBER}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_SPACES}",
    ),
}


def load_encoding(
    name: EncodingName, *, folder: Path | None, download: bool, environment: Mapping[str, str]
) -> Encoding | None:
    """The encoding, None if its file is not on this machine (and may not or cannot be fetched).

    Looks into `folder`, tiktoken's own caches, and the copy that llama-index carries; a file is
    used only if its SHA-256 is right. What was found elsewhere than in a cache is kept in `folder`.
    """
    key = hashlib.sha1(_address(name).encode(), usedforsecurity=False).hexdigest()
    for place in _caches(folder, environment):
        if _is_whole(place / key, name):
            return _read(name, place / key)
    for place in _packaged():
        if _is_whole(place / key, name):
            return _read(name, _keep(folder, key, (place / key).read_bytes()) or place / key)
    if download:
        return _fetch(name, folder or _default_cache(), key)
    return None


def _address(name: str) -> str:
    """Where OpenAI publishes the file; tiktoken's caches name it by the SHA-1 of this address."""
    return ADDRESS.format(name=name)


def _caches(folder: Path | None, environment: Mapping[str, str]) -> Iterator[Path]:
    """Folders of cached encoding files: ours, then tiktoken's."""
    if folder is not None:
        yield folder
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if environment.get(variable):
            yield Path(environment[variable])
    yield _default_cache()


def _default_cache() -> Path:
    """Where tiktoken keeps its files if not told otherwise."""
    return Path(tempfile.gettempdir()) / "data-gym-cache"


def _packaged() -> Iterator[Path]:
    """The folder inside llama-index, found without importing that library."""
    spec = find_spec(PACKAGE)
    for location in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield Path(location) / "core" / "_static" / "tiktoken_cache"


def _is_whole(file: Path, name: EncodingName) -> bool:
    """Whether the file is there with the right SHA-256."""
    if not file.is_file():
        return False
    if _digest(file.read_bytes()) == SCHEMES[name].sha256:
        return True
    logger.warning("%s is not the encoding %s: its SHA-256 is wrong; not used", file, name)
    return False


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _keep(folder: Path | None, key: str, data: bytes) -> Path | None:
    """Write a file into the folder at one stroke, so that no reader sees half of it.

    None where that cannot be written (a full disk): it is no more than a copy.
    """
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as beside:
            whole = Path(beside) / key
            whole.write_bytes(data)
            return whole.replace(folder / key)
    except OSError as error:
        logger.warning("an encoding's file cannot be kept in %s: %s", folder, error)
        return None


def _fetch(name: EncodingName, folder: Path, key: str) -> Encoding | None:
    """Download the file into the folder."""
    try:
        data = read_file(_address(name))
    except OSError as error:
        logger.warning("%s could not be downloaded, tokens are estimated: %s", name, error)
        return None
    if _digest(data) != SCHEMES[name].sha256:
        logger.warning("the download of %s has a wrong SHA-256, tokens are estimated", name)
        return None
    file = _keep(folder, key, data)
    return None if file is None else _read(name, file)


@lru_cache(maxsize=4)
def _read(name: EncodingName, file: Path) -> Encoding:
    """Build the encoding from a file that is known to be whole (0.2 s, so once a process)."""
    lines = (line.split() for line in file.read_bytes().splitlines() if line)
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    return Encoding(name, pat_str=SCHEMES[name].pattern, mergeable_ranks=ranks, special_tokens={})
