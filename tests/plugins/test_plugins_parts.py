"""Plugins are checked when they are taken in, make parts, and are told what happened."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import BaseModel, ConfigDict

from sls_plugins.errors import MissingExtraError, PluginError, SettingsError
from sls_plugins.hookspecs import Parts, hookimpl
from sls_plugins.plugins import Plugins, Registered
from sls_plugins.protocols import Context
from sls_plugins.types import Answer, Candidate, Decision, Outcome, OutcomeKind, Query

QUERY = Query(text="What is the capital of France?")
ANSWER = Answer(text="Paris", candidate="small")
OUTCOME = Outcome(
    decision_id="d1", query=QUERY, vector=None, candidate="small", kind=OutcomeKind.ANSWERED
)
CONTEXT = Context(clock=lambda: 0.0)


class PoliteOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    words: int = 3


def make_polite(context: Context, options: Mapping[str, object]) -> object:
    return ("polite", context, PoliteOptions.model_validate(options))


class Polite:
    @hookimpl
    def sls_judges(self) -> Parts:
        return {"polite": make_polite}

    @hookimpl
    def sls_candidates(self) -> list[Candidate]:
        return [Candidate(name="tiny", input_usd_per_mtok=0.1, output_usd_per_mtok=0.1)]


class Notes:
    """An observer that writes down what it was told."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    @hookimpl
    def sls_decided(self, decision: Decision) -> None:
        self.seen.append(decision)

    @hookimpl
    def sls_answered(self, query: Query, answer: Answer) -> None:
        self.seen.append((query, answer))

    @hookimpl
    def sls_learned(self, outcome: Outcome) -> None:
        self.seen.append(outcome)


def judges(parts: object) -> object:
    """A plugin whose only hook returns `parts`."""

    @hookimpl
    def sls_judges() -> object:
        return parts

    return SimpleNamespace(sls_judges=sls_judges)


def make(part: object, options: Mapping[str, object] | None = None) -> object:
    return Plugins([("mine", judges({"it": part}))]).make("judge", "it", CONTEXT, options or {})


def test_plugins_may_be_handed_in_as_objects() -> None:
    """An object with hooks needs no entry point."""
    plugins = Plugins.load([], extra=[Polite()])
    assert plugins.names == ("builtin", "Polite#1")
    assert plugins.judges()["polite"] == Registered("Polite#1", make_polite)
    assert [candidate.name for candidate in plugins.candidates()] == ["tiny"]


def test_one_object_twice_is_an_error() -> None:
    """The same plugin is not taken in under two names."""
    polite = Polite()
    with pytest.raises(PluginError, match="there already under the name 'Polite#1'"):
        Plugins.load([], extra=[polite, polite])


def test_one_name_twice_is_an_error() -> None:
    """Two plugins cannot share a name."""
    with pytest.raises(PluginError, match="'same': is there twice"):
        Plugins([("same", Polite()), ("same", Notes())])


def test_a_part_name_twice_is_an_error_that_names_both_plugins() -> None:
    """Nobody's part is silently replaced by another's."""
    with pytest.raises(PluginError, match="'second': brings the judge 'polite', which 'first'"):
        Plugins([("first", Polite()), ("second", judges({"polite": make_polite}))])


@pytest.mark.parametrize("brought", [None, [Candidate(name="a"), "b"]])
def test_candidates_are_candidates(brought: object) -> None:
    """What is no list of candidates is refused at start."""

    class Odd:
        @hookimpl
        def sls_candidates(self) -> object:
            return brought

    with pytest.raises(PluginError, match="'odd': sls_candidates"):
        Plugins([("odd", Odd())])


def test_a_misspelt_hook_is_an_error_with_near_names() -> None:
    """A hook that does not exist would never be called, so it is refused."""

    class Typo:
        @hookimpl
        def sls_encoder(self) -> Parts:
            return {}

    with pytest.raises(PluginError, match=r"'typo': there is no hook sls_encoder.*sls_encoders"):
        Plugins([("typo", Typo())])


def test_a_hook_with_an_unknown_argument_is_an_error() -> None:
    """An argument that no hook hands out is refused at start, not at the first query."""

    class Greedy:
        @hookimpl
        def sls_answered(self, answer: Answer, price: float) -> None:
            """Ask for what is not on offer."""

    with pytest.raises(PluginError, match=r"(?s)'greedy': registration failed.*price"):
        Plugins([("greedy", Greedy())])


def test_a_plugin_without_hooks_is_an_error() -> None:
    """A forgotten mark is told, for nothing would ever happen."""
    with pytest.raises(PluginError, match="'mute': implements no hook: mark its functions"):
        Plugins([("mute", SimpleNamespace(sls_judges=dict))])


def test_a_registry_hook_that_raises_is_named() -> None:
    """A plugin that fails while it is asked for its parts is named, with the cause."""

    class Failing:
        @hookimpl
        def sls_stores(self) -> Parts:
            raise ZeroDivisionError

    with pytest.raises(PluginError, match="'failing': sls_stores failed: ZeroDivisionError"):
        Plugins([("failing", Failing())])


@pytest.mark.parametrize("parts", [None, ["polite"], {"polite": 3}, {"polite": "no colon"}])
def test_a_registry_returns_names_and_factories(parts: object) -> None:
    """Anything but a mapping of names to factories or texts is refused at start."""
    with pytest.raises(PluginError, match="'mine': sls_judges"):
        Plugins([("mine", judges(parts))])


