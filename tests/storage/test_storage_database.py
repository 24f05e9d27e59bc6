"""A database writes in order, tells what it lost, says what is wrong with it."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from sls_plugins.errors import MissingExtraError, StorageError
from sls_plugins.storage import Database
from sls_plugins.storage.dialect import locate
from sls_plugins.storage.tables import meta


def clock() -> float:
    return 1000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sls.db"


@pytest.fixture(params=["memory", "file"])
def database(request: pytest.FixtureRequest, path: Path) -> Iterator[Database]:
    with Database(f"sqlite:///{path}" if request.param == "file" else None, clock) as opened:
        yield opened


def put(key: str):
    def operation(sql: Connection) -> str:
        sql.execute(meta.insert(), {"key": key, "value": "x"})
        return key

    return operation


def keys(sql: Connection) -> list[str]:
    rows = sql.execute(meta.select().order_by(meta.c.key)).all()
    return [row.key for row in rows if row.key != "schema_version"]


def broken(sql: Connection) -> None:
    sql.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('half', 'x')")
    sql.exec_driver_sql("INSERT INTO nowhere VALUES (1)")


def test_a_write_is_read_by_every_thread(database: Database) -> None:
    """What `write` returned is what all others see."""
    assert database.write(put("a")) == "a"
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: database.read(keys), range(8))) == [["a"]] * 8


def test_writes_behind_come_before_later_writes(database: Database) -> None:
    """A write sees, and makes durable, all that was queued before it."""
    for number in range(1000):
        database.write_later(put(f"{number:04}"))
    assert len(database.write(keys)) == 1000


def test_who_reads_what_was_written_behind_catches_up_first(database: Database) -> None:
    """Writes of a topic are seen after `catch_up`, all of them after `flush`, in order."""
    database.write_later(put("a"), "t")
    database.write_later(put("b"))
    database.catch_up("t")
    assert "a" in database.read(keys)
    database.write_later(put("c"))
    database.flush()
    assert database.read(keys) == ["a", "b", "c"]


def test_a_failing_operation_fails_alone(database: Database) -> None:
    """Of a failing operation nothing is kept, of those beside it everything."""
    start = threading.Barrier(9)

    def write(number: int) -> str:
        start.wait()
        if number == 4:
            with pytest.raises(StorageError, match="nowhere"):
                database.write(broken)
            return "half"
        return database.write(put(str(number)))

    for _ in range(20):
        with ThreadPoolExecutor(9) as pool:
            written = set(pool.map(write, range(9))) - {"half"}
        assert set(database.read(keys)) == written
        database.write(lambda sql: sql.execute(meta.delete().where(meta.c.key != "schema_version")))


def test_a_lost_write_behind_is_told(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """A write behind that failed is logged, kept, and reported once by the next write."""
    with caplog.at_level(logging.ERROR):
        database.write_later(put("a"))
        database.write_later(broken)
        database.write_later(put("b"))
        with pytest.raises(StorageError, match="1 earlier write"):
            database.flush()
    assert (database.losses.count, len(database.losses.newest)) == (1, 1)
    assert "was lost" in caplog.text
    assert database.write(put("c")) == "c"
    assert database.read(keys) == ["a", "b", "c"]


def test_a_value_that_cannot_be_stored_hurts_nobody_else(database: Database) -> None:
    """A mistake in one caller's values is that caller's, and the writer lives on."""

    def mistaken(sql: Connection) -> None:
        raise TypeError("not a number")

    with pytest.raises(TypeError, match="not a number"):
        database.write(mistaken)
    assert database.write(put("a")) == "a"


def test_threads_read_and_write_at_once(database: Database) -> None:
    """Thirty-two threads write and read what they wrote."""

    def work(thread: int) -> None:
        for number in range(10):
            key = f"{thread}/{number}"
            database.write_later(put(f"{key}/later"), "t")
            database.write(put(key))
            assert {key, f"{key}/later"} <= set(database.read(keys))

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(work, range(32)))
    assert len(database.read(keys)) == 32 * 10 * 2


def test_a_full_queue_makes_its_writers_wait(path: Path) -> None:
    """Writing behind faster than the disk keeps the queue bounded and loses nothing."""
    with Database(f"sqlite:///{path}", clock) as database:
        held = threading.Event()
        database.write_later(lambda sql: held.wait(10))
        waiting = threading.Thread(
            target=lambda: [database.write_later(put(f"{number:05}")) for number in range(6000)]
        )
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
        held.set()
        waiting.join()
        assert len(database.write(keys)) == 6000


def test_a_closed_database_says_so(database: Database) -> None:
    """After `close` nothing is written or read, and closing again is harmless."""
    database.write_later(put("a"))
    database.close()
    database.close()
    for use in (database.write, database.read, database.write_later):
        with pytest.raises(StorageError, match="closed"):
            use(keys)


def test_an_abandoned_database_is_closed(path: Path) -> None:
    """Who forgets a database leaves no thread behind, and loses nothing."""
    database = Database(f"sqlite:///{path}", clock)
    thread = database._access._thread
    database.write_later(put("a"))
    del database
    thread.join(10)
    assert not thread.is_alive()
    with Database(f"sqlite:///{path}", clock) as again:
        assert again.read(keys) == ["a"]


def test_a_program_that_forgets_to_close_loses_nothing(path: Path) -> None:
    """Writes behind are committed at the interpreter's exit."""
    program = (
        "import sys, time\n"
        "from sls_plugins.storage import Database\n"
        "from sls_plugins.storage.tables import meta\n"
        "database = Database(sys.argv[1], time.time)\n"
        "for number in range(3000):\n"
        "    row = {'key': str(number), 'value': 'x'}\n"
        "    database.write_later(lambda sql, row=row: sql.execute(meta.insert(), row))\n"
    )
    url = f"sqlite:///{path}"
    subprocess.run([sys.executable, "-c", program, url], check=True, timeout=60)
    with Database(url, clock) as database:
        assert len(database.read(keys)) == 3000


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_use_after_a_fork_is_refused(path: Path) -> None:
    """A forked child is told to open its own, instead of waiting for a thread it has not."""
    with Database(f"sqlite:///{path}", clock) as database:
        child = os.fork()
        if child == 0:
            told = 1
            try:
                database.write(put("a"))
            except StorageError as error:
                told = 0 if "fork" in str(error) else 2
            database.close()
            os._exit(told)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert database.write(put("b")) == "b"


