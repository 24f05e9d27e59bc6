"""The statements about rows of the cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)

from sls_plugins.storage.codec import plain
from sls_plugins.storage.quick import Quick, QuickChange, QuickInsert
from sls_plugins.storage.tables import cache_entries
from sls_plugins.types import Selection

__all__ = [
    "ADD",
    "ALIASES",
    "COUNT_LIVE",
    "COUNT_REVOKED",
    "ERASE",
    "FIND_ID",
    "FIND_IDS",
    "FRESH_FEW",
    "FRESH_KEY",
    "FRESH_MANY",
    "GRADE",
    "REPLACED",
    "RESIDENTS",
    "REVOKE",
    "SWEEP",
    "USE",
    "VECTORS",
    "selected",
]

PAGE_VECTORS = 1000

_row = cache_entries.c
_root = cache_entries.alias("root")  # the row whose answer an alias shares
_both = cache_entries.outerjoin(_root, _root.c.id == _row.alias_of)

_OWN = ("id", "tenant", "scope", "key", "text", "task", "created_s", "revoked", "good", "bad")
_SHARED = ("query_id", "candidate", "answer_text", "payload", "answer")


def _live_one(table: FromClause) -> ColumnElement[bool]:
    ends = table.c.expires_s
    return and_(~table.c.revoked, or_(ends.is_(None), ends > bindparam("now_s")))


def _live() -> ColumnElement[bool]:
    rooted = and_(_root.c.id.is_not(None), _live_one(_root))
    return and_(_live_one(cache_entries), or_(_row.alias_of.is_(None), rooted))


def _at_key() -> ColumnElement[bool]:
    return and_(
        _row.tenant == bindparam("at_tenant"),
        _row.scope == bindparam("at_scope"),
        _row.key == bindparam("at_key"),
    )


def _fresh(where: ColumnElement[bool]) -> Quick:
    changing = (_row.id, _row.good, _row.bad, _row.expires_s)
    return Quick(select(*changing).select_from(_both).where(where, _live()))


def _among(count: int) -> ColumnElement[bool]:
    return _row.id.in_([bindparam(f"id_{at}") for at in range(count)])


_entry: Select[Any] = select(
    *[_row[name] for name in (*_OWN, "expires_s", "alias_of", "similarity", "uses")],
    *[func.coalesce(_root.c[name], _row[name]).label(name) for name in _SHARED],
).select_from(_both)

FRESH_KEY = _fresh(_at_key())
FRESH_ONE = _fresh(_among(1))
FRESH_FEW = _fresh(_among(10))
FRESH_MANY = _fresh(_among(500))
FIND_IDS = _entry.where(_row.id.in_(bindparam("ids", expanding=True)), _live())
FIND_ID = _entry.where(_row.id == bindparam("entry_id"))
ADD = QuickInsert(cache_entries)
REPLACED = QuickChange(
    delete(cache_entries).where(or_(_at_key(), _row.id == bindparam("entry_id")))
)
GRADE = (
    update(cache_entries)
    .where(_row.id == bindparam("entry_id"))
    .values(good=_row.good + bindparam("more_good"), bad=_row.bad + bindparam("more_bad"))
)
REVOKE = (
    update(cache_entries).where(_row.id.in_(bindparam("ids", expanding=True))).values(revoked=True)
)
ERASE = delete(cache_entries).where(
    or_(
        _row.id.in_(bindparam("ids", expanding=True)),
        _row.alias_of.in_(bindparam("ids", expanding=True)),
    )
)
_others = cache_entries.alias("others")
SWEEP = delete(cache_entries).where(
    or_(
        _row.expires_s <= bindparam("long_ago_s"),
        and_(_row.revoked, _row.created_s <= bindparam("long_ago_s")),
        and_(_row.alias_of.is_not(None), _row.alias_of.not_in(select(_others.c.id))),
    )
)
USE = (
    update(cache_entries)
    .where(_row.id == bindparam("entry_id"))
    .values(uses=_row.uses + bindparam("more"))
)
VECTORS = (
    select(_row.id, _row.tenant, _row.scope, _row.vector)
    .select_from(_both)
    .where(
        _row.id > bindparam("after_id"),
        _row.fingerprint == bindparam("made_by"),
        _row.vector.is_not(None),
        _live(),
    )
    .order_by(_row.id)
    .limit(PAGE_VECTORS)
)
RESIDENTS = (
    select(*[_row[name] for name in ("id", "cost_usd", "bytes", "uses", "good", "bad", "alias_of")])
    .select_from(_both)
    .where(_live())
    .order_by(_row.created_s, _row.id)
)
ALIASES = select(_row.id).where(_row.alias_of.in_(bindparam("ids", expanding=True)))
COUNT_LIVE = select(func.count()).select_from(_both).where(_live())
COUNT_REVOKED = select(func.count()).select_from(cache_entries).where(_row.revoked)


def selected(wanted: Selection) -> tuple[Select[Any], Mapping[str, object]]:
    """The statement for the rows that are meant, with its values."""
    chosen: Select[Any] = select(_row.id).order_by(_row.id)
    values: dict[str, object] = {}
    if wanted.ids is not None:
        chosen = chosen.where(_row.id.in_(bindparam("ids", expanding=True)))
        values["ids"] = list(wanted.ids)
    for name in ("tenant", "key"):
        if (value := getattr(wanted, name)) is not None:
            chosen = chosen.where(_row[name] == bindparam(f"the_{name}"))
            values[f"the_{name}"] = plain(value)
    if wanted.scope is not None:
        begin = plain(wanted.scope)
        chosen = chosen.where(func.substr(_row.scope, 1, bindparam("length")) == bindparam("begin"))
        values |= {"length": len(begin), "begin": begin}
    if wanted.before_s is not None:
        chosen = chosen.where(_row.created_s <= bindparam("before_s"))
        values["before_s"] = wanted.before_s
    return chosen, values
