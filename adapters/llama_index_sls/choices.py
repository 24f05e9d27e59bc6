"""How near a query is to the descriptions of its choices."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from llama_index.core.tools.types import ToolMetadata

from sls_plugins.protocols import Encoder
from sls_plugins.types import Matrix, Vector

__all__ = ["Choice", "Descriptions", "clean"]

KEPT = 4096
"""How many descriptions are remembered with their embeddings."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the choices: its place in the list, the candidate it is, how near it is (cosine)."""

    index: int
    candidate: str | None
    similarity: float


def clean(text: str | None) -> str:
    """The text as every encoder and database takes it; a placeholder if nothing is left."""
    whole = (text or "").encode("utf-8", "replace").decode("utf-8").replace("\x00", " ").strip()
    return whole or "(nothing)"


class Descriptions:
    """Compares queries with descriptions, each of which is embedded once. Threads may share it."""

    def __init__(self, encoder: Encoder) -> None:
        """The encoder should be the engine's, so that a query is embedded once as well."""
        self._encoder = encoder
        self._known: OrderedDict[str, Vector] = OrderedDict()
        self._lock = Lock()

    def similarities(self, query: str, choices: Sequence[ToolMetadata]) -> list[float]:
        """Cosine of the query and each choice's description (its name, if it has none)."""
        texts = [clean(choice.description or choice.name) for choice in choices]
        vector = self._encoder.encode([query])[0]
        return [float(each) for each in self._embedded(texts) @ vector]

    def _embedded(self, texts: Sequence[str]) -> Matrix:
        with self._lock:
            found = {text: self._known[text] for text in texts if text in self._known}
        fresh = [text for text in dict.fromkeys(texts) if text not in found]
        if fresh:
            found |= dict(zip(fresh, self._encoder.encode(fresh), strict=True))
            with self._lock:
                self._known |= {text: found[text] for text in fresh}
                while len(self._known) > KEPT:
                    self._known.popitem(last=False)
        return np.stack([found[text] for text in texts])
