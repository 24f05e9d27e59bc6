"""Guards: which small differences of words they see."""

from __future__ import annotations

import pytest

from sls_plugins.cache.guards import DEFAULT_GUARDS, fired
from sls_plugins.cache.policy import CachePolicy

PAIRS = [
    ("numbers_differ", "convert 5 km", "convert 6 km"),
    ("numbers_differ", "convert 5 km", "convert 5 miles"),
    ("numbers_differ", "is $5 enough", "is 5 enough"),
    ("numbers_differ", "the budget of 2023", "the budget of 2024"),
    ("numbers_differ", "a table for two", "a table for four"),
    ("numbers_differ", "flights on monday", "flights on friday"),
    ("quotes_differ", "translate 'dog'", "translate 'cat'"),
    ("quotes_differ", "find `x` here", "find here"),
    ("identifiers_differ", "what does --force do", "what does --quiet do"),
    ("identifiers_differ", "explain read_csv", "explain read_json"),
    ("identifiers_differ", "list /etc/hosts", "list /etc/passwd"),
    ("identifiers_differ", "use parseInt here", "use parseFloat here"),
    ("identifiers_differ", "visit the US", "visit the UK"),
    ("negation_differs", "foods I can eat", "foods I can't eat"),
    ("negation_differs", "pods with errors", "pods without errors"),
    ("opposites_meet", "turn on the light", "turn off the light"),
    ("opposites_meet", "how to enable sync", "how to disable sync"),
    ("opposites_meet", "the highest peak", "the lowest peak"),
    ("question_differs", "who built it", "when was it built"),
    ("question_differs", "how many are there", "how old are they"),
    ("opposites_meet", "how to mute the call", "how to unmute the call"),
    ("opposites_meet", "show me how to show it", "show me how to hide it"),
    ("names_differ", "a flight to Ulm", "a flight to Bonn"),
    ("names_differ", "weather in paris", "weather in rome"),
    ("languages_differ", "learn french fast", "learn dutch fast"),
    ("numbers_differ", "in degrees celsius", "in degrees fahrenheit"),
    ("order_differs", "from London to Paris", "from Paris to London"),
]
SAME = [
    ("what is 1,000 metres", "what is 1000 metres"),
    ("what is 1.50 in words", "what is 1.5 in words"),
    ("how do I reset my password", "how can I reset my password"),
    ("capital of France?", "the capital of France"),
    ("don't panic", "don’t panic"),
    ("turn it on", "switch it on"),
    ("Please tell me how to pay", "tell me how to pay, please"),
    ("How do I swim?", "What should I do to swim?"),
    ("explain /etc/hosts", "please explain /etc/hosts."),
    ("a flight to Ulm", "a flight to ulm"),
]


@pytest.mark.parametrize(("name", "one", "other"), PAIRS)
def test_a_difference_that_matters_is_seen(name: str, one: str, other: str) -> None:
    """The guard of this difference vetoes, whichever text is the stored one."""
    assert name in fired(DEFAULT_GUARDS, one, other)
    assert name in fired(DEFAULT_GUARDS, other, one)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_paraphrases_pass(one: str, other: str) -> None:
    """No guard vetoes other words for the same question."""
    assert fired(DEFAULT_GUARDS, one, other) == ()


@pytest.mark.parametrize(("_", "one", "other"), PAIRS)
def test_equal_texts_pass(_: str, one: str, other: str) -> None:
    """A guard never vetoes a text against itself."""
    assert fired(DEFAULT_GUARDS, one, one) == fired(DEFAULT_GUARDS, other, other) == ()


def test_guards_are_switched_off_by_task() -> None:
    """A setting silences a guard in one task, not in others."""
    policy = CachePolicy(guards_off={"logs": frozenset({"numbers_differ"})})
    assert fired(policy.guards_of("logs/a"), "core 1", "core 2") == ()
    assert fired(policy.guards_of("logs"), "core 1", "core 2") == ()
    assert fired(policy.guards_of("sums"), "core 1", "core 2") == ("numbers_differ",)
