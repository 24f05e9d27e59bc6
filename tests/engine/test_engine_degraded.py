"""A database that cannot be written: answers go on, that is told, and nothing is damaged."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import event

from sls_plugins import Answer, Candidate, Engine, Query, Settings, Usage, build
from sls_plugins.errors import StorageError
from sls_plugins.settings import LearningSettings, PartSettings
from sls_plugins.storage.own_postgres import PostgresServer


def opened(url: str) -> Engine:
    settings = Settings(
        candidates=[Candidate(name="one", input_usd_per_mtok=1, output_usd_per_mtok=1)],
        encoder=PartSettings(name="hashing"),
        index=PartSettings(name="memory"),
        database=url,
        learning=LearningSettings(every_s=0),
    )
    return build(settings)


def call(candidate: Candidate, query: Query) -> Answer:
    return Answer(text="yes " + "." * 2000, usage=Usage(input_tokens=10, output_tokens=10))


def ask(engine: Engine, number: int) -> Answer:
    return engine.answer(Query(text=f"question {number}"), call)


def sound(path: Path) -> bool:
    with sqlite3.connect(path) as sql:
        told = sql.execute("PRAGMA integrity_check").fetchone()[0]
    sql.close()
    return told == "ok"


def test_a_read_only_database_answers_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was learnt is used, new outcomes are not kept, and the log says so."""
    path = tmp_path / "sls.db"
    with opened(f"sqlite:///{path}") as engine:
        kept = ask(engine, 1)
    engine = opened(f"sqlite:///file:{path}?mode=ro&uri=true")
    with caplog.at_level(logging.ERROR):
        assert ask(engine, 1).source == "cache"
        fresh = ask(engine, 2)
    assert fresh.text.startswith("yes")
    assert "is not stored" in caplog.text
    with pytest.raises(StorageError, match="readonly"):
        engine.feedback(kept.decision_id, 1.0)
    with pytest.raises(StorageError):
        engine.close()
    assert sound(path)
    with opened(f"sqlite:///{path}") as engine:
        assert engine.parts.log.last_seq() == 1
        engine.feedback(kept.decision_id, 1.0)


def test_a_full_disk_answers_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Answers go on while the disk is full; with room again, outcomes are kept again."""
    path = tmp_path / "sls.db"
    with opened(f"sqlite:///{path}") as engine:
        pages = [120]

        def limit(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute(f"PRAGMA max_page_count={pages[0]}")

        transactor = engine.parts.log._database._access._transactor
        event.listen(transactor.engine, "connect", limit)
        transactor.close()
        with caplog.at_level(logging.ERROR):
            answers = [ask(engine, number) for number in range(120)]
        assert "disk is full" in caplog.text
        assert "is not stored" in caplog.text
        with suppress(StorageError):  # what was written behind is done, or lost and told
            engine.parts.log._database.flush()
        stored = engine.parts.log.last_seq()
        assert 0 < stored < 120
        assert engine.parts.log._database.held
        pages[0] = 100_000
        transactor.close()
        answers += [ask(engine, number) for number in range(120, 140)]
        assert all(answer.text.startswith("yes") for answer in answers)
        engine.updates.round()
        called = [answer.decision_id for answer in answers if answer.source == "model"]
        assert {line.decision_id for line in engine.parts.log.after(0, 200)} == set(called)
        assert engine.parts.learner.seq == engine.parts.log.last_seq()
    assert sound(path)


def test_a_server_that_is_away_answers_on(
    postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Models are called without the cache; what came of it is stored when the server is back."""
    with opened(postgres.new_database()) as engine:
        ask(engine, 1)
        assert ask(engine, 1).source == "cache"
        postgres.stop("immediate")
        try:
            away = [ask(engine, number) for number in (1, 2, 3)]
            assert {answer.source for answer in away} == {"model"}
            with pytest.raises(StorageError, match="a retry may help"):
                engine.feedback(away[0].decision_id, 1.0)
        finally:
            postgres.start()
        ask(engine, 4)
        engine.feedback(away[2].decision_id, 0.5)
        engine.updates.round()
        assert engine.parts.learner.seq == engine.parts.log.last_seq()
        assert {line.decision_id for line in engine.parts.log.after(0, 100)} >= {
            answer.decision_id for answer in away
        }
    assert "the cache was not asked" in caplog.text
    assert "the database writes again" in caplog.text
