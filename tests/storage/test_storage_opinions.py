"""Opinions are taken in once, wait for their decision, and may be told by a run's id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sls_plugins.errors import UnknownDecisionError
from sls_plugins.storage import Stores, open_stores
from sls_plugins.storage.own_postgres import PostgresServer
from sls_plugins.testing.contracts.storage import NOW_S
from sls_plugins.testing.contracts.storage_values import (
    make_decision,
    make_outcome,
    make_query,
    make_vector,
)
from sls_plugins.types import Event, Feedback, Outcome, OutcomeKind


@pytest.fixture(params=["sqlite", "postgresql"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/sls.db"
    else:
        url = request.getfixturevalue("postgres").new_database()
    opened = open_stores(url, lambda: NOW_S)
    yield opened
    opened.database.close()


def decide(stores: Stores, name: str) -> None:
    stores.log.add_decision(make_decision(name), make_query(), make_vector())
    stores.log.append(make_outcome(name))


def grade(name: str, quality: float) -> Outcome:
    return replace(make_outcome(name), kind=OutcomeKind.GRADED, quality=quality, weight=1.0)


def test_an_opinion_is_taken_in_once(stores: Stores) -> None:
    """Told again it changes nothing; with another grade it counts double."""
    decide(stores, "d1")
    told = Feedback(decision_id="d1", quality=0.0, id="f1")
    first = stores.feedback.append(grade("d1", 0.0), told)
    assert first is not None
    assert stores.feedback.append(grade("d1", 0.0), told) is None
    mended = stores.feedback.append(grade("d1", 1.0), replace(told, quality=1.0))
    assert mended is not None
    assert (mended.quality, mended.weight) == (1.0, 2.0)
    assert stores.feedback.append(grade("d1", 1.0), replace(told, quality=1.0)) is None
    assert stores.log.last_seq() == mended.seq == first.seq + 1


def test_an_opinion_waits_for_its_decision(stores: Stores) -> None:
    """It is ready once the decision is known, by its id or by the id of a host's run."""
    stores.feedback.wait(Feedback(decision_id="d1", quality=0.5, id="f1"), NOW_S)
    stores.feedback.wait(Feedback(decision_id="run", quality=0.25, source="judge"), NOW_S)
    stores.feedback.wait(Feedback(decision_id="never", quality=0.25), NOW_S)
    assert stores.feedback.ready(10) == []
    decide(stores, "d1")
    decide(stores, "d2")
    stores.feedback.link("run", "d2", NOW_S)
    assert stores.log.find("run").decision_id == "d2"
    ready = {told.decision_id: told for told in stores.feedback.ready(10)}
    assert ready.keys() == {"d1", "d2"}
    assert (ready["d1"].quality, ready["d2"].source) == (0.5, "judge")
    for name, told in ready.items():
        assert stores.feedback.append(grade(name, told.quality), told) is not None
    assert stores.feedback.ready(10) == []
    assert stores.feedback.waiting() == 1


def test_an_opinion_of_nothing_is_refused(stores: Stores) -> None:
    """A line without a decision is never written."""
    with pytest.raises(UnknownDecisionError):
        stores.feedback.append(grade("d1", 1.0), Feedback(decision_id="d1", quality=1, id="f"))
    assert stores.log.last_seq() == 0


def test_an_event_is_kept_once(stores: Stores) -> None:
    """Whoever notices second is told so; the newest come first."""
    event = Event(id="e1", kind="drift", text="fell", candidate="a", facts={"seq": 3})
    assert stores.events.add(event)
    assert not stores.events.add(replace(event, text="again"))
    assert stores.events.add(replace(event, id="e2"))
    assert [one.id for one in stores.events.newest(10)] == ["e2", "e1"]
    assert stores.events.newest(10)[1] == event


def test_old_rows_are_let_go_once_they_are_learnt(stores: Stores) -> None:
    """Lines that no snapshot has learnt stay, and with them their decisions."""
    for name in ("d1", "d2"):
        decide(stores, name)
    stores.feedback.wait(Feedback(decision_id="never", quality=0.25), NOW_S)
    assert stores.retention.drop_before(1e11, 1) == 1
    assert [line.decision_id for line in stores.log.after(0, 10)] == ["d2"]
    with pytest.raises(UnknownDecisionError):
        stores.log.find("d1")
    assert stores.feedback.waiting() == 0
    assert stores.retention.drop_before(0.0, 100) == 0


def test_a_restarted_server_is_met_again(postgres: PostgresServer) -> None:
    """After the server cut everybody off, the next reads and writes go on by themselves."""
    stores = open_stores(postgres.new_database(), lambda: NOW_S)
    decide(stores, "d1")
    assert stores.log.last_seq() == 1
    postgres.restart()
    assert stores.log.last_seq() == 1
    decide(stores, "d2")
    assert [line.decision_id for line in stores.log.after(0, 10)] == ["d1", "d2"]
    stores.database.close()
