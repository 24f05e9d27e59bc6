"""Stores are made from options, for every database that is supported."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Executable
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from sls_plugins.errors import SettingsError
from sls_plugins.protocols import Context
from sls_plugins.storage import accounts, entry_statements, erasure, log, make, snapshots
from sls_plugins.storage.tables import METADATA
from sls_plugins.testing.contracts.storage_values import make_entry
from sls_plugins.types import Space

CONTEXT = Context(clock=lambda: 1000.0)
DIALECTS = [sqlite.dialect(), postgresql.dialect()]


def test_stores_of_a_url(tmp_path: Path) -> None:
    """What is written at a URL is there when it is opened again."""
    url = f"sqlite:///{tmp_path}/sls.db"
    stores = make(CONTEXT, {"url": url})
    assert (stores.database.url, stores.database.clock()) == (url, 1000.0)
    stores.entries.add(make_entry(), None, "f")
    stores.database.close()
    again = make(CONTEXT, {"url": url})
    assert list(again.entries.find_ids(["e1"], 0.0)) == ["e1"]
    again.database.close()


@pytest.mark.parametrize("options", [{}, {"url": None}, {"url": "sqlite:///:memory:"}])
def test_stores_in_memory(options: dict[str, object]) -> None:
    """Without a file nothing is shared and nothing is kept."""
    one, other = make(CONTEXT, options), make(CONTEXT, options)
    one.entries.add(make_entry(), None, "f")
    assert (one.entries.counts()["live"], other.entries.counts()["live"]) == (1, 0)
    one.database.close()
    other.database.close()


@pytest.mark.parametrize("options", [{"urn": "x"}, {"url": 5}])
def test_wrong_options_are_named(options: dict[str, object]) -> None:
    """The error names the key and says what is right."""
    with pytest.raises(SettingsError, match="store options: ur"):
        make(CONTEXT, options)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_statements_are_portable(dialect: sqlite.dialect) -> None:
    """Every table and statement can be said in the words of every supported database."""
    for table in METADATA.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect))
    said = [
        str(statement.compile(dialect=dialect))
        for room in (accounts, entry_statements, erasure, log, snapshots)
        for statement in vars(room).values()
        if isinstance(statement, Executable)
    ]
    assert len(said) > 20


def test_texts_that_no_database_takes() -> None:
    """Lone surrogates and NUL are kept as escapes instead of losing the row."""
    stores = make(CONTEXT, {})
    stores.entries.add(make_entry(space=Space("\ud800", "a\0b")), None, "f")
    assert stores.database.losses.newest == ()
    found = stores.entries.find_key(Space("\ud800", "a\0b"), "key 1", 0.0)
    assert found is not None
    assert found.space == Space("\\ud800", "a\\x00b")
    assert stores.entries.find_key(Space("\ud801", "a\0b"), "key 1", 0.0) is None
    stores.database.close()
