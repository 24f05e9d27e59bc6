"""Admission: what is worth keeping, what goes first."""

from __future__ import annotations

import pytest

from sls_plugins.cache.admission import Residents, is_storable, is_volatile
from sls_plugins.types import Answer, Query


def test_only_cacheable_answers_with_text_are_kept() -> None:
    """Refusals, tool calls and empty answers stay out, as do queries that forbid it."""
    query, answer = Query(text="q"), Answer(text="a")
    assert is_storable(query, answer)
    assert not is_storable(query, Answer(text="a", cacheable=False))
    assert not is_storable(query, Answer(text=" \n"))
    assert not is_storable(Query(text="q", cacheable=False), answer)


@pytest.mark.parametrize("text", ["weather today", "the LATEST release", "what is on right now?"])
def test_texts_about_the_present_are_volatile(text: str) -> None:
    """Words for the present are seen in any case."""
    assert is_volatile(text)
    assert not is_volatile("how nowcasts work")


def test_the_least_used_of_the_longest_unused_goes_first() -> None:
    """Room is made by what helped least and not lately."""
    residents = Residents([], 4)
    for entry_id in "abcd":
        assert residents.take_in(entry_id) == ()
    residents.touch("a")
    assert residents.take_in("e") == ("b",)
    assert residents.take_in("f") == ("c",)
    assert len(residents) == 4


def test_a_smaller_capacity_than_what_is_stored_is_met_at_once() -> None:
    """After the settings shrank, the next answer makes all the room that is needed."""
    residents = Residents([f"e{at}" for at in range(10)], 4)
    assert len(residents.take_in("new")) == 7
    assert len(residents) == 4
    residents.drop(["new", "nobody"])
    assert len(residents) == 3
