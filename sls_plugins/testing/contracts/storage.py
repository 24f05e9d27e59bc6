"""What every store must do: inherit a suite and say in a fixture how your store is made."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from threading import Barrier

import numpy as np
import pytest

from sls_plugins.errors import UnknownDecisionError
from sls_plugins.protocols import Accounts, OutcomeLog, SnapshotStore
from sls_plugins.testing.contracts.entries import EntryStoreContract
from sls_plugins.testing.contracts.storage_values import (
    make_decision,
    make_hit,
    make_outcome,
    make_query,
    make_reservation,
    make_vector,
)
from sls_plugins.types import Evidence, Outcome, OutcomeKind, Source, State

__all__ = ["AccountsContract", "EntryStoreContract", "OutcomeLogContract", "SnapshotStoreContract"]

NOW_S = 1000.0
THREADS = 16


class OutcomeLogContract:
    """For an `OutcomeLog`: override the fixture `log` with an empty one."""

    @pytest.fixture
    def log(self) -> OutcomeLog:
        """The log under test, empty."""
        raise NotImplementedError

    def test_a_receipt_comes_back_bit_for_bit(self, log: OutcomeLog) -> None:
        """Every number of a decision is the same after it was stored."""
        log.add_decision(make_decision(), make_query(), make_vector())
        assert log.decision("d1") == make_decision()

    def test_an_outcome_comes_back_joined(self, log: OutcomeLog) -> None:
        """A line is read with query, vector, estimate and refused neighbour of its decision."""
        log.add_decision(make_decision(), make_query(), make_vector(), ("e9", 1 / 3))
        logged = log.append(make_outcome(quality=0.1 + 0.2))
        _same(logged, replace(make_outcome(quality=0.1 + 0.2), seq=logged.seq))
        _same_lines(log.after(0, 10), [logged])
        _same(log.find("d1"), logged)

    def test_the_second_in_the_ranking_has_its_own_estimate(self, log: OutcomeLog) -> None:
        """A line about another candidate than the chosen one carries that one's estimate."""
        log.add_decision(make_decision(), make_query(), make_vector(), ("e9", 1 / 3))
        failed = log.append(make_outcome(kind=OutcomeKind.FAILED))
        answered = log.append(make_outcome(candidate="large"))
        _same_lines(log.after(0, 10), [failed, answered])
        _same(log.find("d1"), answered)

    def test_what_the_neighbourhood_said_comes_back(self, log: OutcomeLog) -> None:
        """The evidence about a refused entry is read with every line of its decision."""
        said = Evidence(agreeing=1 / 3, support=2, run=1, among=5, rival=0.7, chance=0.01)
        log.add_decision(make_decision(), make_query(), make_vector(), ("e9", 1 / 3), said)
        assert log.append(make_outcome()).seq == log.last_seq()
        assert log.find("d1").evidence == said
        assert [line.evidence for line in log.after(0, 2)] == [said]
        assert log.decision("d1") == make_decision()

    def test_a_later_grade_knows_the_answer(self, log: OutcomeLog) -> None:
        """A grade is read with the text it graded."""
        log.add_decision(make_decision(), make_query(), make_vector(), ("e9", 1 / 3))
        log.append(make_outcome())
        graded = log.append(replace(log.find("d1"), kind=OutcomeKind.GRADED, quality=0.5))
        assert graded.answer_text == make_outcome().answer_text
        _same_lines(log.after(graded.seq - 1, 10), [graded])

    def test_lines_have_an_order(self, log: OutcomeLog) -> None:
        """Lines are numbered as they were appended, and read page by page."""
        log.add_decision(make_decision(), make_query(), make_vector())
        assert (log.last_seq(), list(log.after(0, 5))) == (0, [])
        seqs = [log.append(make_outcome()).seq for _ in range(7)]
        assert seqs == sorted(set(seqs))
        assert log.last_seq() == seqs[-1]
        assert [line.seq for line in log.after(seqs[1], 3)] == seqs[2:5]

    def test_a_decision_without_an_answer(self, log: OutcomeLog) -> None:
        """Of a decision that was only planned, what it tells alone is known."""
        log.add_decision(make_decision(), make_query(), make_vector(), ("e9", 1 / 3))
        found = log.find("d1")
        assert (found.kind, found.candidate, found.answer_text) == (
            OutcomeKind.ANSWERED,
            "small",
            "",
        )
        assert (found.propensity, found.estimate) == (1 - 1 / 3, make_decision().estimate)
        assert (found.query, found.nearest_id, found.seq) == (make_query(), "e9", 0)

    def test_a_hit_can_be_graded(self, log: OutcomeLog) -> None:
        """A hit is found by its id and names the row that was served."""
        log.add_hit(make_hit(), make_query(), None)
        found = log.find("h1")
        assert (found.source, found.entry_id, found.candidate) == (Source.CACHE, "e1", "small")
        assert (found.vector, found.nearest_similarity) == (None, make_hit().similarity)
        graded = log.append(replace(found, kind=OutcomeKind.GRADED, quality=0.0))
        _same_lines(log.after(0, 10), [graded])

    def test_an_unknown_decision(self, log: OutcomeLog) -> None:
        """Nobody can give feedback on, or log the outcome of, a decision that was never made."""
        log.add_hit(make_hit(), make_query(), None)
        with pytest.raises(UnknownDecisionError):
            log.find("nobody")
        with pytest.raises(UnknownDecisionError):
            log.decision("h1")
        with pytest.raises(UnknownDecisionError):
            log.append(make_outcome("nobody"))
        assert log.last_seq() == 0

    def test_threads_append(self, log: OutcomeLog) -> None:
        """Whatever many threads append is in the log once, each decision before its line."""

        def answer(number: int) -> int:
            decision_id = f"d{number}"
            log.add_decision(make_decision(decision_id), make_query(), make_vector())
            return log.append(make_outcome(decision_id)).seq

        with ThreadPoolExecutor(THREADS) as pool:
            seqs = list(pool.map(answer, range(200)))
        assert sorted(seqs) == [line.seq for line in log.after(0, 1000)]
        assert {line.decision_id for line in log.after(0, 1000)} == {f"d{n}" for n in range(200)}


