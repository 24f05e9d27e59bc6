"""What every encoder must do: inherit the suite and say in a fixture how yours is made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sls_plugins.protocols import Encoder

__all__ = ["EncoderContract"]

TEXTS = (
    "How do I reset my password?",
    "The quick brown fox jumps over the lazy dog.",
    "ERROR 2031 node-17: connection to 10.0.4.9:8080 timed out after 30 s",
    "def area(r):\n\treturn 3.14159 * r ** 2",
    "Où est la bibliothèque ?",
    "猫が窓のそばで眠っている。",
    "🚀🚀 → ∑ x² ≤ 1",
    "a",
)

ODD_TEXTS = ("", " \n\t ", "\x00", "half a pair \ud83d", "e\u0301", "word " * 3000, "x" * 20_000)

TOLERANCE = 1e-5
"""Rounding may differ with the company in which a text is embedded."""


class EncoderContract:
    """For an `Encoder`: override the fixture `encoder`."""

    @pytest.fixture
    def encoder(self) -> Encoder:
        """The encoder under test."""
        raise NotImplementedError

    def test_rows_are_unit_vectors_in_order(self, encoder: Encoder) -> None:
        """As many float32 rows of the told length as texts, each row its text's own."""
        matrix = encoder.encode(TEXTS)
        assert matrix.dtype == np.float32
        assert matrix.shape == (len(TEXTS), encoder.dimension)
        assert np.allclose(np.linalg.norm(matrix, axis=1), 1.0, atol=TOLERANCE)
        for text, row in zip(TEXTS, matrix, strict=True):
            assert np.allclose(encoder.encode([text])[0], row, atol=TOLERANCE)

    def test_texts_differ(self, encoder: Encoder) -> None:
        """Different texts have different vectors, each is nearest to itself."""
        matrix = encoder.encode(TEXTS)
        similarities = matrix @ matrix.T
        np.fill_diagonal(similarities, -1.0)
        assert similarities.max() < 0.99

    def test_equal_texts_are_equal(self, encoder: Encoder) -> None:
        """The same text has the same vector, within a batch and between batches."""
        first = encoder.encode([TEXTS[0], TEXTS[1], TEXTS[0]])
        again = encoder.encode([TEXTS[0], TEXTS[1], TEXTS[0]])
        assert np.allclose(first[0], first[2], atol=TOLERANCE)
        assert np.allclose(first, again, atol=TOLERANCE)

    @pytest.mark.parametrize("text", ODD_TEXTS, ids=lambda text: ascii(text[:12]))
    def test_any_text_has_a_vector(self, encoder: Encoder, text: str) -> None:
        """Empty, endless and broken texts have a finite unit vector too."""
        row = encoder.encode([text])[0]
        assert np.isfinite(row).all()
        assert np.isclose(np.linalg.norm(row), 1.0, atol=TOLERANCE)

    def test_no_text_no_row(self, encoder: Encoder) -> None:
        """No texts make a matrix of no rows."""
        matrix = encoder.encode([])
        assert matrix.shape == (0, encoder.dimension)
        assert matrix.dtype == np.float32

    def test_the_caller_owns_the_rows(self, encoder: Encoder) -> None:
        """Writing into a returned matrix changes no later answer."""
        before = encoder.encode(TEXTS[:2]).copy()
        encoder.encode(TEXTS[:2])[:] = 0.0
        assert np.allclose(encoder.encode(TEXTS[:2]), before, atol=TOLERANCE)

    def test_threads_may_encode_at_once(self, encoder: Encoder) -> None:
        """Concurrent calls give every caller its own texts' vectors."""
        expected = encoder.encode(TEXTS)
        orders = [np.roll(np.arange(len(TEXTS)), shift) for shift in range(len(TEXTS))]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda order: encoder.encode([TEXTS[i] for i in order]), orders))
        for order, matrix in zip(orders, found, strict=True):
            assert np.allclose(matrix, expected[order], atol=TOLERANCE)

    def test_it_tells_what_it_is(self, encoder: Encoder) -> None:
        """The fingerprint is not empty and does not change with use."""
        before = encoder.fingerprint
        encoder.encode(TEXTS[:1])
        assert before
        assert encoder.fingerprint == before
