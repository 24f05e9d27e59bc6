"""What `sls doctor` looks at, one check each."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

import numpy as np

from sls_plugins import __version__
from sls_plugins.errors import MissingExtraError, SettingsError, SLSError
from sls_plugins.plugins import Plugins
from sls_plugins.protocols import Context, Encoder
from sls_plugins.settings import Settings
from sls_plugins.storage import Stores
from sls_plugins.tokens import TiktokenCounter, price_of
from sls_plugins.types import Reservation

__all__ = ["Check", "State", "check_all"]


OPTIONAL = {
    "chromadb": "chroma",
    "genai-prices": "prices",
    "jinja2": "dashboard",
    "langchain-core": "langchain",
    "llama-index-core": "llama-index",
    "matplotlib": "dashboard",
    "onnxruntime": "onnx",
    "psycopg": "postgres",
    "pymoo": "evolutionary",
    "safetensors": "minilm",
    "scikit-learn": "ml",
    "sentence-transformers": "sentence-transformers",
    "tokenizers": "minilm",
}
"""Which extra brings a library, by the name under which it is installed."""


class State(StrEnum):
    """Fine, worth knowing, or broken."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, how it is, and what was found (with the way to mend it)."""

    name: str
    state: State
    text: str


def check_all(settings: Settings, *, given: bool) -> Iterator[Check]:
    """All checks. `given` tells whether the user wrote these settings or they are the defaults."""
    yield _versions()
    yield _extras()
    try:
        found = Plugins.load(settings.plugins)
    except SLSError as error:
        yield Check("plugins", State.WRONG, str(error))
        return
    yield Check("plugins", State.OK, ", ".join(found.names))
    context = Context(clock=time.time)
    yield _guarded("encoder", lambda: _encoder(settings, found, context))
    yield _guarded("index", lambda: _index(settings, found))
    yield _guarded("database", lambda: _database(settings, found, context))
    yield _tokenizer()
    yield _guarded("prices", lambda: _prices(settings, found, given=given))


def _guarded(name: str, look: Callable[[], Check]) -> Check:
    """The check, or what went wrong in it."""
    try:
        return look()
    except SLSError as error:
        return Check(name, State.WRONG, str(error))


def _versions() -> Check:
    text = f"sls-plugins {__version__}, Python {platform.python_version()}, {platform.platform()}"
    return Check("versions", State.OK, text)


def _extras() -> Check:
    """Optional libraries: which are there."""
    found = {library: _version(library) for library in OPTIONAL}
    text = ", ".join(f"{library} {version}" for library, version in found.items() if version)
    missing = sorted({OPTIONAL[library] for library, version in found.items() if not version})
    if not missing:
        return Check("optional libraries", State.OK, text)
    hint = f'to have more: pip install "sls-plugins[{",".join(missing)}]"'
    return Check("optional libraries", State.NOTE, f"{text or 'none'}; {hint}")


def _version(library: str) -> str:
    """The installed version, "" if it is not installed."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _encoder(settings: Settings, found: Plugins, context: Context) -> Check:
    """Made as an engine makes it, and asked for one embedding."""
    part = settings.encoder
    encoder = cast("Encoder", found.make("encoder", part.name, context, part.options))
    start_s = time.perf_counter()
    vector = encoder.encode(["How do I reset my password?"])[0]
    elapsed_ms = 1000 * (time.perf_counter() - start_s)
    norm = float(np.linalg.norm(vector))
    if vector.shape != (encoder.dimension,) or abs(norm - 1) > 1e-3:
        text = f"{part.name} gives vectors of shape {vector.shape} and length {norm:.3f}, not 1"
        return Check("encoder", State.WRONG, text)
    return Check("encoder", State.OK, f"{encoder.fingerprint}, first text in {elapsed_ms:.1f} ms")


def _index(settings: Settings, found: Plugins) -> Check:
    name = settings.index.name
    if name == "auto":
        durable = settings.folder is not None and importlib.util.find_spec("chromadb") is not None
        chosen = "chroma" if durable else "memory"
        return Check("index", State.OK, f"auto: {chosen}, for folder is {settings.folder}")
    if name not in found.indexes():
        known = ", ".join(sorted(found.indexes()))
        raise SettingsError("settings", "index", f"there is no index {name!r}", f"Known: {known}")
    if name == "chroma" and importlib.util.find_spec("chromadb") is None:
        raise MissingExtraError("index 'chroma'", "chromadb", "chroma")
    return Check("index", State.OK, name)


def _database(settings: Settings, found: Plugins, context: Context) -> Check:
    """Opened as an engine opens it, and written to."""
    url = settings.database
    if url is None and settings.folder is not None:
        settings.folder.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{settings.folder / 'sls.db'}"
    scheme = (url or "sqlite").split(":", 1)[0].split("+", 1)[0]
    stores = found.make("store", scheme, context, {"url": url})
    assert isinstance(stores, Stores)
    with stores.database:
        now_s = time.time()
        probe = Reservation(id=f"doctor-{uuid.uuid4().hex}", usd=0.0, expires_s=now_s + 1)
        stores.accounts.reserve(probe, cap_usd=None, since_s=now_s, now_s=now_s)
        stores.accounts.release(probe.id)
        rows = stores.entries.counts()
        where = stores.database.url
    kept = f"{where} is writable, {rows.get('live', 0)} stored answers"
    if url is None:
        return Check("database", State.NOTE, "in memory: nothing is kept; set folder or database")
    return Check("database", State.OK, kept)


def _tokenizer() -> Check:
    if TiktokenCounter().count("How many tokens?").estimated:
        return Check(
            "tokenizer",
            State.NOTE,
            "no encoding file of tiktoken is on this machine, so token counts are estimates; "
            "set TIKTOKEN_CACHE_DIR to a folder that has it",
        )
    return Check("tokenizer", State.OK, "tiktoken o200k_base")


def _prices(settings: Settings, found: Plugins, *, given: bool) -> Check:
    """Every candidate has a price; PriceUnknownError tells how to give one."""
    candidates = (*settings.candidates, *found.candidates())
    if not candidates:
        state = State.WRONG if given else State.NOTE
        return Check("prices", state, f"no candidate is declared; {_table()}")
    for candidate in candidates:
        price_of(candidate)
    return Check("prices", State.OK, f"all {len(candidates)} candidates are priced; {_table()}")


def _table() -> str:
    version = _version("genai-prices")
    if not version:
        return 'no price table: pip install "sls-plugins[prices]" finds prices by model name'
    return f"price table genai-prices {version}"
