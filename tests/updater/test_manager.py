"""What happens beside requests: joining, refitting, following what others wrote."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from sls_plugins import Answer, Budget, Candidate, Engine, Query, Settings, Usage, build
from sls_plugins.errors import InvalidFeedbackError, UnknownDecisionError
from sls_plugins.hookspecs import hookimpl
from sls_plugins.settings import CacheSettings, LearningSettings, PartSettings
from sls_plugins.types import Event, Feedback

CANDIDATES = tuple(
    Candidate(name=name, input_usd_per_mtok=price, output_usd_per_mtok=price)
    for name, price in (("small", 0.1), ("large", 5.0))
)


def opened(folder: Path | None, *, plugins: tuple[object, ...] = (), **learning: float) -> Engine:
    settings = Settings(
        candidates=CANDIDATES,
        budget=Budget(price=10.0),
        cache=CacheSettings(enabled=False),
        encoder=PartSettings(name="hashing"),
        index=PartSettings(name="memory"),
        folder=folder,
        learning=LearningSettings(**{"every_s": 0.0, **learning}),
    )
    numbers = count()
    alone = None if folder else lambda: f"decision {next(numbers)}"  # the same draws every time
    return build(settings, plugins=plugins, ids=alone)


def call(candidate: Candidate, query: Query) -> Answer:
    return Answer(text="yes", usage=Usage(input_tokens=10, output_tokens=10), latency_s=0.1)


def ask(engine: Engine, number: int) -> Answer:
    return engine.answer(Query(text=f"question {number} of many"), call)


def test_feedback_of_an_unknown_decision_waits(tmp_path: Path) -> None:
    """It is told that nobody knows the id, and counts all the same once the decision is there."""
    with opened(tmp_path) as here, opened(tmp_path) as there:
        with pytest.raises(UnknownDecisionError, match="is kept"):
            here.feedback("run 1", 0.0, source="judge")
        assert here.updates.waiting() == 1
        there.updates.link("run 1", ask(there, 1).decision_id)
        there.parts.log.last_seq()
        there.feedback(ask(there, 2).decision_id, 1.0)
        here.updates.round()
        assert here.updates.waiting() == 0
        lines = here.parts.log.after(0, 100)
        assert [(line.quality, line.quality_source) for line in lines if line.quality == 0.0] == [
            (0.0, "judge")
        ]
        there.updates.round()
        assert here.parts.learner.seq == there.parts.learner.seq == lines[-1].seq


def test_bad_grades_are_refused(tmp_path: Path) -> None:
    """A value outside 0…1 is an error that names it, and nothing is kept."""
    with opened(tmp_path) as engine:
        with pytest.raises(InvalidFeedbackError, match=r"1\.5"):
            engine.feedback("d", 1.5)
        assert engine.updates.waiting() == 0


def test_the_same_feedback_id_is_learnt_once(tmp_path: Path) -> None:
    """A retry by a host that did not hear the answer changes nothing."""
    with opened(tmp_path) as engine:
        name = ask(engine, 1).decision_id
        told = Feedback(decision_id=name, quality=1.0, id="f1")
        assert engine.updates.take([told, told]) == 0
        engine.feedback(name, 1.0, feedback_id="f1")
        assert engine.parts.log.last_seq() == 2


def test_processes_follow_one_another(tmp_path: Path) -> None:
    """What one engine learns the other has learnt soon, by its background thread alone."""
    arrived = threading.Event()

    class Watcher:
        @hookimpl
        def sls_learned(self, outcome: object) -> None:
            arrived.set()

    with opened(tmp_path, plugins=(Watcher(),), every_s=0.05) as here, opened(tmp_path) as there:
        ask(there, 1)
        assert arrived.wait(20)
        assert here.parts.log.last_seq() == 1


def grow(engine: Engine, quality: Callable[[Answer], float], count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        answer = ask(engine, number)
        engine.feedback(answer.decision_id, quality(answer), source="test")


def test_a_refit_takes_over_only_if_it_is_not_worse(tmp_path: Path) -> None:
    """The reason is an event either way; too few grades keep the old state as it is."""
    events: list[Event] = []

    class Watcher:
        @hookimpl
        def sls_event(self, event: Event) -> None:
            events.append(event)

    with opened(tmp_path, plugins=(Watcher(),)) as engine:
        grow(engine, lambda answer: float(answer.candidate == "large"), 60)
        before = engine.parts.predictor.save()
        assert not engine.updates.refit().swapped
        after = engine.parts.predictor.save()
        assert all((before[key] == after[key]).all() for key in before)
        grow(engine, lambda answer: float(answer.candidate == "large"), 140, 60)
        done = engine.updates.refit("test")
        assert done.grades >= 40
        assert ("taken over" in done.why) == done.swapped
        assert [event.kind for event in events] == ["kept", "refit" if done.swapped else "kept"]
        assert "(test)" in events[-1].text
        assert [event.id for event in engine.updates.events()][:1] == [events[-1].id]
        estimates = engine.plan(Query(text="question 7 of many")).estimates
        assert estimates[1].quality > estimates[0].quality


def test_a_refit_that_is_worse_is_not_taken(tmp_path: Path) -> None:
    """A fresh predictor that cannot learn does not replace one that has."""

    class Lazy:
        """Expects the same of everybody."""

        def __init__(self, like: object) -> None:
            self._like = like

        def predict_one(self, query, vector, candidates):
            known = self._like.predict_one(query, vector, candidates)
            return tuple(type(one)(**{**fields(one), "quality": 0.5}) for one in known)

        def learn_one(self, outcome) -> None:
            pass

        def save(self):
            raise AssertionError("it must not be asked")

    def fields(one):
        return {name: getattr(one, name) for name in type(one).__dataclass_fields__}

    with opened(tmp_path) as engine:
        grow(engine, lambda answer: float(answer.candidate == "large"), 260)
        refitter = engine.parts.manager._upkeep.refitter
        refitter._fresh = lambda: Lazy(engine.parts.predictor)
        assert not engine.updates.refit().swapped


def test_a_fall_is_an_event_and_the_candidate_is_left(tmp_path: Path) -> None:
    """A candidate that fails from one day on is noticed, and others take its place."""
    with opened(None) as engine:
        grow(engine, lambda answer: 0.95 if answer.candidate == "small" else 0.9, 400)
        chosen = [ask(engine, number).candidate for number in range(20)]
        assert chosen.count("small") > 15
        grow(engine, lambda answer: 0.1 if answer.candidate == "small" else 0.9, 150)
        drifts = [event for event in engine.updates.events() if event.kind == "drift"]
        assert {(event.candidate, event.facts["measure"]) for event in drifts} == {
            ("small", "quality")
        }
        chosen = [ask(engine, number).candidate for number in range(20)]
        assert chosen.count("large") > 15


def test_rows_are_let_go_after_their_days(tmp_path: Path) -> None:
    """What was learnt stays, the lines go, and the engine starts again from the snapshot."""
    now = [1000.0]
    settings = Settings(
        candidates=CANDIDATES,
        encoder=PartSettings(name="hashing"),
        index=PartSettings(name="memory"),
        folder=tmp_path,
        learning=LearningSettings(every_s=0, keep_days=1),
    )
    with build(settings, clock=lambda: now[0]) as engine:
        grow(engine, lambda answer: 1.0, 5)
        engine.parts.learner.save()
        now[0] += 2 * 86400
        engine.updates.round()
        assert engine.parts.log.after(0, 100) == []
    with build(settings, clock=lambda: now[0]) as engine:
        grow(engine, lambda answer: 1.0, 2, 5)
        assert engine.parts.learner.seq == engine.parts.log.last_seq() > 10


def test_new_prices_and_retired_candidates_are_noticed(tmp_path: Path) -> None:
    """The next start tells of them once, and whoever got cheaper is tried again."""
    with opened(tmp_path) as engine:
        grow(engine, lambda answer: 1.0, 5)
        assert engine.updates.events() == []
    cheaper = (CANDIDATES[0], replace(CANDIDATES[1], input_usd_per_mtok=0.5))
    for candidates, kinds in ((cheaper, ["price"]), (cheaper[:1], ["retired", "price"])):
        for _ in range(2):
            settings = Settings(
                candidates=candidates,
                encoder=PartSettings(name="hashing"),
                index=PartSettings(name="memory"),
                folder=tmp_path,
                learning=LearningSettings(every_s=0),
            )
            with build(settings) as engine:
                events = engine.updates.events()
                assert [(event.kind, event.candidate) for event in events] == [
                    (kind, "large") for kind in kinds
                ]
                assert engine.answer(Query(text="still?"), call).text == "yes"
