"""Forgetting: rows, learnt state, index and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from sls_plugins import Answer, CacheHit, Query, Settings, build
from sls_plugins.errors import InputError
from sls_plugins.types import CacheMiss

SECRET = Query(text="My number is 5550199, what is my tariff?", tenant="a", scope="s")
OTHER = Query(text="What is a heap?", tenant="b", scope="s")


def filled(settings: Settings, folder: Path, **changes: object):
    engine = build(Settings(**{**dict(settings), "folder": folder, **changes}))
    ids = [
        engine.answer(query, lambda c, q: Answer(text=f"On {q.text}")).decision_id
        for query in (SECRET, OTHER)
    ]
    for decision_id in ids:
        engine.feedback(decision_id, 1.0)
    hit = engine.cache.look_up(SECRET)
    assert isinstance(hit, CacheHit)
    return engine, ids


def holds(path: Path, data: bytes) -> bool:
    return path.is_file() and data in path.read_bytes()


@pytest.mark.parametrize("index", ["memory", "chroma"])
@pytest.mark.parametrize("by", ["ids", "tenant", "text", "scope"])
def test_nothing_is_left_of_what_is_forgotten(settings: Settings, tmp_path: Path, index, by):
    """Text and vector are in no file, nor served; the rest is; learnt state is kept."""
    engine, ids = filled(settings, tmp_path, index=index, embeddings=tmp_path / "kept")
    vector = engine.parts.encoder.encode([SECRET.text])[0]
    wanted = {
        "ids": {"ids": [ids[0]]},
        "tenant": {"tenant": "a"},
        "text": {"text": f" {SECRET.text}\n"},
        "scope": {"tenant": "a", "scope": "s"},
    }
    erased = engine.cache.forget(**wanted[by])
    assert (len(erased.entry_ids), erased.decisions, erased.outcomes) == (1, 2, 2)
    assert isinstance(engine.cache.look_up(SECRET), CacheMiss)
    assert isinstance(engine.cache.look_up(OTHER), CacheHit)
    for _ in range(2):
        left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert SECRET.text.encode() not in left
        assert [path for path in tmp_path.rglob("*") if holds(path, vector.tobytes())] == []
        assert OTHER.text.encode() in left
        engine.close()
    again = build(Settings(**{**dict(settings), "folder": tmp_path, "index": index}))
    assert isinstance(again.cache.look_up(OTHER), CacheHit)
    again.close()


def test_age_is_counted_from_when_it_was_made(settings: Settings, tmp_path: Path):
    """What is younger stays."""
    engine, _ = filled(settings, tmp_path)
    assert engine.cache.forget(older_than_s=3600.0).decisions == 0
    assert engine.cache.forget(older_than_s=0.0).decisions == 3
    assert isinstance(engine.cache.look_up(OTHER), CacheMiss)
    engine.close()


async def test_async_hosts_forget_too(settings: Settings, tmp_path: Path):
    """The async twin erases the same, and everything at once is refused."""
    engine, _ = filled(settings, tmp_path)
    with pytest.raises(InputError, match="forget what"):
        engine.cache.forget()
    assert (await engine.as_async().cache.forget(tenant="b")).decisions == 1
    engine.close()