class AccountsContract:
    """For `Accounts`: override the fixture `accounts` with empty ones."""

    @pytest.fixture
    def accounts(self) -> Accounts:
        """The accounts under test, empty."""
        raise NotImplementedError

    def test_a_cap_holds(self, accounts: Accounts) -> None:
        """What was held and what was charged count against the cap; exactly full is allowed."""
        assert _reserve(accounts, "r1", 0.5)
        accounts.settle("r1", 0.25, NOW_S)
        assert not _reserve(accounts, "r2", 0.76)
        assert _reserve(accounts, "r2", 0.75)
        assert not _reserve(accounts, "r3", 0.001)
        totals = accounts.totals(0.0, NOW_S)
        assert (totals.spent_usd, totals.reserved_usd) == (0.25, 0.75)
        assert totals.available_usd is None

    def test_ten_tenths_are_one(self, accounts: Accounts) -> None:
        """Rounding of sums refuses nothing that fits."""
        assert all(_reserve(accounts, f"r{number}", 0.1) for number in range(10))
        assert not _reserve(accounts, "r10", 1e-6)

    def test_release_gives_back(self, accounts: Accounts) -> None:
        """What was never used can be held again."""
        assert _reserve(accounts, "r1", 1.0)
        accounts.release("r1")
        accounts.release("unknown")
        assert _reserve(accounts, "r2", 1.0)

    def test_the_dead_hold_nothing(self, accounts: Accounts) -> None:
        """An expired reservation does not count, but its late charge does."""
        assert _reserve(accounts, "r1", 1.0, expires_s=NOW_S + 5)
        assert not _reserve(accounts, "r2", 0.5)
        assert accounts.totals(0.0, NOW_S + 5).reserved_usd == 0.0
        assert _reserve(accounts, "r2", 0.5, now_s=NOW_S + 5)
        accounts.settle("r1", 1.0, NOW_S + 6)
        assert accounts.totals(0.0, NOW_S + 6).spent_usd == 1.0

    def test_settled_twice_is_charged_once(self, accounts: Accounts) -> None:
        """A charge that is told again is ignored; money held anew under the same id is not."""
        assert _reserve(accounts, "r1", 0.1)
        accounts.settle("r1", 0.25, NOW_S)
        accounts.settle("r1", 0.25, NOW_S)
        assert accounts.totals(0.0, NOW_S).spent_usd == 0.25
        assert _reserve(accounts, "r1", 0.1)
        accounts.settle("r1", 0.25, NOW_S)
        assert accounts.totals(0.0, NOW_S).spent_usd == 0.5

    def test_without_a_cap_nothing_is_refused(self, accounts: Accounts) -> None:
        """Money is counted also where there is no limit."""
        held = make_reservation("r1", usd=1e6)
        assert accounts.reserve(held, cap_usd=None, since_s=0.0, now_s=NOW_S)
        assert accounts.totals(0.0, NOW_S).reserved_usd == 1e6

    @pytest.mark.parametrize("since_s", [0.0, 59.5, 60.0, 3599.5, 86_399.0, 90_001.25, 345_600.0])
    def test_only_the_window_counts(self, accounts: Accounts, since_s: float) -> None:
        """Charges from the begin of the window on are counted, none before it."""
        times = [0.0, 59.0, 59.5, 60.0, 3599.75, 86_400.0, 90_001.0, 90_001.25, 345_600.0, 1e6]
        for place, time_s in enumerate(times):
            accounts.settle(f"r{place}", float(2**place), time_s)
        expected_usd = sum(2**place for place, time_s in enumerate(times) if time_s >= since_s)
        assert accounts.totals(since_s, 1e6).spent_usd == expected_usd

    def test_threads_cannot_share_money(self, accounts: Accounts) -> None:
        """However many reserve at the same time, the cap is filled and not passed."""
        start = Barrier(THREADS)

        def spend(thread: int) -> int:
            start.wait()
            return sum(_reserve(accounts, f"r{thread}/{number}", 0.0625) for number in range(5))

        with ThreadPoolExecutor(THREADS) as pool:
            assert sum(pool.map(spend, range(THREADS))) == 16
        assert accounts.totals(0.0, NOW_S).reserved_usd == 1.0


