"""What the cache holds, in rows and in the index: what comes in, what goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sls_plugins.cache.admission import Residents, Room, is_storable, is_volatile
from sls_plugins.cache.keys import key_of, space_of
from sls_plugins.cache.labels import GOOD, is_same_answer
from sls_plugins.cache.policy import CachePolicy
from sls_plugins.protocols import Clock, EntryStore, Index, Stock
from sls_plugins.types import (
    Answer,
    CacheEntry,
    IndexEntry,
    Outcome,
    OutcomeKind,
    Query,
    Resident,
    Selection,
    Source,
    Vector,
)

__all__ = ["Holdings"]

_ALIKE = 0.8
"""From this similarity on, a query with the same answer counts as a paraphrase."""

_USES_AT_ONCE = 64
_SWEPT_AFTER_S = 7 * 86400.0
"""Dead rows are kept so long: the log may still ask whether they were right."""


class Holdings:
    """Rows and their index, kept in line and within their room. Threads may share it."""

    def __init__(
        self,
        entries: EntryStore,
        index: Index,
        policy: CachePolicy,
        fingerprint: str,
        clock: Clock,
    ) -> None:
        """Bring the index in line with the rows of the encoder with this `fingerprint`."""
        self._entries = entries
        self._index = index
        self._policy = policy
        self._fingerprint = fingerprint
        self._clock = clock
        entries.sweep(clock() - _SWEPT_AFTER_S)
        _reconcile(index, entries.vectors(fingerprint, clock()))
        room = Room(rows=policy.capacity, bytes=policy.capacity_bytes)
        self._residents = Residents(entries.residents(clock()), room)

    def admit(
        self, query: Query, vector: Vector | None, answer: Answer, told: Outcome | None
    ) -> None:
        """Keep a fresh answer; as an alias, if a near query has the same answer.

        `told` is what is known of the answer: a bad one is not kept.
        """
        if not is_storable(query, answer):
            return
        if told is not None and told.quality is not None and told.quality < GOOD:
            return
        root = self._paraphrased(answer, told)
        self._take_in(self._entry(query, answer, root, told), vector)

    def observe(self, outcome: Outcome) -> None:
        """Add a grade to a row's record: blame revokes it, praise makes a new key of a near hit."""
        if outcome.quality is None or outcome.kind is OutcomeKind.FAILED:
            return
        from_cache = outcome.source is Source.CACHE
        entry_id = outcome.entry_id if from_cache else outcome.decision_id
        if not entry_id:
            return
        good = outcome.weight * outcome.quality
        row = self._entries.grade(entry_id, good, outcome.weight - good)
        if row is None:
            return
        if outcome.quality < GOOD or row.bad > row.good:
            shared = [row.alias_of] if from_cache and row.alias_of else []
            self.revoke([entry_id, *shared])
        elif from_cache and not row.revoked and row.key != key_of(outcome.query):
            self._take_in(self._entry(outcome.query, row.answer, row, outcome), outcome.vector)

    def revoke(self, ids: Sequence[str]) -> None:
        """Never serve these rows again, nor their aliases."""
        self._entries.revoke(ids)
        self.drop(ids)

    def forget(self, ids: Sequence[str]) -> None:
        """Make the index anew without these rows, which are deleted already."""
        self.drop(ids)
        self._index.rebuild(self._entries.vectors(self._fingerprint, self._clock()))

    def clear(self, wanted: Selection) -> int:
        """Revoke the live rows that are meant; returns how many."""
        ids = self._entries.find_ids(self._entries.select(wanted), self._clock())
        self.revoke([*ids])
        return len(ids)

    def touch(self, entry_id: str) -> None:
        """This row was served."""
        self._residents.touch(entry_id)
        self._entries.use(self._residents.unsaved_uses(_USES_AT_ONCE))

    def drop(self, ids: Sequence[str]) -> None:
        """Take vectors out whose rows are gone."""
        self._index.remove(ids)
        self._residents.drop(ids)

    def save(self) -> None:
        """Write down how often rows were served."""
        self._entries.use(self._residents.unsaved_uses())

    def stock(self) -> Stock:
        """What is held now. Reads all rows."""
        now_s = self._clock()
        found = self._entries.vectors(self._fingerprint, now_s)
        return Stock(
            rows=frozenset(row.id for row in self._entries.residents(now_s)),
            vectors=frozenset(entry.id for entry in found),
            bytes=self._residents.bytes,
            index=self._index,
        )

    def _paraphrased(self, answer: Answer, told: Outcome | None) -> CacheEntry | None:
        """The stored near neighbour that has the same answer, if any."""
        if told is None or not told.nearest_id or (told.nearest_similarity or 0.0) < _ALIKE:
            return None
        row = self._entries.find_ids([told.nearest_id], self._clock()).get(told.nearest_id)
        if row is None or row.bad > row.good or row.space != space_of(told.query):
            return None
        return row if is_same_answer(row.answer.text, answer.text) else None

    def _entry(
        self, query: Query, answer: Answer, root: CacheEntry | None, told: Outcome | None
    ) -> CacheEntry:
        """A new row for a query; with a `root`, an alias of it."""
        now_s = self._clock()
        life_s = self._policy.ttl_of(query.task, volatile=is_volatile(query.text))
        return CacheEntry(
            id=told.decision_id if told is not None else answer.decision_id,
            space=space_of(query),
            key=key_of(query),
            query_id=query.id,
            text=query.text,
            answer=answer if root is None else root.answer,
            task=query.task,
            created_s=now_s,
            expires_s=None if life_s is None else now_s + life_s,
            alias_of=None if root is None else root.alias_of or root.id,
            similarity=told.nearest_similarity if root is not None and told is not None else None,
        )

    def _take_in(self, entry: CacheEntry, vector: Vector | None) -> None:
        old = self._entries.find_key(entry.space, entry.key, entry.created_s)
        if old is not None and old.id == entry.alias_of:
            return
        self._entries.add(entry, vector, self._fingerprint)
        if old is not None and old.id != entry.id:
            self.drop([old.id])
        if vector is not None:
            self._index.add([IndexEntry(id=entry.id, space=entry.space, vector=vector)])
        room = entry.bytes + (0 if vector is None else vector.nbytes)
        cost_usd = entry.answer.cost_usd or 0.0
        row = Resident(id=entry.id, cost_usd=cost_usd, bytes=room, alias_of=entry.alias_of)
        surplus = self._residents.take_in(row)
        if surplus:
            self._entries.erase(surplus)
            self.drop(surplus)


def _reconcile(index: Index, live: Iterable[IndexEntry]) -> None:
    """Make the index hold the live rows, all of them and no others."""
    known, seen, missing = index.ids(), set[str](), []
    for entry in live:
        seen.add(entry.id)
        if entry.id not in known:
            missing.append(entry)
    dead = known.difference(seen)
    if dead:
        index.remove(sorted(dead))
    if missing:
        index.add(missing)
