"""The memo in front of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import numpy as np
import pytest

from sls_plugins.encoder.hashing import HashingEncoder
from sls_plugins.encoder.memo import MemoEncoder
from sls_plugins.protocols import Encoder
from sls_plugins.testing.contracts.encoder import EncoderContract
from sls_plugins.types import Matrix

DEADLINE_S = 10


class RecordingEncoder:
    """A hashing encoder that remembers what it was asked, may wait, and fails on "broken"."""

    dimension = 32
    fingerprint = "recording"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.started = Event()
        self.may_go_on = Event()
        self.may_go_on.set()
        self._lock = Lock()

    def encode(self, texts: Sequence[str]) -> Matrix:
        with self._lock:
            self.asked.extend(texts)
        self.started.set()
        assert self.may_go_on.wait(DEADLINE_S)
        if "broken" in texts:
            raise RuntimeError("the encoder broke")
        return HashingEncoder(self.dimension).encode(texts)


class TestMemoEncoder(EncoderContract):
    """The suite for encoders."""

    @pytest.fixture
    def encoder(self) -> Encoder:
        return MemoEncoder(HashingEncoder(), capacity=3)


def test_a_text_is_embedded_once() -> None:
    """Cache and predictor share one embedding per text, also within a batch."""
    inner = RecordingEncoder()
    memo = MemoEncoder(inner)
    first = memo.encode(["a b", "c d", "a b"])
    again = memo.encode(["c d", "e f", "a b"])
    assert inner.asked == ["a b", "c d", "e f"]
    assert np.array_equal(first[0], first[2])
    assert np.array_equal(first[[1, 0]], again[[0, 2]])


def test_the_least_recently_used_is_forgotten() -> None:
    """Beyond the capacity the text that was unused for longest is embedded anew."""
    inner = RecordingEncoder()
    memo = MemoEncoder(inner, capacity=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        memo.encode([text])
    assert inner.asked == ["a", "b", "c", "b"]


def test_a_batch_larger_than_the_memo() -> None:
    """A batch beyond the capacity is embedded all the same."""
    texts = [f"text {n}" for n in range(50)]
    memo = MemoEncoder(RecordingEncoder(), capacity=4)
    assert np.array_equal(memo.encode(texts), HashingEncoder(32).encode(texts))


def test_concurrent_callers_share_one_embedding() -> None:
    """A text that is being embedded is waited for, not embedded again."""
    inner = RecordingEncoder()
    memo = MemoEncoder(inner)
    inner.may_go_on.clear()
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(memo.encode, ["same text"])
        assert inner.started.wait(DEADLINE_S)
        others = [pool.submit(memo.encode, ["same text"]) for _ in range(3)]
        inner.may_go_on.set()
        rows = [future.result(DEADLINE_S) for future in (first, *others)]
    assert inner.asked == ["same text"]
    assert all(np.array_equal(row, rows[0]) for row in rows)


def test_a_failure_is_not_remembered() -> None:
    """What failed is tried again, and fails by itself for everybody who asked."""
    inner = RecordingEncoder()
    memo = MemoEncoder(inner)
    with pytest.raises(RuntimeError, match="broke"):
        memo.encode(["fine", "broken"])
    with pytest.raises(RuntimeError, match="broke"):
        memo.encode(["broken"])
    assert np.array_equal(memo.encode(["fine"]), HashingEncoder(32).encode(["fine"]))


def test_one_callers_failure_is_not_anothers() -> None:
    """Whoever waited for a text in another's failing batch gets its vector."""
    inner = RecordingEncoder()
    memo = MemoEncoder(inner)
    inner.may_go_on.clear()
    with ThreadPoolExecutor(2) as pool:
        failing = pool.submit(memo.encode, ["fine", "broken"])
        assert inner.started.wait(DEADLINE_S)
        waiting = pool.submit(memo.encode, ["fine"])
        inner.may_go_on.set()
        with pytest.raises(RuntimeError, match="broke"):
            failing.result(DEADLINE_S)
        assert np.array_equal(waiting.result(DEADLINE_S), HashingEncoder(32).encode(["fine"]))


def test_it_is_what_stands_behind() -> None:
    """Fingerprint and dimension are those of the encoder behind."""
    memo = MemoEncoder(HashingEncoder(64))
    assert (memo.fingerprint, memo.dimension) == ("hashing:v1:64", 64)


def test_it_needs_room() -> None:
    """A memo of no texts is refused."""
    with pytest.raises(ValueError, match="capacity"):
        MemoEncoder(HashingEncoder(), capacity=0)
