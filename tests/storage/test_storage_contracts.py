"""The stores of a database keep the contracts of all stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sls_plugins.protocols import Accounts, EntryStore, OutcomeLog, SnapshotStore
from sls_plugins.storage import Stores, open_stores
from sls_plugins.testing.contracts.storage import (
    NOW_S,
    AccountsContract,
    EntryStoreContract,
    OutcomeLogContract,
    SnapshotStoreContract,
)


def url_of(kind: str, request: pytest.FixtureRequest) -> str | None:
    if kind == "postgresql":
        return request.getfixturevalue("postgres").new_database()
    folder: Path = request.getfixturevalue("tmp_path")
    return f"sqlite:///{folder}/sls.db" if kind == "file" else None


@pytest.fixture(params=["memory", "file", "postgresql"])
def stores(request: pytest.FixtureRequest) -> Iterator[Stores]:
    url = url_of(request.param, request)
    opened = open_stores(url, lambda: NOW_S)
    yield opened
    opened.database.close()
    assert opened.database.losses.newest == ()


class TestSqlEntryStore(EntryStoreContract):
    @pytest.fixture
    def entries(self, stores: Stores) -> EntryStore:
        return stores.entries


class TestSqlOutcomeLog(OutcomeLogContract):
    @pytest.fixture
    def log(self, stores: Stores) -> OutcomeLog:
        return stores.log


class TestSqlAccounts(AccountsContract):
    @pytest.fixture
    def accounts(self, stores: Stores) -> Accounts:
        return stores.accounts


class TestSqlSnapshotStore(SnapshotStoreContract):
    @pytest.fixture
    def snapshots(self, stores: Stores) -> SnapshotStore:
        return stores.snapshots
