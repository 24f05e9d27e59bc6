"""Grades of crowds are read for what they are worth."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
import pytest

from sls_plugins.types import Estimate, Outcome, OutcomeKind, Query, Source
from sls_plugins.updater import Sources


def line(name: str, kind: OutcomeKind, expected: float, **facts: object) -> Outcome:
    candidate = str(facts.pop("candidate", "a"))
    estimate = Estimate(
        candidate=candidate, quality=expected, quality_sd=0.1, cost_usd=0.1, cost_high_usd=0.1
    )
    return Outcome(
        decision_id=name,
        query=Query(text="q"),
        vector=None,
        candidate=candidate,
        kind=kind,
        estimate=estimate,
        **facts,
    )


def stream(seed: int, *, ratio: float, wrong: float, rate: float, answers: int = 3000):
    """Sources that saw a crowd, and the crowd's mean quality: told, corrected, true."""
    random = np.random.default_rng(seed)
    qualities = {"a": 0.92, "b": 0.8, "c": 0.6}
    sources, waiting, told, corrected, true = Sources(), deque(), [], [], []
    for number in range(answers):
        candidate = random.choice(list(qualities), p=[0.6, 0.25, 0.15])
        chance = float(np.clip(random.beta(*quality(qualities[candidate])), 0.02, 0.98))
        good = bool(random.random() < chance)
        true.append(good)
        name = str(number)
        sources.learn_one(line(name, OutcomeKind.ANSWERED, chance, candidate=candidate))
        if random.random() < rate * (1.0 if good else ratio):
            label = float(good != (random.random() < wrong))
            waiting.append((number + 100, name, candidate, chance, label))
        while waiting and waiting[0][0] <= number:
            _, name, candidate, expected, label = waiting.popleft()
            facts = {"candidate": candidate, "quality": label, "quality_source": "thumbs"}
            graded = line(name, OutcomeKind.GRADED, expected, **facts)
            sources.learn_one(graded)
            read = sources.corrected(graded)
            told.append(label)
            corrected.append((read.quality, read.weight))
    half = len(told) // 2
    values, weights = np.array(corrected[half:]).T
    return sources, np.mean(told), np.average(values, weights=weights), np.mean(true)


def quality(mean: float) -> tuple[float, float]:
    return 5 * mean, 5 * (1 - mean)


def test_complaints_are_weighed_against_silence() -> None:
    """Told of failures three times as often, with wrong labels: the mean is nearly the true one."""
    results = [stream(seed, ratio=3.0, wrong=0.05, rate=0.08) for seed in range(4)]
    raw = np.mean([true - told for _, told, _, true in results])
    left = np.mean([true - corrected for _, _, corrected, true in results])
    assert raw > 0.15
    assert abs(left) < 0.03
    assert np.mean([sources.ratio("thumbs") for sources, *_ in results]) == pytest.approx(3, abs=1)


def test_a_crowd_that_tells_all_is_not_weighed() -> None:
    """Where every answer is graded, nobody is over-represented."""
    sources, _, corrected, true = stream(1, ratio=1.0, wrong=0.05, rate=1.0, answers=1500)
    assert sources.ratio("thumbs") == pytest.approx(1.0, abs=0.25)
    assert corrected == pytest.approx(true, abs=0.03)


def test_other_sources_are_believed() -> None:
    """A judge's or a tester's grade is learnt as it is."""
    graded = line("d", OutcomeKind.GRADED, 0.9, quality=0.0, quality_source="judge")
    assert Sources().corrected(graded) is graded


def test_reliability_is_estimated_where_two_speak() -> None:
    """A source that contradicts believed ones ends up less believed, one that agrees does not."""
    random = np.random.default_rng(5)
    sources = Sources()
    for number in range(600):
        good = float(random.random() < 0.7)
        for source, wrong in (("tester", 0.0), ("sloppy", 0.3), ("careful", 0.02)):
            label = good if random.random() >= wrong else 1.0 - good
            facts = {"quality": label, "quality_source": source}
            sources.learn_one(line(str(number), OutcomeKind.GRADED, 0.7, **facts))
    assert sources.reliability("sloppy") < 0.85
    assert sources.reliability("sloppy") < sources.reliability("careful")


def test_sources_are_restored() -> None:
    """Saved and loaded, they read the next grade exactly as before."""
    sources, *_ = stream(2, ratio=3.0, wrong=0.05, rate=0.3, answers=800)
    copy = Sources()
    copy.load(sources.save())
    graded = line("x", OutcomeKind.GRADED, 0.8, quality=0.0, quality_source="thumbs")
    assert copy.corrected(graded) == sources.corrected(graded)
    for number in range(900):
        for one in (copy, sources):
            one.learn_one(line(f"n{number}", OutcomeKind.ANSWERED, 0.8))
    assert copy.corrected(graded) == sources.corrected(graded)
    assert copy.ratio("thumbs") == sources.ratio("thumbs")


def test_what_a_label_says_of_one_answer_has_no_prior_in_it() -> None:
    """Blame from people who complain tells more than praise, whatever had been expected."""
    sources, *_ = stream(3, ratio=3.0, wrong=0.05, rate=0.3, answers=800)
    for expected in (0.2, 0.95):
        facts = {"quality_source": "thumbs"}
        praise = line("x", OutcomeKind.GRADED, expected, quality=1.0, **facts)
        blame = line("x", OutcomeKind.GRADED, expected, quality=0.0, **facts)
        assert sources.testimony(praise).quality == 1.0
        assert 0.2 < sources.testimony(praise).weight < 0.8
        assert sources.testimony(blame).weight > 1.0
        hit = replace(praise, source=Source.CACHE, candidate="cache", estimate=None)
        assert sources.testimony(hit).weight == sources.testimony(praise).weight
    judged = line("y", OutcomeKind.GRADED, 0.9, quality=0.0, quality_source="judge", weight=0.7)
    assert sources.testimony(judged) == judged
