"""Embeddings of a trace's texts, kept between runs."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from sls_plugins.encoder.shelf import ShelfEncoder
from sls_plugins.evaluation.study import StudySetup
from sls_plugins.plugins import Plugins
from sls_plugins.protocols import Context, Encoder
from sls_plugins.types import Matrix

__all__ = ["embedded"]

BATCH = 256


def embedded(setup: StudySetup, texts: Sequence[str]) -> Matrix:
    """Unit vectors of all texts by the study's encoder, shape (n, d), float32."""
    encoder = Plugins.load((), ()).make("encoder", setup.encoder, Context(clock=time.time), {})
    shelf = ShelfEncoder(_checked(encoder), setup.embeddings)
    distinct = list(dict.fromkeys(texts))
    parts = [
        shelf.encode(distinct[start : start + BATCH]) for start in range(0, len(distinct), BATCH)
    ]
    shelf.close()
    places = {text: place for place, text in enumerate(distinct)}
    matrix: Matrix = np.concatenate(parts)[[places[text] for text in texts]]
    return matrix


def _checked(encoder: object) -> Encoder:
    made: Encoder = encoder  # type: ignore[assignment]
    return made
