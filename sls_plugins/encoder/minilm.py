"""Sentence embeddings by all-MiniLM-L6-v2 in plain NumPy.

Needs the extra `minilm` (tokenizers, safetensors, threadpoolctl) but neither torch nor onnxruntime.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from sls_plugins.encoder.bert import Bert, embed, read_bert
from sls_plugins.encoder.blas import OneThread
from sls_plugins.encoder.options import Options, read_options
from sls_plugins.encoder.text import repaired
from sls_plugins.encoder.weights import OFFICIAL_SHA256, check_digest, find_folder
from sls_plugins.errors import ConfigurationError
from sls_plugins.protocols import Context
from sls_plugins.types import Matrix

__all__ = ["MiniLMEncoder", "MiniLMOptions", "make"]

MAX_TOKENS = 256
"""Longer texts are cut, as in the model's own settings."""

BATCH_TOKENS = 1024
"""Tokens per pass: more are not faster, and take more memory."""


class MiniLMOptions(Options):
    """Options of the encoder `minilm`.

    `path` is a folder of `model.safetensors` and `tokenizer.json`; without it this machine is
    searched, and only with `download` the model hub is asked. `trusted_sha256` names another
    `model.safetensors` of the MiniLM family than the official one.
    """

    path: str | None = None
    download: bool = False
    trusted_sha256: str = Field(default=OFFICIAL_SHA256, pattern="^[0-9a-f]{64}$")


class MiniLMEncoder:
    """all-MiniLM-L6-v2: 384 dimensions, texts cut at 256 tokens, mean pooling.

    Equal to sentence-transformers to 1e-4. Threads may call it at the same time; BLAS is held at
    one thread meanwhile.
    """

    def __init__(self, folder: Path, *, trusted_sha256: str = OFFICIAL_SHA256) -> None:
        """Load the weights. Raises ConfigurationError for files that cannot be used or trusted."""
        check_digest(folder / "model.safetensors", trusted_sha256)
        self._bert = _read_weights(folder / "model.safetensors")
        self._tokenizer = _read_tokenizer(folder / "tokenizer.json", self._bert)
        self._one_thread = OneThread()
        name = "all-MiniLM-L6-v2" if trusted_sha256 == OFFICIAL_SHA256 else "other"
        self._fingerprint = f"minilm:{name}:{trusted_sha256[:8]}:fp32:{self._bert.dimension}"

    @property
    def fingerprint(self) -> str:
        """Model, start of the weights' digest, precision and dimension."""
        return self._fingerprint

    @property
    def dimension(self) -> int:
        """Length of a vector: 384."""
        return self._bert.dimension

    def encode(self, texts: Sequence[str]) -> Matrix:
        """Embeddings of n texts, shape (n, d), float32, unit length, in order."""
        rows = [self._tokenizer.encode(repaired(text)).ids for text in texts]
        out = np.empty((len(rows), self.dimension), dtype=np.float32)
        with self._one_thread.limited():
            for places in _batches([len(row) for row in rows]):
                out[places] = embed(self._bert, [rows[place] for place in places])
        return out


def make(_context: Context, options: Mapping[str, object]) -> MiniLMEncoder:
    """Factory of the encoder `minilm`; see `MiniLMOptions`."""
    checked = read_options(MiniLMOptions, options, "minilm")
    folder = find_folder(checked.path, download=checked.download, environment=os.environ)
    return MiniLMEncoder(folder, trusted_sha256=checked.trusted_sha256)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Places of texts by length, cut so that a batch has about `BATCH_TOKENS` tokens."""
    batch: list[int] = []
    tokens = 0
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and tokens + lengths[place] > BATCH_TOKENS:
            yield batch
            batch, tokens = [], 0
        batch.append(place)
        tokens += lengths[place]
    if batch:
        yield batch


def _read_weights(file: Path) -> Bert:
    """The model in a safetensors file."""
    try:
        with safe_open(file, framework="numpy") as tensors:
            names = tensors.keys()
            return read_bert(
                {name: np.asarray(tensors.get_tensor(name), np.float32) for name in names}
            )
    except (SafetensorError, KeyError, ValueError) as error:
        raise ConfigurationError(f"{file} does not hold a usable model: {error}") from error


def _read_tokenizer(file: Path, bert: Bert) -> Tokenizer:
    """The tokenizer, set to cut but not to pad."""
    tokenizer = Tokenizer.from_file(str(file))
    if tokenizer.get_vocab_size() > len(bert.words):
        raise ConfigurationError(
            f"{file} knows {tokenizer.get_vocab_size()} tokens but the model {len(bert.words)}: "
            "take both files from one release"
        )
    tokenizer.no_padding()
    tokenizer.enable_truncation(min(MAX_TOKENS, len(bert.positions)))
    return tokenizer
