"""A MiniLM so small that tests can make it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

UNKNOWN = "[UNK]"
WORDS = (UNKNOWN, "[CLS]", "[SEP]", "how", "do", "i", "reset", "my", "password", "the", "fox")
POSITIONS = 40


@dataclass(frozen=True)
class TinyModel:
    """A generated model: its folder and its digest."""

    folder: Path
    sha256: str

    @property
    def options(self) -> dict[str, object]:
        """The options that load it."""
        return {"path": str(self.folder), "trusted_sha256": self.sha256}


@pytest.fixture(scope="session")
def make_tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TinyModel]:
    """Makes models of random weights, and a tokenizer that knows a few words."""

    def make(hidden: int = 64, layers: int = 2, dtype: str = "float32") -> TinyModel:
        folder = tmp_path_factory.mktemp("tiny")
        tensors = random_tensors(hidden, layers)
        save_file(
            {name: tensor.astype(dtype) for name, tensor in tensors.items()},
            folder / "model.safetensors",
        )
        make_tokenizer().save(str(folder / "tokenizer.json"))
        digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        return TinyModel(folder, digest)

    return make


@pytest.fixture(scope="session")
def tiny(make_tiny: Callable[..., TinyModel]) -> TinyModel:
    """A model that can be loaded."""
    return make_tiny()


def make_tokenizer() -> Tokenizer:
    """A tokenizer that cuts at spaces."""
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return tokenizer


def random_tensors(hidden: int, layers: int) -> dict[str, NDArray[np.float64]]:
    """Weights under the names of a BERT checkpoint, always the same."""
    random = np.random.default_rng(7)
    tensors = {
        f"embeddings.{name}_embeddings.weight": random.normal(size=(rows, hidden))
        for name, rows in (("word", len(WORDS)), ("position", POSITIONS), ("token_type", 2))
    }
    inner = 2 * hidden
    dense = {
        "attention.self.query": (hidden, hidden),
        "attention.self.key": (hidden, hidden),
        "attention.self.value": (hidden, hidden),
        "attention.output.dense": (hidden, hidden),
        "intermediate.dense": (inner, hidden),
        "output.dense": (hidden, inner),
    }
    norms = ["embeddings.LayerNorm"]
    for at in (f"encoder.layer.{layer}" for layer in range(layers)):
        for name, shape in dense.items():
            tensors[f"{at}.{name}.weight"] = 0.2 * random.normal(size=shape)
            tensors[f"{at}.{name}.bias"] = 0.2 * random.normal(size=shape[0])
        norms += [f"{at}.attention.output.LayerNorm", f"{at}.output.LayerNorm"]
    for name in norms:
        tensors[f"{name}.weight"] = 1 + 0.2 * random.normal(size=hidden)
        tensors[f"{name}.bias"] = 0.2 * random.normal(size=hidden)
    return tensors
