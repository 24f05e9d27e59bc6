"""The detector is quiet while nothing changes, and quick when something does."""

from __future__ import annotations

import numpy as np
import pytest

from sls_plugins.types import Estimate, Outcome, OutcomeKind, Query, Usage
from sls_plugins.updater import Alarm, DriftWatch
from sls_plugins.updater.detector import Detector

QUALITY_RATES = (1 / 250_000, 1 / 2_000_000)


def delay(seed: int, before: int, base: float) -> int:
    """Outcomes until a fall by twenty points is noticed; 999 if it is not, -1 if too early."""
    random = np.random.default_rng(seed)
    detector = Detector(*QUALITY_RATES)
    expected = np.clip(random.beta(6 * base, 6 * (1 - base), before + 600), 0.02, 0.98)
    for number, chance in enumerate(expected.tolist()):
        real = max(chance - 0.2, 0.0) if number >= before else chance
        signal = detector.observe(float(random.random() < real), chance)
        if signal is not None:
            assert signal.direction == -1
            return number - before if number >= before else -1
    return 999


@pytest.mark.parametrize("base", [0.92, 0.7, 0.5])
def test_a_fall_of_twenty_points_is_noticed_within_150_outcomes(base: float) -> None:
    """In the median over seeds, on yes-or-no grades that are not all equally likely."""
    delays = [delay(seed, 800, base) for seed in range(15)]
    assert min(delays) >= 0
    assert np.median(delays) <= 150


def test_nothing_is_alarmed_while_nothing_changes() -> None:
    """Expectations that are always off by the same are no change; 20,000 outcomes, no alarm."""
    random = np.random.default_rng(1)
    detector = Detector(*QUALITY_RATES)
    for _ in range(20_000):
        chance = 0.3 + 0.6 * random.random()
        assert detector.observe(float(random.random() < chance), chance - 0.08) is None


def test_a_detector_is_restored_bit_for_bit() -> None:
    """What was saved goes on exactly as the original does."""
    random = np.random.default_rng(2)
    detector, copy = Detector(*QUALITY_RATES), Detector(*QUALITY_RATES)
    for number in range(700):
        value, chance = float(random.random() < 0.7), float(random.random())
        detector.observe(value, chance)
        if number == 300:
            copy.set(detector.flat())
        elif number > 300:
            copy.observe(value, chance)
    assert np.array_equal(copy.flat(), detector.flat(), equal_nan=True)


def line(seq: int, *, latency_s: float, tokens: int, cost_usd: float, task: str = "t") -> Outcome:
    estimate = Estimate(
        candidate="a",
        quality=0.8,
        quality_sd=0.1,
        cost_usd=0.01,
        cost_high_usd=0.02,
        latency_s=1.0,
        output_tokens=100.0,
    )
    return Outcome(
        decision_id=str(seq),
        query=Query(text="q", task=task),
        vector=None,
        candidate="a",
        kind=OutcomeKind.ANSWERED,
        seq=seq,
        usage=Usage(output_tokens=tokens),
        cost_usd=cost_usd,
        latency_s=latency_s,
        estimate=estimate,
    )


@pytest.mark.parametrize("measure", ["cost", "latency", "output length"])
def test_doubled_costs_latencies_and_lengths_are_noticed(measure: str) -> None:
    """Each measure is watched by itself, in all and in the task, whatever its distribution."""
    random = np.random.default_rng(3)
    alarms: list[Alarm] = []
    watch = DriftWatch(alarms.append)
    for seq in range(1, 900):
        noise = np.exp(random.normal(0.0, 0.4, 3))
        scale = dict.fromkeys([measure], 2.5 if seq > 700 else 1.0)
        watch.learn_one(
            line(
                seq,
                cost_usd=0.01 * noise[0] * scale.get("cost", 1.0),
                latency_s=noise[1] * scale.get("latency", 1.0),
                tokens=int(100 * noise[2] * scale.get("output length", 1.0)),
            )
        )
    assert {(alarm.task, alarm.measure) for alarm in alarms} == {("", measure), ("t", measure)}
    assert all(alarm.worse and 700 < alarm.seq < 800 for alarm in alarms)


def test_a_watch_is_restored_and_alarms_at_the_same_line() -> None:
    """Two processes that read the same log notice the same, also after a restart."""
    random = np.random.default_rng(4)
    told: tuple[list[Alarm], list[Alarm]] = ([], [])
    first, second = DriftWatch(told[0].append), DriftWatch(told[1].append)
    for seq in range(1, 900):
        noise = np.exp(random.normal(0.0, 0.3, 3)) * (3.0 if seq > 600 else 1.0)
        outcome = line(seq, cost_usd=0.01 * noise[0], latency_s=noise[1], tokens=int(99 * noise[2]))
        first.learn_one(outcome)
        second.learn_one(outcome)
        if seq == 450:
            second = DriftWatch(told[1].append)
            second.load(first.save())
    assert len(told[0]) >= 3
    assert told[0] == told[1]
