"""Queries can be forgotten without trace in the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sls_plugins.storage import Stores, open_stores
from sls_plugins.testing.contracts.storage_values import (
    make_decision,
    make_entry,
    make_outcome,
    make_query,
    make_vector,
)
from sls_plugins.types import OutcomeKind, Selection, Space


def any_text(_text: str) -> bool:
    return True


def filled(path: Path) -> Stores:
    return filled_at(f"sqlite:///{path}")


def filled_at(url: str) -> Stores:
    """Two tenants with an answered and graded query each, and learnt state with both vectors."""
    stores = open_stores(url, lambda: 1000.0)
    for seed, tenant in enumerate(("acme", "other")):
        query = replace(make_query(), tenant=tenant, text=f"words of {tenant}")
        vector = make_vector(seed, 40)
        entry = make_entry(tenant, space=Space(tenant, "s"))
        answer = replace(entry.answer, text=f"answer to {tenant}", payload=f"payload of {tenant}")
        stores.entries.add(replace(entry, text=f"words of {tenant}", answer=answer), vector, "f")
        stores.log.add_decision(make_decision(tenant), query, vector)
        for kind in (OutcomeKind.ANSWERED, OutcomeKind.GRADED):
            told = replace(make_outcome(tenant, kind), query=query)
            stores.log.append(replace(told, answer_text=f"answer to {tenant}"))
    state = {"k/vectors": np.stack([make_vector(seed, 40) for seed in range(3)]), "n": np.ones(2)}
    stores.snapshots.save("learnt", state, seq=2, fingerprint="f", now_s=1.0)
    stores.database.flush()
    return stores


@pytest.mark.parametrize(
    "wanted",
    [
        Selection(tenant="acme"),
        Selection(ids=("acme",)),
        Selection(scope="system", tenant="acme"),
        Selection(tenant="acme", before_s=1e12),
    ],
)
def test_what_is_forgotten_leaves_no_byte(tmp_path: Path, wanted: Selection) -> None:
    """Words and vectors are gone from all files; those of others stay."""
    path = tmp_path / "sls.db"
    stores = filled(path)
    erased = stores.eraser.erase(wanted, any_text)
    assert (erased.decisions, erased.outcomes) == (1, 2)
    assert stores.eraser.erase(wanted, any_text).decisions == 0
    stores.eraser.tidy()
    assert {line.decision_id for line in stores.log.after(0, 10)} == {"other"}
    loaded = stores.snapshots.load("learnt")
    assert loaded is not None
    assert [row.any() for row in loaded[0]["k/vectors"]] == [False, True, True]
    left = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"words of other" in left
    assert make_vector(1, 40).tobytes() in left
    if wanted.scope is None:
        assert make_vector(0, 40).tobytes() not in left
        assert list(stores.entries.find_ids(["acme", "other"], 0.0)) == ["other"]
        for words in (b"words of acme", b"answer to acme", b"payload of acme"):
            assert words not in left
    stores.database.close()


def test_a_text_is_forgotten_wherever_it_was_asked(tmp_path: Path) -> None:
    """Who tells which texts are meant decides about decisions; rows are found by their key."""
    stores = filled(tmp_path / "sls.db")
    erased = stores.eraser.erase(Selection(key="no key"), lambda text: text.endswith("other"))
    assert (erased.entry_ids, erased.decisions, erased.texts) == ((), 1, ("words of other",))
    stores.database.close()


def test_it_is_the_same_on_postgresql(postgres) -> None:
    """Rows are forgotten, and reports are read, in the other database, too."""
    stores = filled_at(postgres.new_database())
    [task] = stores.reports.stats().tasks
    assert (task.task, task.queries, task.hits) == ("translate", 2, 0)
    shown = stores.reports.show("acme")
    assert shown is not None
    assert (shown.entry.id, shown.live) == ("acme", True)
    assert stores.reports.audits() == ((), ())
    erased = stores.eraser.erase(Selection(tenant="acme"), any_text)
    assert (len(erased.entry_ids), erased.decisions, erased.outcomes) == (1, 1, 2)
    stores.eraser.tidy()
    assert stores.reports.stats().live == 1
    stores.database.close()
