"""Admission: what is worth keeping, what goes first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sls_plugins.cache import CachePolicy
from sls_plugins.cache.admission import Residents, Room, is_storable, is_volatile
from sls_plugins.types import Answer, Query, Resident


def test_only_cacheable_answers_with_text_are_kept() -> None:
    """Refusals, tool calls and empty answers stay out, as do queries that forbid it."""
    query, answer = Query(text="q"), Answer(text="a")
    assert is_storable(query, answer)
    assert not is_storable(query, Answer(text="a", cacheable=False))
    assert not is_storable(query, Answer(text=" \n"))
    assert not is_storable(Query(text="q", cacheable=False), answer)


def test_tool_calls_are_stored_where_the_query_says_so() -> None:
    """An answer that calls tools is kept for those who keep tool calls, in their own scope."""
    calling = Answer(text='[{"name": "look_up"}]', calls_tools=True)
    keeping = Query(text="q", scope="s", keeps_tool_calls=True)

    assert not is_storable(Query(text="q", scope="s"), calling)
    assert is_storable(keeping, calling)
    assert keeping.space != Query(text="q", scope="s").space
    assert replace(keeping, text="r").space == keeping.space


@pytest.mark.parametrize(
    "text",
    [
        "weather today",
        "the LATEST release",
        "what is on right now?",
        "Who is the current president?",
        "our turnover this quarter",
    ],
)
def test_texts_about_the_present_are_volatile(text: str) -> None:
    """Words for the present are seen in any case."""
    assert is_volatile(text)
    assert not is_volatile("how nowcasts work")
    assert not is_volatile("what is the current through a resistor")
    assert not is_volatile("list the files in the current directory")


def test_a_life_of_a_family_is_that_of_its_tasks() -> None:
    """Unless a task has one of its own; others have the general one."""
    policy = CachePolicy(ttl_s=9.0, ttl_by_task={"news": 6.0, "news/sports": 3.0})
    lives = [policy.ttl_of(task, volatile=False) for task in ("news/sports", "news/art", "x", "")]
    assert lives == [3.0, 6.0, 9.0, 9.0]


def resident(entry_id: str, **known: float) -> Resident:
    return Resident(id=entry_id, **known)  # type: ignore[arg-type]


def test_of_equal_rows_the_least_used_goes_first() -> None:
    """Room is made by what helped least; among equals by the oldest."""
    residents = Residents([], Room(rows=4))
    for entry_id in "abcd":
        assert residents.take_in(resident(entry_id)) == ()
    residents.touch("a")
    assert residents.take_in(resident("e")) == ("b",)
    assert residents.take_in(resident("f")) == ("c",)
    assert len(residents) == 4


def test_what_is_expected_to_save_least_goes_first() -> None:
    """A cheap answer goes before a dear one, a doubtful one before a praised one."""
    residents = Residents([], Room(rows=3))
    residents.take_in(resident("dear", cost_usd=0.1))
    residents.take_in(resident("cheap", cost_usd=0.001))
    residents.take_in(resident("doubtful", cost_usd=0.1, good=1.0, bad=1.0))
    assert residents.take_in(resident("x", cost_usd=0.1)) == ("cheap",)
    assert residents.take_in(resident("y", cost_usd=0.1)) == ("doubtful",)


def test_fame_of_long_ago_is_outlived() -> None:
    """A row that was used very often goes in the end when nobody asks for it any more."""
    residents = Residents([], Room(rows=4))
    residents.take_in(resident("star"))
    for _ in range(50):
        residents.touch("star")
    gone = [residents.take_in(resident(f"n{at}")) for at in range(800)]
    assert ("star",) in gone[50:]


def test_bytes_are_bounded() -> None:
    """Where bytes are short, a long answer must save more than a short one."""
    residents = Residents([], Room(rows=100, bytes=1000))
    residents.take_in(resident("short", bytes=100))
    residents.take_in(resident("long", bytes=800))
    assert residents.take_in(resident("new", bytes=150)) == ("long",)
    assert residents.bytes == 250


def test_uses_are_told_once() -> None:
    """How often rows were of use is handed out in batches, to be written down."""
    residents = Residents([resident("a"), resident("b")], Room())
    residents.touch("a")
    residents.touch("a")
    assert residents.unsaved_uses(2) == {}
    residents.touch("b")
    assert residents.unsaved_uses(2) == {"a": 2, "b": 1}
    assert residents.unsaved_uses() == {}


def test_a_smaller_capacity_than_what_is_stored_is_met_at_once() -> None:
    """After the settings shrank, the next answer makes all the room that is needed."""
    residents = Residents([resident(f"e{at}") for at in range(10)], Room(rows=4))
    assert len(residents.take_in(resident("new"))) == 7
    assert len(residents) == 4
    residents.drop(["new", "nobody"])
    assert len(residents) == 3