class SnapshotStoreContract:
    """For a `SnapshotStore`: override the fixture `snapshots` with an empty one."""

    @pytest.fixture
    def snapshots(self) -> SnapshotStore:
        """The store under test, empty."""
        raise NotImplementedError

    def test_a_state_comes_back_bit_for_bit(self, snapshots: SnapshotStore) -> None:
        """Arrays of every kind, shape and name are the same after they were stored."""
        state: State = {
            "cost/weights": np.random.default_rng(0).normal(size=(5, 3)),
            "file": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
            "odd": np.array([np.nan, -0.0, np.inf, 5e-324]),
            "names": np.array(["small", "größer"]),
            "seed": np.array(2**63 + 1, dtype=np.uint64),
            "none": np.zeros((0, 4), dtype=bool),
        }
        snapshots.save("s", state, seq=7, fingerprint="f", now_s=NOW_S)
        found = snapshots.load("s")
        assert found is not None
        loaded, seq, fingerprint = found
        assert (seq, fingerprint, loaded.keys()) == (7, "f", state.keys())
        for name, array in state.items():
            assert (loaded[name].dtype, loaded[name].shape) == (array.dtype, array.shape)
            assert loaded[name].tobytes() == array.tobytes()

    def test_the_newest_of_a_name_is_loaded(self, snapshots: SnapshotStore) -> None:
        """However many were saved, the last one of this name comes back."""
        for seq in range(9):
            snapshots.save("s", {"n": np.array(seq)}, seq=seq, fingerprint="f", now_s=NOW_S)
        snapshots.save("other", {}, seq=99, fingerprint="g", now_s=NOW_S)
        found = snapshots.load("s")
        assert found is not None
        assert (int(found[0]["n"]), found[1]) == (8, 8)
        assert snapshots.load("other") == ({}, 99, "g")

    def test_an_unknown_name(self, snapshots: SnapshotStore) -> None:
        """Nothing was saved, nothing is loaded."""
        assert snapshots.load("s") is None

    def test_objects_are_refused(self, snapshots: SnapshotStore) -> None:
        """Arrays of objects would need pickle, so they are not taken."""
        state: State = {"bad": np.array([object()])}
        with pytest.raises(ValueError, match=r"[Oo]bject"):
            snapshots.save("s", state, seq=1, fingerprint="f", now_s=NOW_S)
        assert snapshots.load("s") is None


def _reserve(
    accounts: Accounts,
    reservation_id: str,
    usd: float,
    *,
    expires_s: float = 1e12,
    now_s: float = NOW_S,
) -> bool:
    held = make_reservation(reservation_id, usd, expires_s)
    return accounts.reserve(held, cap_usd=1.0, since_s=0.0, now_s=now_s)


def _same_lines(found: Sequence[Outcome], expected: Sequence[Outcome]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        _same(one, other)


def _same(found: Outcome, expected: Outcome) -> None:
    """Equal in every field, and the vectors bit for bit."""
    for field in fields(Outcome):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
            one, other = one.tobytes(), other.tobytes()
        assert one == other, field.name
