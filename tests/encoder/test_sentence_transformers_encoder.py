"""Any model of the sentence-transformers library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sls_plugins.encoder.minilm import make as make_minilm
from sls_plugins.encoder.sentence_transformers import SentenceTransformersEncoder, make
from sls_plugins.encoder.weights import find_folder
from sls_plugins.errors import ConfigurationError, SettingsError
from sls_plugins.protocols import Context, Encoder
from sls_plugins.testing.contracts.encoder import ODD_TEXTS, TEXTS, EncoderContract

CONTEXT = Context(clock=lambda: 0.0)

MORE_TEXTS = (
    "What is the boiling point of water at an altitude of 3000 metres?",
    "SELECT name, SUM(amount) FROM payments WHERE paid_at > '2024-01-01' GROUP BY name;",
    "Сегодня утром шёл дождь",
    "هل يمكنك مساعدتي؟",
    "I'm not sure it's what we'd agreed on, isn't it?!",
    "A sentence that goes on. " * 20,
    "Numbers 1 22 333 4444 55555 and signs #@$%^&*()_+",
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model_folder() -> Path:
    return find_folder(None, download=False, environment={})


@pytest.fixture(scope="module")
def loaded(model_folder: Path) -> SentenceTransformersEncoder:
    return make(CONTEXT, {"model": str(model_folder)})


class TestSentenceTransformersEncoder(EncoderContract):
    """The suite for encoders."""

    @pytest.fixture
    def encoder(self, loaded: SentenceTransformersEncoder) -> Encoder:
        return loaded


def test_a_folder_is_loaded(loaded: SentenceTransformersEncoder, model_folder: Path) -> None:
    """A model from a folder has the library's vectors, and its name in the fingerprint."""
    assert loaded.fingerprint == f"sentence-transformers:{model_folder}:384"
    assert loaded.encode(TEXTS[:2]).shape == (2, loaded.dimension)


def test_minilm_equals_the_library(loaded: SentenceTransformersEncoder) -> None:
    """MiniLM in NumPy is within 1e-4 of the library in every component, in any company."""
    texts = [*TEXTS, *MORE_TEXTS, *ODD_TEXTS]
    assert len(texts) >= 20
    found = make_minilm(CONTEXT, {}).encode(texts)
    assert np.abs(found - loaded.encode(texts)).max() < 1e-4


def test_an_absent_model_is_explained() -> None:
    """A model that is not on this machine is not fetched unless that is allowed."""
    with pytest.raises(ConfigurationError, match="download=true"):
        make(CONTEXT, {"model": "nobody/has-this-model"})


@pytest.mark.parametrize(
    ("options", "key"), [({}, "model"), ({"model": "x", "devise": "cpu"}, "devise")]
)
def test_wrong_library_options_are_refused(options: dict[str, object], key: str) -> None:
    """A missing or unknown option is named."""
    with pytest.raises(SettingsError) as caught:
        make(CONTEXT, options)
    assert caught.value.key == key
