"""Splitting texts: the quick way gives what the patterns say."""

from __future__ import annotations

import random
import re

import pytest

from sls_plugins.cache.guards import _hyphenated, _plain_words
from sls_plugins.cache.scanning import tokens_of, words_of

LETTERS = "ab Z9_-'’.,:é\n\t\x1c\x00\"#"


@pytest.fixture
def texts() -> list[str]:
    rng = random.Random(0)
    return ["".join(rng.choices(LETTERS, k=rng.randint(0, 12))) for _ in range(3000)]


def test_words_and_tokens_are_those_of_the_patterns(texts: list[str]) -> None:
    """Whatever characters meet, plain texts are split as all others are."""
    for text in texts:
        assert words_of(text) == re.findall(r"\w+", text)
        assert tokens_of(text) == frozenset(re.findall(r"\w+|[^\w\s]", text))
        assert _hyphenated(text) == re.findall(r"[\w'’-]+", text)


def test_words_for_guards_are_those_of_their_pattern(texts: list[str]) -> None:
    """Without an apostrophe, words are runs of small letters."""
    for text in (each.lower().replace("'", "") for each in texts):
        assert _plain_words(text) == re.findall(r"[a-z]+(?:['’][a-z]+)?", text)
