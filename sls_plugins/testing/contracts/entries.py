"""What every store of cache rows must do: inherit and say in a fixture how your store is made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sls_plugins.protocols import EntryStore
from sls_plugins.testing.contracts.storage_values import SPACE, make_entry, make_vector
from sls_plugins.types import Selection, Space

__all__ = ["EntryStoreContract"]

NOW_S = 1000.0


class EntryStoreContract:
    """For an `EntryStore`: override the fixture `entries` with an empty one."""

    @pytest.fixture
    def entries(self) -> EntryStore:
        """The store under test, empty; its own clock must stand near `NOW_S`."""
        raise NotImplementedError

    def test_a_row_comes_back_as_it_was(self, entries: EntryStore) -> None:
        """Every field of a row is read as it was written, at once."""
        entries.add(make_entry(), make_vector(), "f")
        assert entries.find_key(SPACE, "key 1", NOW_S) == make_entry()
        assert entries.find_ids(["e1", "unknown"], NOW_S) == {"e1": make_entry()}

    def test_walls_stand(self, entries: EntryStore) -> None:
        """A key is found in its own tenant and scope only."""
        entries.add(make_entry(), None, "f")
        assert entries.find_key(Space(SPACE.tenant, "other"), "key 1", NOW_S) is None
        assert entries.find_key(Space("other", SPACE.scope), "key 1", NOW_S) is None
        assert entries.find_key(SPACE, "KEY 1", NOW_S) is None

    def test_the_same_key_replaces(self, entries: EntryStore) -> None:
        """The newer answer to the same key in the same space is the only one."""
        entries.add(make_entry("e1"), make_vector(), "f")
        entries.add(make_entry("e2"), make_vector(), "f")
        found = entries.find_key(SPACE, "key 1", NOW_S)
        assert found is not None
        assert found.id == "e2"
        assert list(entries.find_ids(["e1", "e2"], NOW_S)) == ["e2"]

    def test_an_expired_row_is_not_served(self, entries: EntryStore) -> None:
        """A row ends at its time, not a moment later."""
        entries.add(replace(make_entry(), expires_s=NOW_S), make_vector(), "f")
        assert entries.find_key(SPACE, "key 1", NOW_S - 0.001) is not None
        assert entries.find_key(SPACE, "key 1", NOW_S) is None
        assert entries.find_ids(["e1"], NOW_S) == {}
        assert list(entries.vectors("f", NOW_S)) == []

    def test_a_revoked_row_is_not_served(self, entries: EntryStore) -> None:
        """A revoked row is served to nobody, counted apart, and deleted when that is long ago."""
        entries.add(make_entry("e1"), make_vector(), "f")
        entries.add(make_entry("e2", key="key 2"), make_vector(), "f")
        entries.revoke(["e1", "unknown"])
        assert entries.find_key(SPACE, "key 1", NOW_S) is None
        assert list(entries.find_ids(["e1", "e2"], NOW_S)) == ["e2"]
        assert [entry.id for entry in entries.vectors("f", NOW_S)] == ["e2"]
        assert entries.counts() == {"live": 1, "revoked": 1}
        made_s = make_entry().created_s
        for long_ago_s, left in ((made_s - 1, {"e1", "e2"}), (made_s + 1, {"e2"})):
            entries.sweep(long_ago_s)
            assert set(entries.select(Selection())) == left

    def test_grades_add_up(self, entries: EntryStore) -> None:
        """A grade is added to the record, also of a revoked row."""
        entries.add(replace(make_entry(), good=0.0, bad=0.0), None, "f")
        entries.grade("e1", 0.75, 0.25)
        entries.revoke(["e1"])
        graded = entries.grade("e1", 0.5, 0.0)
        assert graded is not None
        assert (graded.good, graded.bad, graded.revoked) == (1.25, 0.25, True)
        assert entries.grade("unknown", 1.0, 0.0) is None

    def test_vectors_of_one_encoder(self, entries: EntryStore) -> None:
        """An index is rebuilt from the vectors of its own encoder, bit for bit."""
        entries.add(make_entry("e1"), make_vector(1), "f")
        entries.add(make_entry("e2", key="key 2"), make_vector(2), "another")
        entries.add(make_entry("e3", key="key 3"), None, "f")
        [found] = entries.vectors("f", NOW_S)
        assert (found.id, found.space) == ("e1", SPACE)
        assert found.vector.dtype == np.float32
        assert found.vector.tobytes() == make_vector(1).tobytes()

    def test_many_rows_are_found_at_once(self, entries: EntryStore) -> None:
        """Neither the list of ids nor the number of vectors has a limit."""
        ids = [f"e{number}" for number in range(1100)]
        for entry_id in ids:
            entries.add(make_entry(entry_id, key=entry_id), make_vector(), "f")
        assert entries.find_ids(ids, NOW_S).keys() == set(ids)
        assert {entry.id for entry in entries.vectors("f", NOW_S)} == set(ids)
        assert entries.find_ids([], NOW_S) == {}

    def test_an_alias_shares_an_answer(self, entries: EntryStore) -> None:
        """An alias is served with the answer of its row, and lives as long as that."""
        root = make_entry("e1")
        alias = replace(make_entry("e2", key="key 2"), alias_of="e1", similarity=0.9, text="also")
        for entry in (root, alias):
            entries.add(entry, make_vector(), "f")
        found = entries.find_key(SPACE, "key 2", NOW_S)
        assert found is not None
        assert (found.id, found.text, found.similarity) == ("e2", "also", 0.9)
        assert (found.answer, found.query_id) == (root.answer, root.query_id)
        assert entries.find_ids(["e2"], NOW_S) == {"e2": found}
        entries.revoke(["e1"])
        assert entries.find_key(SPACE, "key 2", NOW_S) is None
        assert list(entries.vectors("f", NOW_S)) == []
        assert list(entries.residents(NOW_S)) == []

    def test_rows_are_selected_and_erased(self, entries: EntryStore) -> None:
        """Rows are found by id, walls, key or age, with their aliases, and leave no trace."""
        entries.add(replace(make_entry("e1"), created_s=5.0), None, "f")
        entries.add(replace(make_entry("e2", key="key 2"), alias_of="e1", created_s=9.0), None, "f")
        other = Space("other", "x%y")
        entries.add(replace(make_entry("e3"), space=other, created_s=9.0), None, "f")
        for wanted, ids in (
            (Selection(ids=("e3", "unknown")), {"e3"}),
            (Selection(tenant=SPACE.tenant), {"e1", "e2"}),
            (Selection(tenant="other", scope="x%"), {"e3"}),
            (Selection(scope="x_"), set()),
            (Selection(key="key 2"), {"e2"}),
            (Selection(before_s=5.0), {"e1", "e2"}),
            (Selection(), {"e1", "e2", "e3"}),
        ):
            assert set(entries.select(wanted)) == ids, wanted
        entries.erase(["e1"])
        assert set(entries.select(Selection())) == {"e3"}
        assert entries.find_ids(["e1", "e2", "e3"], NOW_S).keys() == {"e3"}

    def test_uses_add_up(self, entries: EntryStore) -> None:
        """How often a row was served is counted, and known to who makes room."""
        entries.add(replace(make_entry(), good=1.0, bad=0.0), make_vector(), "f")
        entries.use({"e1": 2, "unknown": 1})
        entries.use({"e1": 3})
        [found] = entries.residents(NOW_S)
        assert (found.id, found.uses, found.good, found.bad) == ("e1", 5, 1.0, 0.0)
        assert found.bytes > 0
        row = entries.find_key(SPACE, "key 1", NOW_S)
        assert row is not None
        assert row.uses == 5
