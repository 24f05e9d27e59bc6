"""Embeddings by any model of the sentence-transformers library.

Needs the extra `sentence-transformers`, and with it torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field
from sentence_transformers import SentenceTransformer

from sls_plugins.encoder.options import Options, read_options
from sls_plugins.encoder.text import repaired
from sls_plugins.errors import ConfigurationError
from sls_plugins.protocols import Context
from sls_plugins.types import Matrix, unit_rows

__all__ = ["SentenceTransformersEncoder", "SentenceTransformersOptions", "make"]


class SentenceTransformersOptions(Options):
    """Options of the encoder `sentence-transformers`.

    `model` is a name on the model hub or a folder. Only with `download` is the hub asked for what
    is not on this machine. `revision` pins a hub model, and is part of the fingerprint.
    """

    model: str = Field(min_length=1)
    download: bool = False
    revision: str | None = None
    device: str = "cpu"


class SentenceTransformersEncoder:
    """Any sentence-transformers model.

    The fingerprint has the model's name, not its content: a folder that changes under the same name
    must get another one.
    """

    def __init__(self, model: SentenceTransformer, name: str) -> None:
        """Take a loaded model. Raises ConfigurationError if it does not tell its dimension."""
        dimension = model.get_embedding_dimension()
        if dimension is None:
            raise ConfigurationError(f"the model {name!r} does not tell its dimension")
        self._model = model
        self._dimension = int(dimension)
        self._fingerprint = f"sentence-transformers:{name}:{self._dimension}"

    @property
    def fingerprint(self) -> str:
        """Name, revision and dimension of the model."""
        return self._fingerprint

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Embeddings of n texts, shape (n, d), float32, unit length, in order."""
        if not texts:
            return np.empty((0, self._dimension), dtype=np.float32)
        rows = self._model.encode(
            [repaired(text) for text in texts], show_progress_bar=False, convert_to_numpy=True
        )
        return unit_rows(rows)


def make(_context: Context, options: Mapping[str, object]) -> SentenceTransformersEncoder:
    """Factory of the encoder `sentence-transformers`; see `SentenceTransformersOptions`."""
    checked = read_options(SentenceTransformersOptions, options, "sentence-transformers")
    try:
        model = SentenceTransformer(
            checked.model,
            device=checked.device,
            revision=checked.revision,
            local_files_only=not checked.download,
        )
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the sentence-transformers model {checked.model!r} could not be loaded: {error}. "
            "Check the name, or allow the model hub with the option download=true"
        ) from error
    name = f"{checked.model}@{checked.revision}" if checked.revision else checked.model
    return SentenceTransformersEncoder(model, name)
