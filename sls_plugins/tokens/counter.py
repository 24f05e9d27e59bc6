"""Counts tokens without the network."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from tiktoken import Encoding

from sls_plugins.tokens.encodings import EncodingName, load_encoding
from sls_plugins.tokens.estimate import estimate_tokens
from sls_plugins.types import TokenCount

__all__ = ["TiktokenCounter"]

MEMO_CHARACTERS = 64
"""Shorter texts are counted sooner than they are looked up."""

PIECE_CHARACTERS = 100_000
"""Longer texts are counted in pieces: tiktoken's stack overflows on a million spaces."""


class TiktokenCounter:
    """Counts with one of OpenAI's encodings where its file is at hand, else estimates.

    `folder` is looked into first and keeps a copy of what was found inside another package. Only
    with `download` is the file fetched. The encoding is loaded when first needed. Counts of the
    last `capacity` texts are remembered. Threads may call it at the same time.
    """

    def __init__(
        self,
        encoding: EncodingName = "o200k_base",
        *,
        folder: Path | None = None,
        download: bool = False,
        capacity: int = 4096,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._name: EncodingName = encoding
        self._folder = folder
        self._download = download
        self._capacity = capacity
        self._environment = environment
        self._lock = Lock()
        self._loaded = False
        self._encoding: Encoding | None = None
        self._known: OrderedDict[bytes, int] = OrderedDict()

    def count(self, text: str) -> TokenCount:
        """Number of tokens; words that look like special tokens are counted as plain text."""
        encoding = self._load()
        if encoding is None:
            return TokenCount(tokens=estimate_tokens(text), estimated=True)
        if len(text) < MEMO_CHARACTERS:
            return TokenCount(tokens=_count_pieces(encoding, text))
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        with self._lock:
            tokens = self._known.get(key)
            if tokens is not None:
                self._known.move_to_end(key)
        if tokens is None:
            tokens = _count_pieces(encoding, text)
            self._remember(key, tokens)
        return TokenCount(tokens=tokens)

    def _load(self) -> Encoding | None:
        """The encoding, looked for once."""
        if not self._loaded:
            with self._lock:
                if not self._loaded:
                    self._encoding = load_encoding(
                        self._name,
                        folder=self._folder,
                        download=self._download,
                        environment=self._environment,
                    )
                    self._loaded = True
        return self._encoding

    def _remember(self, key: bytes, tokens: int) -> None:
        """Keep a count, forgetting the one that was unused for longest."""
        with self._lock:
            self._known[key] = tokens
            if len(self._known) > self._capacity:
                self._known.popitem(last=False)


def _count_pieces(encoding: Encoding, text: str) -> int:
    """Number of tokens, at most one too many for each cut between pieces."""
    return sum(
        len(encoding.encode_ordinary(text[start : start + PIECE_CHARACTERS]))
        for start in range(0, len(text), PIECE_CHARACTERS)
    )
