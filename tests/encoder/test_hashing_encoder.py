"""The encoder that needs no weights."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from sls_plugins.encoder.hashing import HashingEncoder, make
from sls_plugins.errors import SettingsError
from sls_plugins.protocols import Context, Encoder
from sls_plugins.testing.contracts.encoder import EncoderContract

CONTEXT = Context(clock=lambda: 0.0)

PROGRAM = """
from sls_plugins.encoder.hashing import HashingEncoder
print(HashingEncoder().encode(["Reset my password, please", "ÄÖÜ 日本 42"]).tobytes().hex())
"""


class TestHashingEncoder(EncoderContract):
    """The suite for encoders."""

    @pytest.fixture
    def encoder(self) -> Encoder:
        return HashingEncoder()


def similarity(one: str, other: str) -> float:
    vectors = HashingEncoder().encode([one, other])
    return float(vectors[0] @ vectors[1])


def test_processes_agree() -> None:
    """Every process gives a text the same bits, whatever its hash seed."""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(outputs) == 1


def test_vectors_are_pinned() -> None:
    """The features of version 1 are what they were when vectors were first stored."""
    vector = HashingEncoder().encode(["Reset my password"])[0]
    strongest = vector[[37, 381, 234, 310]]
    assert np.allclose(strongest, [0.2208, -0.2208, -0.1847, -0.1847], atol=1e-4)
    assert np.abs(vector).max() < 0.2209


def test_related_texts_are_nearer() -> None:
    """Texts that share words are nearer than texts that share none."""
    near = similarity("how do I reset my password", "password reset: how?")
    assert near > similarity("how do I reset my password", "the weather is fine") + 0.2


def test_numbers_count_a_little() -> None:
    """Lines that differ in numbers only are near, but not equal."""
    found = similarity("block 17 received from 10.0.0.4", "block 98 received from 10.0.7.1")
    assert 0.7 < found < 0.98


def test_case_does_not_count() -> None:
    """Upper and lower case are the same."""
    assert similarity("RESET my Password", "reset MY password") == pytest.approx(1.0)


def test_no_bucket_is_preferred() -> None:
    """Many words spread evenly over buckets and signs."""
    letters = np.random.default_rng(5).integers(ord("a"), ord("z") + 1, size=(3000, 9))
    vectors = HashingEncoder(64).encode(["".join(map(chr, word)) for word in letters])
    energy = (vectors**2).mean(axis=0) * 64
    assert 0.7 < energy.min() <= energy.max() < 1.4
    assert np.abs(vectors.mean(axis=0)).max() < 0.03


def test_dimension_is_an_option() -> None:
    """The dimension can be set, and is part of the fingerprint."""
    encoder = make(CONTEXT, {"dimension": 1024})
    assert encoder.dimension == encoder.encode(["a"]).shape[1] == 1024
    assert encoder.fingerprint == "hashing:v1:1024"
    assert make(CONTEXT, {}).fingerprint == "hashing:v1:384"


@pytest.mark.parametrize("options", [{"dimensions": 8}, {"dimension": 0}, {"dimension": "many"}])
def test_wrong_options_are_refused(options: dict[str, object]) -> None:
    """A wrong option is named, together with those that exist."""
    with pytest.raises(SettingsError) as caught:
        make(CONTEXT, options)
    assert caught.value.key == next(iter(options))
    assert "dimension" in caught.value.hint
