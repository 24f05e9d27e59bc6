"""How a fresh answer is compared with the stored one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from sls_plugins import build
from sls_plugins.cache.labels import is_same_answer
from sls_plugins.cache.sameness import AlikeAnswers, has_same_words, make_embedding
from sls_plugins.errors import SettingsError
from sls_plugins.hookspecs import hookimpl
from sls_plugins.protocols import Context, Factory
from sls_plugins.settings import CacheSettings, Settings
from sls_plugins.types import Answer, Candidate, Matrix, Query, unit_rows

ONLY = Candidate(name="m", input_usd_per_mtok=0.0, output_usd_per_mtok=0.0)


class Lengths:
    """An encoder that turns a text's length into an angle: 10 letters more, 0.1 further."""

    fingerprint = "lengths"
    dimension = 2

    def encode(self, texts: Sequence[str]) -> Matrix:
        angles = np.array([len(text) / 100 for text in texts])
        return unit_rows(np.stack((np.cos(angles), np.sin(angles)), axis=1))


def test_words_forgive_case_and_punctuation_but_no_number() -> None:
    """Case and a full stop are forgiven, a decimal point or a negation is not."""
    assert has_same_words("It is Paris.", "it is  paris")
    assert not has_same_words("1.5", "15")
    assert not has_same_words("it is Paris", "it is not Paris")
    assert not is_same_answer("It is Paris.", "it is paris")


def test_embeddings_say_same_different_or_unknown() -> None:
    """Near answers are the same, far ones are not, and in between nothing is said."""
    alike = AlikeAnswers(Lengths(), same=0.99, differ=0.9)
    assert alike("a" * 50, "b" * 55) is True
    assert alike("a" * 10, "b" * 40) is None
    assert alike("a" * 10, "b" * 90) is False
    assert alike("yes", "") is False


@pytest.mark.parametrize(
    ("one", "other"),
    [("it is 5 km", "it is 6 km"), ("it is on", "it is off"), ("it is", "it isn't")],
)
def test_no_similarity_makes_opposites_the_same(one: str, other: str) -> None:
    """Numbers, opposites and negations make a difference however near the embeddings are."""
    assert AlikeAnswers(Lengths(), same=0.5, differ=0.1)(one, other) is False


@pytest.mark.parametrize("options", [{"same": "high"}, {"same": 0.2, "differ": 0.5}, {"level": 1}])
def test_impossible_levels_are_refused(options: dict[str, object]) -> None:
    """Wrong options are an error that names them."""
    context = Context(clock=lambda: 0.0, resources={"encoder": Lengths()})
    with pytest.raises(SettingsError, match="same_answer"):
        make_embedding(context, options)


class Plugin:
    """Brings a guard that sees cities, and a comparison by first letters."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    @hookimpl
    def sls_guards(self) -> dict[str, Factory]:
        return {"cities_differ": lambda _context, _options: lambda one, other: one != other}

    @hookimpl
    def sls_same_answers(self) -> dict[str, Factory]:
        return {"initials": lambda _context, _options: self._same}

    def _same(self, one: str, other: str) -> bool:
        self.asked.append((one, other))
        return one[:1] == other[:1]


def test_plugins_bring_guards_and_comparisons() -> None:
    """A plugin's guard vetoes, and its comparison is asked about the refused neighbour."""
    plugin = Plugin()
    settings = Settings(
        candidates=(ONLY,), encoder="hashing", index="memory",
        cache=CacheSettings(same_answer="initials"),
    )  # fmt: skip
    with build(settings, plugins=[plugin]) as engine:
        for number, text in enumerate(("what is a heap", "what is the heap")):
            engine.answer(Query(text=text), lambda _c, _q, number=number: Answer(text=f"a{number}"))
        found = engine.cache.look_up(Query(text="what is this heap"))
    assert plugin.asked
    assert set(plugin.asked) == {("a1", "a0")}
    assert "cities_differ" in str(found)


def test_a_guard_that_is_unknown_cannot_be_set_off() -> None:
    """A misspelt guard is an error that lists those there are."""
    cache = CacheSettings(guards_off={"*": ("numbers",)})
    with pytest.raises(SettingsError, match=r"no guard 'numbers'.*numbers_differ"):
        build(Settings(candidates=(ONLY,), encoder="hashing", index="memory", cache=cache))
