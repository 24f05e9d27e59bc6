"""Learning is reading the log: each line once, in order, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import RLock, Thread

import numpy as np
import pytest

from sls_plugins.errors import EncoderMismatchError, UnknownCandidateError
from sls_plugins.storage import Stores, open_stores
from sls_plugins.types import Decision, Estimate, Outcome, OutcomeKind, Query, State
from sls_plugins.updater import Keeper, Learner
from sls_plugins.updater.learning import LAYOUT, LAYOUT_NOW


class Diary:
    """A learner that writes down what it reads; it refuses lines of candidate "gone"."""

    def __init__(self) -> None:
        self.lines: list[int] = []

    def learn_one(self, outcome: Outcome) -> None:
        if outcome.candidate == "gone":
            raise UnknownCandidateError("gone", ("here",), "diary")
        self.lines.append(outcome.seq)

    def save(self) -> State:
        return {"lines": np.array(self.lines, dtype=np.int64)}

    def load(self, state: State) -> None:
        self.lines = [int(line) for line in state["lines"]]


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = open_stores(f"sqlite:///{tmp_path / 'log.db'}", lambda: 100.0)
    yield stores
    stores.database.close()


def append(stores: Stores, name: str, candidate: str = "here") -> Outcome:
    """A decision and its answered line."""
    estimate = Estimate(
        candidate=candidate, quality=0.5, quality_sd=0.1, cost_usd=0.1, cost_high_usd=0.2
    )
    decision = Decision(
        id=name,
        query_id=name,
        candidate=candidate,
        ranking=(candidate,),
        estimates=(estimate,),
        propensity=1.0,
        price=0.0,
        seed=1,
        why="",
        created_s=1.0,
    )
    query = Query(text="a question", id=name)
    stores.log.add_decision(decision, query, None)
    return stores.log.append(
        Outcome(
            decision_id=name,
            query=query,
            vector=None,
            candidate=candidate,
            kind=OutcomeKind.ANSWERED,
            cost_usd=0.1,
        )
    )


def learner_of(
    stores: Stores, diary: Diary, *, fingerprint: str = "f", every: int = 1000
) -> tuple[Learner, list[int]]:
    """A learner of one diary, and the lines that observers were told of."""
    told: list[int] = []
    keeper = Keeper(
        snapshots=stores.snapshots, fingerprint=fingerprint, clock=lambda: 100.0, every=every
    )
    learner = Learner(
        {"diary": diary},
        log=stores.log,
        keeper=keeper,
        lock=RLock(),
        learned=lambda outcome: told.append(outcome.seq),
    )
    learner.restore()
    return learner, told


def test_lines_are_learnt_in_order_although_they_are_told_out_of_order(stores: Stores):
    """A line told early makes the learner read what came before it; each is learnt once."""
    diary = Diary()
    learner, told = learner_of(stores, diary)
    first, second, third = (append(stores, name) for name in "abc")
    learner.observe(third)
    learner.observe(first)
    learner.observe(second)
    assert diary.lines == told == [first.seq, second.seq, third.seq]


def test_lines_of_another_process_are_learnt_too(stores: Stores, tmp_path: Path):
    """Whatever another engine appended is read before one's own next line."""
    diary = Diary()
    learner, _ = learner_of(stores, diary)
    other = open_stores(f"sqlite:///{tmp_path / 'log.db'}", lambda: 100.0)
    theirs = append(other, "theirs")
    other.database.close()
    ours = append(stores, "ours")
    learner.observe(ours)
    assert diary.lines == [theirs.seq, ours.seq]


def test_a_snapshot_saves_reading_again(stores: Stores):
    """After a restart only what came after the snapshot is read."""
    learner, _ = learner_of(stores, Diary(), every=2)
    for name in "abc":
        learner.observe(append(stores, name))
    diary = Diary()
    again, told = learner_of(stores, diary)
    assert diary.lines == [1, 2, 3]
    assert told == [3]
    assert again.seq == 3


def test_a_line_that_cannot_be_learnt_is_passed_over(stores: Stores):
    """A retired candidate's lines stay in the log and stop nobody."""
    diary = Diary()
    learner, _ = learner_of(stores, diary)
    for name, candidate in [("a", "here"), ("b", "gone"), ("c", "here")]:
        learner.observe(append(stores, name, candidate))
    assert diary.lines == [1, 3]
    assert learner.seq == 3


def test_a_snapshot_of_another_encoder_is_refused(stores: Stores):
    """Vectors of different encoders never meet in one learner."""
    learner, _ = learner_of(stores, Diary())
    learner.save()
    with pytest.raises(EncoderMismatchError, match=r"'f'.*'g'"):
        learner_of(stores, Diary(), fingerprint="g")


@pytest.mark.parametrize("other", ["another layout", "other arrays"])
def test_a_snapshot_of_another_version_is_left_alone(
    stores: Stores, other: str, caplog: pytest.LogCaptureFixture
):
    """What this program cannot load is not loaded: the log is learnt anew, and that is said."""
    first, _ = learner_of(stores, Diary())
    for name in "ab":
        first.observe(append(stores, name))
    kept = {"diary/lines": np.array([7, 7]), LAYOUT: np.array([LAYOUT_NOW])}
    if other == "another layout":
        kept[LAYOUT] = np.array([LAYOUT_NOW - 1])
    else:
        kept["diary/words"] = kept.pop("diary/lines")
    first.keeper.save(kept, 2)
    diary = Diary()
    again, told = learner_of(stores, diary)
    assert diary.lines == told == [1, 2]
    assert again.seq == 2
    assert "learnt anew" in caplog.text


def test_a_reader_at_rest_keeps_nobody_from_learning(stores: Stores):
    """While a reader in the background pauses, who appends a line learns it at once, and once."""
    diary, seen = Diary(), []
    learner, _ = learner_of(stores, diary)
    learner.wake_by(lambda: None)
    for name in "ab":
        append(stores, name)

    def rest() -> None:
        """Somebody else appends a line meanwhile, and is through with it before the pause ends."""
        own = append(stores, f"own {len(seen)}")
        thread = Thread(target=learner.observe, args=(own,))
        thread.start()
        thread.join(30.0)
        seen.append((thread.is_alive(), learner.seq))

    learner.catch_up(rest)
    assert diary.lines == sorted(set(diary.lines)) == [1, 2, 3, 4]
    assert seen == [(False, 1), (False, 4)]