def test_a_newer_schema_is_refused(path: Path) -> None:
    """Tables of a later version are left alone."""
    url = f"sqlite:///{path}"
    Database(url, clock).close()
    with sqlite3.connect(path) as sql:
        sql.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    sql.close()
    with pytest.raises(StorageError, match=r"version 99.*upgrade"):
        Database(url, clock)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    """A file of another kind is named and not touched."""
    path.write_bytes(b"These are my notes. " * 100)
    with pytest.raises(StorageError, match=r"sls\.db.*another kind of file") as told:
        Database(f"sqlite:///{path}", clock)
    assert not told.value.retryable
    assert path.read_bytes() == b"These are my notes. " * 100


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The error says which folder is missing."""
    with pytest.raises(StorageError, match=r"no folder .*nowhere"):
        Database(f"sqlite:///{tmp_path}/nowhere/sls.db", clock)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """The error says what to look at."""
    folder = tmp_path / "locked"
    folder.mkdir(0o500)
    if os.access(folder, os.W_OK):  # as root; but nobody can make a file in /proc
        folder = Path("/proc")
    with pytest.raises(StorageError, match=r"sls\.db.*may be read and written"):
        Database(f"sqlite:///{folder}/sls.db", clock)


def test_a_full_disk_is_told(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Writes behind wait in memory, in order, while there is no room; then all are written."""
    pages = [60]
    with Database(f"sqlite:///{path}", clock) as database:

        def limit(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute(f"PRAGMA max_page_count={pages[0]}")

        event.listen(database._access._transactor.engine, "connect", limit)
        database._access._transactor.close()
        for number in range(100):
            database.write_later(put(f"{number}" + "." * 10_000))
        with pytest.raises(StorageError, match=r"writes wait in memory.*disk is full"):
            database.flush()
        with pytest.raises(StorageError, match="disk is full: make room"):
            database.write(put("a" * 100_000))
        assert 0 < database.held < 100
        pages[0] = 6000
        database._access._transactor.close()
        assert database.write(put("a" * 100_000))
        assert database.held == database.losses.count == 0
        assert len(database.read(keys)) == 101
    assert "kept in memory" in caplog.text


def test_what_the_database_never_took_is_told_at_the_end(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Closing tries once more; what still cannot be written is logged as lost."""
    Database(f"sqlite:///{path}", clock).close()
    database = Database(f"sqlite:///file:{path}?mode=ro&uri=true", clock)
    for name in "abc":
        database.write_later(put(name))
    database.close()
    assert database.losses.count == 3
    assert caplog.text.count("was lost") == 3


def test_only_so_much_is_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What exceeds the room for writes that wait is lost, and the next write says so."""
    monkeypatch.setattr("sls_plugins.storage.held.MOST_OPERATIONS", 2)
    Database(f"sqlite:///{path}", clock).close()
    with Database(f"sqlite:///file:{path}?mode=ro&uri=true", clock) as database:
        for name in "abc":
            database.write_later(put(name))
        with pytest.raises(StorageError, match="1 earlier writes were lost"):
            database.flush()
        assert (database.held, database.losses.count) == (2, 1)


def test_a_file_that_may_not_be_written_is_told_by_the_write(path: Path) -> None:
    """Reading goes on; a write says that there is no right to write."""
    Database(f"sqlite:///{path}", clock).close()
    with Database(f"sqlite:///file:{path}?mode=ro&uri=true", clock) as database:
        assert database.read(keys) == []
        with pytest.raises(StorageError, match="right to write"):
            database.write(put("a"))


def test_a_long_lock_of_another_process_can_be_retried(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who cannot write because another writes is told that a retry may help."""
    monkeypatch.setattr("sls_plugins.storage.dialect.BUSY_TIMEOUT_MS", 50)
    other = sqlite3.connect(path, isolation_level=None)
    with Database(f"sqlite:///{path}", clock) as database:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="locked") as told:
            database.write(put("a"))
        assert told.value.retryable
        other.execute("ROLLBACK")
        assert database.write(put("a")) == "a"
    other.close()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("notes.db", "no database URL"),
        ("mysql://me:secret@host/db", "not supported"),
        ("mysql://host/db?password=secret", "not supported"),
    ],
)
def test_a_wrong_url_is_told_without_its_password(url: str, problem: str) -> None:
    """The error says how a URL is written and shows no secret."""
    with pytest.raises(StorageError, match=problem) as told:
        Database(url, clock)
    assert "secret" not in str(told.value)


def test_postgresql_needs_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the driver the error names the extra."""
    monkeypatch.setattr("sls_plugins.storage.dialect.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="postgres"):
        locate("postgresql://host/db")


def test_two_processes_may_open_at_once(path: Path) -> None:
    """The tables are made once, whoever comes first."""
    program = (
        "import sys, time; from sls_plugins.storage import Database; "
        "Database(sys.argv[1], time.time).close()"
    )
    command = [sys.executable, "-c", program, f"sqlite:///{path}"]
    children = [subprocess.Popen(command) for _ in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
