"""Stored texts get the vectors of another encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from sls_plugins.storage import Stores, open_stores
from sls_plugins.storage.reencoding import encode_anew
from sls_plugins.types import Answer, CacheEntry, Matrix, Space, StoreText

NEW = np.array([0.0, 1.0, 0.0], dtype=np.float32)


def encode(texts: Sequence[str]) -> Matrix:
    return np.stack([NEW for _ in texts])


def stored(mode: StoreText) -> Stores:
    """Three rows, one of them of the new encoder already."""
    stores = open_stores(None, lambda: 1.0, mode)
    for name in ("old", "older", "new"):
        entry = CacheEntry(
            id=name,
            space=Space(),
            key=name,
            query_id=name,
            text=f"text {name}",
            answer=Answer(text="a"),
        )
        made_by = "b" if name == "new" else "a"
        stores.entries.add(entry, np.ones(2, dtype=np.float32), made_by)
    return stores


def test_rows_of_another_encoder_are_encoded_anew() -> None:
    """Theirs alone, and only once; a bar is told of them."""
    stores = stored("full")
    done: list[int] = []
    assert encode_anew(stores.database, "b", encode, done.append) == 2
    assert done == [2]
    found = {entry.id: entry.vector.tolist() for entry in stores.entries.vectors("b", 1.0)}
    assert found == {"old": [0, 1, 0], "older": [0, 1, 0], "new": [1, 1]}
    assert encode_anew(stores.database, "b", encode) == 0
    stores.database.close()


@pytest.mark.parametrize("kept", ["learnt", "mine"])
def test_what_was_learnt_is_thrown_away_and_the_log_encoded(kept: str) -> None:
    """Only where what was learnt is another encoder's; a snapshot kept by name stays."""
    stores = stored("full")
    stores.snapshots.save(kept, {"x": np.ones(1)}, seq=1, fingerprint="a", now_s=1.0)
    encode_anew(stores.database, "b", encode)
    assert (stores.snapshots.load(kept) is None) == (kept == "learnt")
    stores.database.close()


def test_a_text_that_is_not_kept_has_no_vector_any_more() -> None:
    """Stand-ins are not encoded as if they were words."""
    stores = stored("hash")
    assert encode_anew(stores.database, "b", encode) == 0
    assert [entry.id for entry in stores.entries.vectors("b", 1.0)] == ["new"]
    stores.database.close()
