"""A tenant can be forgotten without trace in the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sls_plugins.storage import Erased, forget_tenant, open_stores
from sls_plugins.testing.contracts.storage_values import (
    make_decision,
    make_entry,
    make_outcome,
    make_query,
    make_vector,
)
from sls_plugins.types import Space


def test_one_tenant_is_forgotten(tmp_path: Path) -> None:
    """Rows and words of this tenant are gone from the file, those of others stay."""
    path = tmp_path / "sls.db"
    stores = open_stores(f"sqlite:///{path}", lambda: 1000.0)
    for tenant in ("acme", "other"):
        query = replace(make_query(), tenant=tenant, text=f"words of {tenant}")
        entry = make_entry(f"e-{tenant}", space=Space(tenant, "s"))
        stores.entries.add(replace(entry, text=f"words of {tenant}"), make_vector(), "f")
        stores.log.add_decision(make_decision(tenant), query, make_vector())
        stores.log.append(replace(make_outcome(tenant), query=query))
    forgotten = forget_tenant(stores.database, "acme")
    assert forgotten == Erased(entries=1, decisions=1, outcomes=1)
    assert forget_tenant(stores.database, "acme") == Erased(entries=0, decisions=0, outcomes=0)
    assert [line.decision_id for line in stores.log.after(0, 10)] == ["other"]
    assert list(stores.entries.find_ids(["e-acme", "e-other"], 0.0)) == ["e-other"]
    stores.database.close()
    left = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"words of acme" not in left
    assert b"words of other" in left
