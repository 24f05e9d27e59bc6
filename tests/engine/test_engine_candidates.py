"""Candidates that come and go while an engine runs."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from sls_plugins import Answer, Candidate, Query
from sls_plugins.errors import SettingsError, UnknownCandidateError
from sls_plugins.types import Usage

NEW = Candidate(name="new", input_usd_per_mtok=9.0, output_usd_per_mtok=36.0)
RIGHT = {"small": 0.0, "middle": 0.3, "large": 1.0, "new": 1.0}


def call(candidate: Candidate, query: Query) -> Answer:
    return Answer(text=f"{candidate.name} says", usage=Usage(input_tokens=9, output_tokens=9))


def ask(engine, number: int, **limits: object) -> str:
    query = Query(text=f"Question {number}", id=f"q{number}", cacheable=False, **limits)
    answer = engine.answer(query, call)
    engine.feedback(answer.decision_id, quality=RIGHT[answer.candidate])
    return answer.candidate


def test_candidates_are_still_a_sequence(make_engine) -> None:
    """They can be iterated, counted, looked at by place, and asked for."""
    engine = make_engine()
    small, middle, large = engine.candidates
    assert len(engine.candidates) == 3
    assert engine.candidates[0] is small
    assert large in engine.candidates
    assert NEW not in engine.candidates
    assert "middle" in repr(engine.candidates)
    assert middle in engine.as_async().candidates


def test_a_newcomer_is_chosen_without_a_restart(make_engine) -> None:
    """Once added it can be asked for; once removed it cannot; the others never stop."""
    engine = make_engine()
    engine.candidates.add(NEW)
    assert ask(engine, 1, allow=frozenset({"new"})) == "new"
    engine.candidates.remove("new")
    assert [one.name for one in engine.candidates] == ["small", "middle", "large"]
    assert ask(engine, 2) in {"small", "middle", "large"}


def test_prices_change_without_a_restart(make_engine) -> None:
    """From then on estimates have the new price; an event tells of it; a stranger has none."""
    engine = make_engine()
    before = engine.plan(Query(text="What is it?", cacheable=False)).estimate_of("large")
    large = engine.candidates[2]
    cheaper = replace(
        large,
        input_usd_per_mtok=large.input_usd_per_mtok / 10,
        output_usd_per_mtok=large.output_usd_per_mtok / 10,
    )
    assert engine.candidates.reprice(cheaper) in engine.candidates
    after = engine.plan(Query(text="What is it?", cacheable=False)).estimate_of("large")
    assert after.cost_usd == pytest.approx(before.cost_usd / 10)
    engine.candidates.reprice(replace(cheaper, rpm=100))
    (event,) = engine.updates.events()
    assert (event.kind, event.candidate) == ("price", "large")
    with pytest.raises(UnknownCandidateError, match="new"):
        engine.candidates.reprice(NEW)


def test_a_newcomer_starts_where_its_price_puts_it(make_engine) -> None:
    """After grades that favour the dear, a dear newcomer is believed to be better than a cheap."""
    engine = make_engine()
    for number in range(60):
        ask(engine, number)
        ask(engine, 1000 + number, allow=frozenset({("small", "middle", "large")[number % 3]}))
    dear = engine.candidates.add(NEW)
    cheap = engine.candidates.add(
        Candidate(name="cheap", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4)
    )
    assert dear.quality_prior > cheap.quality_prior + 0.2
    told = engine.candidates.add(
        Candidate(name="told", input_usd_per_mtok=1, output_usd_per_mtok=1, quality_prior=0.9)
    )
    assert told.quality_prior == 0.9


def test_nothing_is_relearnt_of_the_others(make_engine) -> None:
    """What is expected of the others is the same before and after somebody came."""
    engine = make_engine()
    for number in range(30):
        ask(engine, number)
    query = Query(text="Question new", cacheable=False)
    before = engine.plan(query)
    engine.candidates.add(NEW)
    after = engine.plan(query)
    for name in ("small", "middle", "large"):
        assert after.estimate_of(name).quality == pytest.approx(before.estimate_of(name).quality)


def test_a_decision_outlives_its_candidate(make_engine) -> None:
    """What was planned before a removal can still be recorded and graded."""
    engine = make_engine()
    engine.candidates.add(NEW)
    decision = engine.plan(Query(text="Question 1", allow=frozenset({"new"})))
    engine.candidates.remove("new")
    engine.record(decision.id, Answer(text="late", usage=Usage(input_tokens=1, output_tokens=1)))
    engine.feedback(decision.id, quality=1.0)
    assert [line.quality for line in engine.parts.log.after(0, 9)] == [None, 1.0]


def test_what_cannot_be_changed_is_named(make_engine) -> None:
    """A name twice, a stranger, the last one: an error that says so, and nothing changes."""
    engine = make_engine()
    with pytest.raises(SettingsError, match="'small' is declared twice"):
        engine.candidates.add(Candidate(name="small", input_usd_per_mtok=1, output_usd_per_mtok=1))
    with pytest.raises(UnknownCandidateError, match="nobody"):
        engine.candidates.remove("nobody")
    engine.candidates.remove("small")
    engine.candidates.remove("middle")
    with pytest.raises(SettingsError, match="'large' is the last one"):
        engine.candidates.remove("large")
    assert len(engine.candidates) == 1


def test_candidates_change_under_load(make_engine) -> None:
    """While other threads are answered, coming and going breaks no answer."""
    engine = make_engine()
    errors: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for number in range(first, first + 15):
                ask(engine, number)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    threads = [threading.Thread(target=work, args=(1000 * place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        engine.candidates.add(NEW)
        engine.candidates.remove("new")
    for thread in threads:
        thread.join()
    assert errors == []
