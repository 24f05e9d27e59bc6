"""Turns the values that many rows share into columns, bit for bit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any

import numpy as np
from sqlalchemy import Row

from sls_plugins.types import Query, Session, Usage, Vector

__all__ = [
    "USAGE",
    "dumped",
    "plain",
    "query_of",
    "query_values",
    "real",
    "taken",
    "usage_of",
    "vector_of",
    "vector_values",
]

USAGE = tuple(field.name for field in fields(Usage))


def plain(text: str) -> str:
    """A text that every database takes: lone surrogates and NUL become escapes."""
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()
    return text.replace("\0", "\\x00") if "\0" in text else text


def vector_values(vector: Vector | None) -> bytes | None:
    """A vector as little-endian float32."""
    return None if vector is None else np.asarray(vector, dtype="<f4").tobytes()


def vector_of(blob: bytes | None) -> Vector | None:
    """The vector of a blob, shape (d,), read-only."""
    return None if blob is None else np.frombuffer(blob, dtype="<f4")


def query_values(query: Query) -> dict[str, Any]:
    """Columns of a query; `payload` is left out."""
    return {
        "query_id": plain(query.id),
        "text": plain(query.text),
        "task": plain(query.task),
        "tenant": plain(query.tenant),
        "scope": plain(query.scope),
        "limits": _limits(_name(query.session), *(getattr(query, name) for name in _LIMITS)),
    }


def query_of(row: Row[Any]) -> Query:
    """The query of a row with the columns of `query_values`."""
    limits = json.loads(row.limits)
    limits.pop("cached_tokens", None)  # of a version that is no more
    name = limits.pop("session", "")
    return Query(
        session=Session(name) if name else None,
        text=row.text,
        id=row.query_id,
        task=row.task,
        tenant=row.tenant,
        scope=row.scope,
        needs=frozenset(limits.pop("needs")),
        tags=frozenset(limits.pop("tags", ())),
        allow=_set(limits.pop("allow")),
        deny=frozenset(limits.pop("deny")),
        **limits,
    )


def usage_of(values: Mapping[str, Any] | None) -> Usage | None:
    """The usage of its stored fields."""
    return None if values is None else Usage(**values)


def taken(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    """Some fields of a value by name."""
    return {name: getattr(value, name) for name in names}


def real(value: float | None) -> float | None:
    """A number of Python's own, also from numpy's."""
    return None if value is None else float(value)


def dumped(value: object) -> str:
    """JSON that gives back every float bit for bit."""
    return _ENCODER.encode(value)


_LIMITS = (
    "needs",
    "tags",
    "input_tokens",
    "max_output_tokens",
    "max_usd",
    "deadline_s",
    "allow",
    "deny",
    "cacheable",
)


def _name(session: Session | None) -> str:
    return session.name if session is not None else ""


@lru_cache(maxsize=1024, typed=True)
def _limits(*values: object) -> str:
    """The limits of a query as JSON; most queries of a program have the same ones."""
    limits = dict(zip(("session", *_LIMITS), values, strict=True))
    return dumped(
        {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name, value in limits.items()
        }
    )


def _set(values: list[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(values)


def _item(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be stored")


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=_item)
