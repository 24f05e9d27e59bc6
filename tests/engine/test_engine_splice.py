"""Joining a continuation to a text that broke off."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies

from sls_plugins.engine.splice import Splice

STORY = "Once upon a time there was a king who had three daughters, and the youngest of them"


def spliced(said: str, second: str, size: int = 3) -> str:
    """The whole text, with the second one coming in pieces."""
    splice = Splice(said)
    pieces = re.findall(f"(?s).{{1,{size}}}", second)
    return said + "".join(splice.passing(piece) for piece in pieces) + splice.rest()


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("said", "second", "whole"),
    [
        (STORY, " was fair.", f"{STORY} was fair."),
        (STORY, f"{STORY} was fair.", f"{STORY} was fair."),
        (STORY, f"{STORY[40:]} was fair.", f"{STORY} was fair."),
        (STORY, STORY, STORY),
        (STORY, "", STORY),
        ("ha ha ha", " ha ha", "ha ha ha ha ha"),
        ("0, " * 40, "0, " * 10 + "0", "0, " * 50 + "0"),
        ("The", "The end.", "The end."),
        ("One two", " three", "One two three"),
        ("Once", "On we go.", "OnceOn we go."),
        ("", "All of it.", "All of it."),
    ],
)
def test_what_was_said_is_said_once(said: str, second: str, whole: str, size: int) -> None:
    """Beginning again and repeating the last words leave no trace; a continuation is kept whole."""
    assert spliced(said, second, size) == whole


@given(strategies.text("ab ", max_size=60), strategies.integers(0, 60), strategies.integers(1, 9))
def test_beginning_again_always_gives_the_text(text: str, cut: int, size: int) -> None:
    """Wherever a text breaks off, saying it all again completes it."""
    assert spliced(text[:cut], text, size) == text


@given(strategies.text("abc", min_size=1, max_size=40), strategies.text("xyz ", max_size=40))
def test_a_continuation_in_other_letters_is_kept(said: str, second: str) -> None:
    """What cannot be a repetition is passed on whole."""
    assert spliced(said, second) == said + second
