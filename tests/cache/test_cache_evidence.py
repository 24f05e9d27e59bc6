"""What neighbours say together, and which words are rare."""

from __future__ import annotations

import pytest

from sls_plugins.cache.neighbourhood import evidence_of
from sls_plugins.cache.rarity import Rarity
from sls_plugins.types import Answer, CacheEntry, Space


def entry(text: str) -> CacheEntry:
    return CacheEntry(
        id=text, space=Space(), key=text, query_id=text, text=text, answer=Answer(text=text)
    )


def test_neighbours_with_one_answer_support_it() -> None:
    """Entries whose answers are equal but for blanks speak with one voice; no rival is there."""
    found = evidence_of([(entry("yes sir"), 0.9), (entry("yes  sir"), 0.8)])
    assert (found.agreeing, found.support, found.run, found.among) == (1.0, 2, 2, 2)
    assert found.rival is None


def test_another_answer_among_them_is_a_rival() -> None:
    """The nearest entry with another answer is told by its similarity; near ones weigh more."""
    near = [(entry("yes"), 0.9), (entry("no"), 0.8), (entry("yes"), 0.7), (entry("no"), 0.7)]
    found = evidence_of(near)
    assert (found.support, found.run, found.among, found.rival) == (2, 1, 4, 0.8)
    assert 0.8 < found.agreeing < 0.9
    assert evidence_of(near[1:]).agreeing < 0.9


def test_a_rare_word_that_differs_is_seen() -> None:
    """Texts that differ in a frequent word are more alike than texts that differ in a rare one."""
    rarity = Rarity()
    for _ in range(200):
        rarity.learn("please reset my card")
    rarity.learn("please reset my passport")
    often = rarity.compare("reset my card", "please reset my card")
    seldom = rarity.compare("reset my card", "reset my passport")
    assert often[0] > seldom[0]
    assert often[1] < seldom[1] == pytest.approx(0.87, abs=0.05)
    assert rarity.compare("reset my card", "Reset my CARD!") == (1.0, 0.0)