def test_hooks_are_plain_functions() -> None:
    """A coroutine or a wrapper would never run, so it is refused."""

    class Late:
        @hookimpl
        async def sls_learned(self, outcome: Outcome) -> None:
            """Never awaited."""

    with pytest.raises(PluginError, match="'late': sls_learned must be a plain function"):
        Plugins([("late", Late())])


def test_a_part_is_made_from_its_context_and_options() -> None:
    """A factory gets what the assembly hands it."""
    made = Plugins([("polite", Polite())]).make("judge", "polite", CONTEXT, {"words": 5})
    assert made == ("polite", CONTEXT, PoliteOptions(words=5))


def test_a_part_given_as_a_text_is_imported_only_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Naming a part costs no import."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "sls_lazy_part.py").write_text("def make(context, options):\n    return 'lazy'\n")
    plugins = Plugins([("mine", judges({"lazy": "sls_lazy_part:make"}))])
    assert "sls_lazy_part" not in sys.modules
    assert plugins.make("judge", "lazy", CONTEXT, {}) == "lazy"


def test_an_unknown_part_is_an_error_that_lists_those_that_exist() -> None:
    """A misspelt name in the settings is answered by the right one."""
    with pytest.raises(SettingsError, match=r"there is no judge 'polit'.*Did you mean polite\?"):
        Plugins([("polite", Polite())]).make("judge", "polit", CONTEXT, {})


def test_wrong_options_are_an_error_of_the_settings() -> None:
    """The user's options are the user's to mend: the error names the key."""
    with pytest.raises(SettingsError, match=r"judge\.options\.word") as caught:
        make(make_polite, {"word": 5})
    assert caught.value.key == "judge.options.word"


@pytest.mark.parametrize(
    ("library", "extra"), [("chromadb", "chroma"), ("sklearn", "ml"), ("tokenizers", "minilm")]
)
def test_a_missing_library_is_answered_by_the_extra_that_brings_it(
    library: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks for a part without its library is told what to install."""
    missing = f"raise ModuleNotFoundError('no', name='{library}.api')"
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"sls_needs_{library}.py").write_text(missing)
    with pytest.raises(MissingExtraError, match=rf"sls-plugins\[{extra}\]") as caught:
        make(f"sls_needs_{library}:make")
    assert (caught.value.library, caught.value.extra) == (library, extra)


@pytest.mark.parametrize("text", ["sls_no_such_module:make", "sls_plugins.errors:make", "a b:c"])
def test_a_text_that_leads_nowhere_names_the_plugin(text: str) -> None:
    """A wrong text is the plugin's fault, not the user's."""
    with pytest.raises(PluginError, match="'mine': judge 'it' failed") as caught:
        make(text)
    assert caught.value.__cause__ is not None


def test_a_factory_that_raises_names_the_plugin() -> None:
    """What goes wrong inside a plugin's factory bears the plugin's name and keeps the cause."""

    def factory(context: Context, options: Mapping[str, object]) -> object:
        return options["absent"]

    with pytest.raises(PluginError, match="'mine': judge 'it' failed: KeyError") as caught:
        make(factory)
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_factory_may_raise_the_projects_own_errors() -> None:
    """An error that already says what to do passes as it is."""

    def factory(context: Context, options: Mapping[str, object]) -> object:
        raise SettingsError("sls.toml", "judges.words", "is missing", "Give a number")

    with pytest.raises(SettingsError, match=r"sls\.toml"):
        make(factory)


def test_observers_are_told_with_the_arguments_they_take() -> None:
    """An observer may leave out arguments it does not need."""
    notes = Notes()
    plugins = Plugins([("notes", notes)])
    decision = Decision(
        id="d1",
        query_id="q1",
        candidate="small",
        ranking=("small",),
        estimates=(),
        propensity=1.0,
        price=0.0,
        seed=0,
        why="test",
        created_s=0.0,
    )
    plugins.decided(QUERY, decision)
    plugins.answered(QUERY, ANSWER)
    plugins.learned(OUTCOME)
    assert notes.seen == [decision, (QUERY, ANSWER), OUTCOME]


def test_an_observer_that_raises_is_logged_and_the_others_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No observer can break a query or keep the news from another."""

    class Clumsy:
        @hookimpl
        def sls_answered(self, answer: Answer) -> None:
            raise LookupError("dropped it")

    before, after = Notes(), Notes()
    plugins = Plugins([("before", before), ("clumsy", Clumsy()), ("after", after)])
    with caplog.at_level(logging.ERROR, logger="sls_plugins.plugins"):
        plugins.answered(QUERY, ANSWER)
    assert before.seen == after.seen == [(QUERY, ANSWER)]
    [record] = caplog.records
    assert "plugin 'clumsy': sls_answered failed" in record.getMessage()
    assert "LookupError: dropped it" in caplog.text


def test_an_interrupt_passes_an_observer() -> None:
    """Only errors are held back: an interrupt must stop the program."""

    class Stop:
        @hookimpl
        def sls_answered(self) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Plugins([("stop", Stop())]).answered(QUERY, ANSWER)


def test_engines_do_not_share_plugins() -> None:
    """One engine's plugins are unknown to another's."""
    notes = Notes()
    Plugins([("notes", notes)])
    Plugins([("polite", Polite())]).answered(QUERY, ANSWER)
    assert notes.seen == []
