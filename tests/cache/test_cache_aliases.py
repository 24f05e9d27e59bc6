"""Aliases: verified paraphrases become keys of their own to the shared answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sls_plugins.testing.cache_world import CacheWorld, towards
from sls_plugins.types import CacheHit, CacheMiss, Query, Selection

ASKED = Query(text="what is SLS?", task="t", tenant="one", scope="s")
REWORDED = replace(ASKED, text="tell me what SLS is")


@pytest.fixture
def told(world: CacheWorld) -> CacheWorld:
    """A world where two wordings got the same answer, each from a call."""
    world.call(ASKED, towards(1), "a scheduler", quality=1.0)
    world.call(REWORDED, towards(1, 0.97), "a  scheduler", quality=1.0)
    return world


def root_and_alias(world: CacheWorld) -> tuple[CacheHit, CacheHit]:
    root, alias = world.find(ASKED, towards(1)), world.find(REWORDED, towards(1, 0.97))
    assert isinstance(root, CacheHit)
    assert isinstance(alias, CacheHit)
    return root, alias


def test_a_fresh_answer_like_the_neighbours_becomes_an_alias(told: CacheWorld) -> None:
    """The second wording is an exact repeat from then on, served with the first one's answer."""
    root, alias = root_and_alias(told)
    assert (alias.exact, alias.entry.alias_of) == (True, root.entry.id)
    assert alias.answer.text == "a scheduler"
    assert alias.answer.from_query_id == root.entry.query_id


def test_another_answer_stays_a_row_of_its_own(world: CacheWorld) -> None:
    """Who is near but has another answer shares nothing."""
    world.call(ASKED, towards(1), "a scheduler")
    world.call(REWORDED, towards(1, 0.97), "a cache")
    _, other = root_and_alias(world)
    assert (other.entry.alias_of, other.answer.text) == (None, "a cache")


def test_an_alias_is_revoked_alone(told: CacheWorld) -> None:
    """One key goes, the shared answer is served under the others."""
    _, alias = root_and_alias(told)
    told.cache.revoke(alias.entry.id)
    assert told.cache.find_exact(REWORDED, "d") is None
    assert told.cache.find_exact(ASKED, "d") is not None


def test_aliases_go_with_their_answer(told: CacheWorld) -> None:
    """Without the shared answer none of its keys is served, nor found in the index."""
    root, _ = root_and_alias(told)
    told.cache.revoke(root.entry.id)
    for query, vector in ((ASKED, towards(1)), (REWORDED, towards(1, 0.97))):
        assert isinstance(told.find(query, vector), CacheMiss)
    assert told.index.ids() == frozenset()


def test_blame_of_an_alias_reaches_the_answer(told: CacheWorld) -> None:
    """A bad answer is bad under every key."""
    _, alias = root_and_alias(told)
    told.grade_hit(alias, REWORDED, 0.0)
    assert told.cache.find_exact(ASKED, "d") is None
    assert told.cache.find_exact(REWORDED, "d") is None


def test_a_praised_near_hit_becomes_an_alias(world: CacheWorld) -> None:
    """Once somebody says that the near answer was right, the wording needs no judging again."""
    world.teach(300)
    query = Query(text="ask xabc please", task="t")
    hit = world.find(query, towards(0, 0.985))
    assert isinstance(hit, CacheHit)
    assert not hit.exact
    world.grade_hit(hit, query, 1.0)
    again = world.cache.find_exact(query, "d")
    assert again is not None
    assert again.answer.text == hit.answer.text


def test_forgetting_takes_the_aliases_too(told: CacheWorld) -> None:
    """No row is left of what is forgotten."""
    root, alias = root_and_alias(told)
    ids = told.entries.select(Selection(ids=(root.entry.id,)))
    assert set(ids) == {root.entry.id, alias.entry.id}
    told.entries.erase(ids)
    told.cache.forget(ids)
    assert told.entries.counts() == {"live": 0, "revoked": 0}
    assert told.index.ids() == frozenset()
