"""A MiniLM so small that tests can make it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from sls_plugins.types import Matrix

UNKNOWN = "[UNK]"
WORDS = (UNKNOWN, "[CLS]", "[SEP]", "how", "do", "i", "reset", "my", "password", "the", "fox")
HIDDEN, INNER, POSITIONS = 64, 96, 40


@dataclass(frozen=True)
class TinyModel:
    """A generated model: its folder and its digest."""

    folder: Path
    sha256: str


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    """Two layers of random weights, and a tokenizer that knows a few words."""
    folder = tmp_path_factory.mktemp("tiny")
    save_file(random_tensors(np.random.default_rng(7)), folder / "model.safetensors")
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    return TinyModel(folder, digest)


def random_tensors(random: np.random.Generator) -> dict[str, Matrix]:
    """Weights under the names of a BERT checkpoint."""
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS), HIDDEN),
        "embeddings.position_embeddings.weight": (POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
        "embeddings.LayerNorm.weight": (HIDDEN,),
        "embeddings.LayerNorm.bias": (HIDDEN,),
    }
    for layer in range(2):
        at = f"encoder.layer.{layer}"
        dense = {
            "attention.self.query": (HIDDEN, HIDDEN),
            "attention.self.key": (HIDDEN, HIDDEN),
            "attention.self.value": (HIDDEN, HIDDEN),
            "attention.output.dense": (HIDDEN, HIDDEN),
            "intermediate.dense": (INNER, HIDDEN),
            "output.dense": (HIDDEN, INNER),
        }
        for name, shape in dense.items():
            shapes[f"{at}.{name}.weight"] = shape
            shapes[f"{at}.{name}.bias"] = shape[:1]
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"{at}.{name}.weight"] = shapes[f"{at}.{name}.bias"] = (HIDDEN,)
    tensors = {name: 0.2 * random.normal(size=shape) for name, shape in shapes.items()}
    scales = {name: 1 + tensors[name] for name in tensors if name.endswith("LayerNorm.weight")}
    return {name: tensor.astype(np.float32) for name, tensor in (tensors | scales).items()}
