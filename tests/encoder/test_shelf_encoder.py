"""Embeddings kept on disk between runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from sls_plugins.encoder.hashing import HashingEncoder
from sls_plugins.encoder.shelf import ShelfEncoder
from sls_plugins.errors import StorageError
from sls_plugins.testing.contracts.encoder import EncoderContract
from sls_plugins.types import Matrix


class Counting(HashingEncoder):
    """Counts what it is asked to embed."""

    asked = 0

    def encode(self, texts: Sequence[str]) -> Matrix:
        self.asked += len(texts)
        return super().encode(texts)


class TestShelfEncoder(EncoderContract):
    """A shelf is an encoder like any other."""

    @pytest.fixture
    def encoder(self, tmp_path: Path):
        shelf = ShelfEncoder(HashingEncoder(), tmp_path)
        yield shelf
        shelf.close()


def test_a_text_is_embedded_once_in_all_runs(tmp_path: Path):
    """A second encoder on the same folder computes nothing, and gives the same bits."""
    texts = [f"text {number}" for number in range(1200)] + ["text 3"]
    first = Counting()
    shelf = ShelfEncoder(first, tmp_path)
    rows = shelf.encode(texts)
    shelf.close()
    second = Counting()
    again = ShelfEncoder(second, tmp_path)
    assert np.array_equal(again.encode(texts), rows)
    assert (first.asked, second.asked) == (1200, 0)
    again.close()


def test_another_encoder_has_a_file_of_its_own(tmp_path: Path):
    """Vectors of different encoders never meet."""
    one, other = (
        ShelfEncoder(HashingEncoder(64), tmp_path),
        ShelfEncoder(HashingEncoder(), tmp_path),
    )
    assert one.encode(["a"]).shape == (1, 64)
    assert other.encode(["a"]).shape == (1, 384)
    one.close()
    other.close()


def test_a_broken_file_is_named(tmp_path: Path):
    """The error tells which file to remove."""
    ShelfEncoder(HashingEncoder(), tmp_path).close()
    (path,) = tmp_path.glob("*.embeddings")
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match=path.name):
        ShelfEncoder(HashingEncoder(), tmp_path).encode(["a"])
