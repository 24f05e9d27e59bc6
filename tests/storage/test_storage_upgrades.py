"""A database of an older release goes on working, and ends up like a new one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect, text

from sls_plugins.storage import Database, open_stores
from sls_plugins.storage.tables import SCHEMA_VERSION
from sls_plugins.storage.upgrades import upgrade

RELEASED = range(1, SCHEMA_VERSION)


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """Two empty databases of one kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/old.db", f"sqlite:///{tmp_path}/new.db"
    server = request.getfixturevalue("postgres")
    return server.new_database(), server.new_database()


def driven(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


def make(url: str, version: int) -> None:
    """A database as a release with this schema version made it, with a decision in it."""
    engine = create_engine(driven(url))
    with engine.begin() as sql:
        upgrade(sql, 0, version)
        stamp = text("INSERT INTO meta VALUES ('schema_version', :version)")
        sql.execute(stamp, {"version": str(version)})
        limits = (
            '{"needs":[],"input_tokens":3,"max_output_tokens":null,"max_usd":null,'
            '"allow":null,"deny":[],"cacheable":true}'
        )
        receipt = '{"estimates":[],"ranking":["a"],"ineligible":[],"propensity":1.0}'
        sql.execute(
            text(
                "INSERT INTO decisions (id, source, query_id, text, task, tenant, scope, limits, "
                "candidate, receipt, created_s) VALUES ('d1', 'model', 'q1', 'why?', '', '', '', "
                ":limits, 'a', :receipt, 1.0)"
            ),
            {"limits": limits, "receipt": receipt},
        )
        sql.execute(
            text(
                "INSERT INTO outcomes (decision_id, kind, source, candidate, quality, "
                "quality_source, weight, error, propensity, answer_text, created_s) VALUES "
                "('d1', 'answered', 'model', 'a', 0.5, 'user', 1.0, '', 1.0, 'because', 2.0)"
            )
        )
    engine.dispose()


def tables_of(url: str) -> dict[str, object]:
    """Every table's columns, keys and indexes, as the database itself tells them."""
    engine = create_engine(driven(url))
    found: dict[str, object] = {}
    with engine.connect() as sql:
        told = inspect(sql)
        for name in told.get_table_names():
            columns = [
                (one["name"], str(one["type"]), one["nullable"], str(one["default"]))
                for one in told.get_columns(name)
            ]
            found[name] = (
                columns,
                told.get_pk_constraint(name)["constrained_columns"],
                sorted((str(i["name"]), i["column_names"], i["unique"]) for i in _real(told, name)),
                sorted(str(one["column_names"]) for one in told.get_unique_constraints(name)),
                [one["constrained_columns"] for one in told.get_foreign_keys(name)],
            )
    engine.dispose()
    return found


def _real(told, name):
    return [one for one in told.get_indexes(name) if not one.get("duplicates_constraint")]


@pytest.mark.parametrize("version", RELEASED)
def test_an_older_database_is_brought_up(urls: tuple[str, str], version: int) -> None:
    """What a release of any version stored is read after the upgrade, and lines are appended."""
    make(urls[0], version)
    stores = open_stores(urls[0], lambda: 1000.0)
    known = stores.log.find("d1")
    assert (known.query.text, known.quality, known.answer_text) == ("why?", 0.5, "because")
    assert stores.log.append(known).seq == 2
    stores.database.close()


@pytest.mark.parametrize("version", RELEASED)
def test_a_new_database_is_like_a_migrated_one(urls: tuple[str, str], version: int) -> None:
    """Both have the same tables, columns in the same order, keys and indexes."""
    make(urls[0], version)
    for url in urls:
        Database(url, lambda: 1000.0).close()
    old, new = map(tables_of, urls)
    assert old == new
    assert len(new) >= 11


def test_a_failed_upgrade_leaves_the_old_database(urls: tuple[str, str]) -> None:
    """An upgrade that breaks half-way is rolled back whole."""
    make(urls[0], 1)
    engine = create_engine(driven(urls[0]))
    with engine.begin() as sql:
        sql.execute(text("CREATE TABLE events (stray INTEGER)"))
    before = tables_of(urls[0])
    with pytest.raises(Exception, match="events"):
        Database(urls[0], lambda: 1000.0)
    assert tables_of(urls[0]) == before
    with engine.begin() as sql:
        sql.execute(text("DROP TABLE events"))
    engine.dispose()
    Database(urls[0], lambda: 1000.0).close()


OPENING = """
import sys
from sls_plugins.storage import open_stores
input()
stores = open_stores(sys.argv[1], lambda: 1000.0)
print(stores.log.find("d1").answer_text)
stores.database.close()
"""


def test_several_processes_may_upgrade_at_once(urls: tuple[str, str]) -> None:
    """Three programs of the new release start on an old database: one upgrades, all work."""
    make(urls[0], 1)
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", OPENING, urls[0]]
    children = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(3)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    told = [child.communicate(timeout=120) for child in children]
    assert [out for out, _ in told] == ["because\n"] * 3, told


def test_revisions_form_one_line(tmp_path: Path) -> None:
    """There is one revision per version, each after the one before."""
    engine = create_engine(f"sqlite:///{tmp_path}/steps.db")

    def step(sql: Connection, version: int) -> None:
        upgrade(sql, version - 1, version)

    with engine.begin() as sql:
        for version in range(1, SCHEMA_VERSION + 1):
            step(sql, version)
    engine.dispose()
    whole = f"sqlite:///{tmp_path}/whole.db"
    Database(whole, lambda: 1000.0).close()
    assert tables_of(f"sqlite:///{tmp_path}/steps.db") == tables_of(whole)
