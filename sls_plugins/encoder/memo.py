"""Remembers the embeddings of recent texts, so that one query is embedded once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from threading import Lock

import numpy as np

from sls_plugins.protocols import Encoder
from sls_plugins.types import Matrix, Vector

__all__ = ["MemoEncoder"]


class MemoEncoder:
    """An encoder in front of another: the least recently used texts are forgotten first.

    A text that another thread is embedding just now is waited for, not embedded again. Texts are
    kept as digests only. Threads may call it at the same time.
    """

    def __init__(self, encoder: Encoder, capacity: int = 4096) -> None:
        """`capacity` is the number of texts to remember, at 4·d bytes each."""
        if capacity < 1:
            raise ValueError(f"capacity must be 1 text or more, not {capacity}")
        self._encoder = encoder
        self._capacity = capacity
        self._lock = Lock()
        self._known: OrderedDict[bytes, Future[Vector]] = OrderedDict()

    @property
    def fingerprint(self) -> str:
        """That of the encoder behind."""
        return self._encoder.fingerprint

    @property
    def dimension(self) -> int:
        """That of the encoder behind."""
        return self._encoder.dimension

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Embeddings of n texts, shape (n, d); only those not remembered are computed."""
        out = np.empty((len(texts), self.dimension), dtype=np.float32)
        futures, missing = self._look_up(texts)
        self._compute(missing)
        for place, future in enumerate(futures):
            try:
                out[place] = future.result()
            except CancelledError:  # another thread's encoder failed on it: fail here by ourselves
                out[place] = self._encoder.encode([texts[place]])[0]
        return out

    def _look_up(
        self, texts: Sequence[str]
    ) -> tuple[list[Future[Vector]], dict[bytes, tuple[str, Future[Vector]]]]:
        """The future row of each text, and by key those which are ours to compute."""
        futures: list[Future[Vector]] = []
        missing: dict[bytes, tuple[str, Future[Vector]]] = {}
        keys = [_key(text) for text in texts]
        with self._lock:
            for key, text in zip(keys, texts, strict=True):
                if key not in self._known:
                    self._known[key] = Future()
                    missing[key] = (text, self._known[key])
                self._known.move_to_end(key)
                futures.append(self._known[key])
            while len(self._known) > self._capacity:
                self._known.popitem(last=False)
        return futures, missing

    def _compute(self, missing: dict[bytes, tuple[str, Future[Vector]]]) -> None:
        """Fill the futures that are ours; if the encoder fails, forget them all."""
        if not missing:
            return
        try:
            rows = self._encoder.encode([text for text, _ in missing.values()])
            for row, (_, future) in zip(rows, missing.values(), strict=True):
                future.set_result(row.copy())
        finally:
            self._forget_unfilled(missing)

    def _forget_unfilled(self, missing: dict[bytes, tuple[str, Future[Vector]]]) -> None:
        """Cancel what was not filled, so that nobody waits for it."""
        unfilled = [(key, future) for key, (_, future) in missing.items() if future.cancel()]
        with self._lock:
            for key, future in unfilled:
                if self._known.get(key) is future:
                    del self._known[key]


def _key(text: str) -> bytes:
    """A digest of the text, so that long texts are not kept."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
