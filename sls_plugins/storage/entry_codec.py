"""Turns a row of the cache into columns, without the host's own objects."""

from __future__ import annotations

import json
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Row

from sls_plugins.storage.codec import USAGE, dumped, plain, real, taken, usage_of
from sls_plugins.types import Answer, CacheEntry, Source, Space

__all__ = ["entry_of", "entry_values"]

_NOTHING = Answer(text="")
_ANSWER = ("source", "decision_id", "cost_usd", "latency_s", "cacheable", "similarity")


def entry_values(entry: CacheEntry, vector: bytes | None, fingerprint: str) -> dict[str, Any]:
    """Columns of a cache row; the answer's `raw` is left out, and all of a shared answer."""
    answer = entry.answer if entry.alias_of is None else _NOTHING
    rest = taken(answer, _ANSWER)
    rest["from_query_id"] = answer.from_query_id
    rest["failures"] = answer.failures
    rest["usage"] = None if answer.usage is None else taken(answer.usage, USAGE)
    return {
        "id": entry.id,
        "tenant": plain(entry.space.tenant),
        "scope": plain(entry.space.scope),
        "key": plain(entry.key),
        "query_id": plain(entry.query_id),
        "text": plain(entry.text),
        "task": plain(entry.task),
        "candidate": answer.candidate,
        "answer_text": plain(answer.text),
        "payload": None if answer.payload is None else plain(answer.payload),
        "answer": dumped(rest),
        "fingerprint": fingerprint,
        "vector": vector,
        "created_s": real(entry.created_s),
        "expires_s": real(entry.expires_s),
        "revoked": bool(entry.revoked),
        "good": real(entry.good),
        "bad": real(entry.bad),
        "alias_of": entry.alias_of,
        "similarity": real(entry.similarity),
        "uses": entry.uses,
        "bytes": entry.bytes + len(vector or b""),
        "cost_usd": real(answer.cost_usd),
    }


def entry_of(row: Row[Any] | SimpleNamespace) -> CacheEntry:
    """The cache entry of a row (its vector and fingerprint are not part of it)."""
    answer = _answer_of(row.answer, row.answer_text, row.candidate, row.payload)
    return CacheEntry(
        id=row.id,
        space=Space(row.tenant, row.scope),
        key=row.key,
        query_id=row.query_id,
        text=row.text,
        answer=answer,
        task=row.task,
        created_s=row.created_s,
        expires_s=row.expires_s,
        revoked=row.revoked,
        good=row.good,
        bad=row.bad,
        alias_of=row.alias_of,
        similarity=row.similarity,
        uses=row.uses,
    )


@lru_cache(maxsize=1024)
def _answer_of(rest: str, text: str, candidate: str, payload: str | None) -> Answer:
    """The answer of its columns; those that are looked at again and again are read once."""
    values = json.loads(rest)
    return Answer(
        text=text,
        candidate=candidate,
        source=Source(values.pop("source")),
        payload=payload,
        usage=usage_of(values.pop("usage")),
        failures=tuple((name, why) for name, why in values.pop("failures")),
        **values,
    )
