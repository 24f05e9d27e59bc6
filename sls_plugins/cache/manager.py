"""Answers from earlier answers, where rows, guards and labels say that it is safe."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sls_plugins.cache.acceptance import Acceptance, AcceptanceRule, Verdict
from sls_plugins.cache.admission import Residents, is_storable, is_volatile
from sls_plugins.cache.features import Pair, pair_of
from sls_plugins.cache.keys import key_of, space_of
from sls_plugins.cache.labels import GOOD, is_same_answer, label_of
from sls_plugins.cache.policy import CachePolicy
from sls_plugins.protocols import Clock, EntryStore, Index
from sls_plugins.types import (
    Answer,
    CacheEntry,
    CacheHit,
    CacheMiss,
    IndexEntry,
    Outcome,
    OutcomeKind,
    Query,
    Source,
    State,
    Vector,
)

__all__ = ["SemanticCache"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """A live neighbour and what acceptance says of it."""

    entry: CacheEntry
    similarity: float
    verdict: Verdict


class SemanticCache:
    """A `Cache` of two tiers: exact repeats, then neighbours that acceptance lets through.

    Truth is in the rows: what the index finds is served only if its row is live, in the same space
    and not known to be bad. Threads may share it.
    """

    def __init__(
        self,
        *,
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
        self._acceptance = Acceptance(AcceptanceRule(max_error=policy.max_error))
        self._lock = threading.Lock()
        live = _reconcile(index, entries.vectors(fingerprint, clock()))
        self._residents = Residents(live, policy.capacity)

    def find_exact(self, query: Query, decision_id: str) -> CacheHit | None:
        """The stored answer to the same normalised text in the same space, if it may be served."""
        if self._is_barred(query):
            return None
        row = self._entries.find_key(space_of(query), key_of(query), self._clock())
        if row is None or not _may_serve(query, row):
            return None
        doubtless = (row.good + 0.95) / (row.good + row.bad + 1.0)
        verdict = Verdict(accepted=True, p_right=doubtless, why="the same text")
        return self._hit(query, decision_id, _Offer(entry=row, similarity=1.0, verdict=verdict))

    def find_near(self, query: Query, vector: Vector, decision_id: str) -> CacheHit | CacheMiss:
        """The nearest stored answer that may be served, or why there is none."""
        if not self._policy.near:
            return CacheMiss(why="only exact repeats are served")
        if self._is_barred(query):
            return CacheMiss(why="this query is not answered from the cache")
        offers = self._offers(query, vector)
        if not offers:
            return CacheMiss(why="nothing similar is stored that may be served")
        best = max(offers, key=lambda offer: (offer.verdict.accepted, offer.verdict.p_right))
        why = best.verdict.why
        if _has_rival(best, offers, self._policy.rival):
            # No label either: it would say nothing of the neighbours that stand alone.
            return CacheMiss(why="another answer is as near")
        if best.verdict.accepted:
            if not self._is_audited(decision_id):
                return self._hit(query, decision_id, best)
            why = "acceptable, but called all the same to check the bound"
        return CacheMiss(
            why=why,
            nearest=best.entry,
            similarity=best.similarity,
            p_right=best.verdict.p_right,
        )

    def admit(self, query: Query, vector: Vector | None, answer: Answer) -> None:
        """Keep a fresh answer, if it is worth keeping."""
        if not is_storable(query, answer) or self._is_barred(query):
            return
        now_s, space, key = self._clock(), space_of(query), key_of(query)
        old = self._entries.find_key(space, key, now_s)
        entry = CacheEntry(
            id=answer.decision_id,
            space=space,
            key=key,
            query_id=query.id,
            text=query.text,
            answer=answer,
            task=query.task,
            created_s=now_s,
            expires_s=None if self._policy.ttl_s is None else now_s + self._policy.ttl_s,
        )
        self._entries.add(entry, vector, self._fingerprint)
        if old is not None and old.id != entry.id:
            self._forget([old.id])
        if vector is not None:
            self._index.add([IndexEntry(id=entry.id, space=space, vector=vector)])
        surplus = self._residents.take_in(entry.id)
        if surplus:
            self._entries.revoke(surplus)
            self._forget(surplus)

    def observe(self, outcome: Outcome) -> None:
        """Bring the rows up to date with a graded outcome: their record, and revocation.

        A stored answer that was graded bad, for its own query or another, is never served again.
        """
        if outcome.quality is None or outcome.kind is OutcomeKind.FAILED:
            return
        from_cache = outcome.source is Source.CACHE
        entry_id = outcome.entry_id if from_cache else outcome.decision_id
        if not entry_id:
            return
        good = outcome.weight * outcome.quality
        row = self._entries.grade(entry_id, good, outcome.weight - good)
        if row is not None and (outcome.quality < GOOD or row.bad > row.good):
            self.revoke(entry_id)

    def revoke(self, entry_id: str) -> None:
        """Never serve this stored answer again."""
        self._entries.revoke([entry_id])
        self._forget([entry_id])

    def clear(self, tenant: str, scope_prefix: str = "") -> int:
        """Revoke a tenant's answers whose scope begins so; returns how many. Reads every row."""
        mine = [
            entry.id
            for entry in self._entries.vectors(self._fingerprint, self._clock())
            if entry.space.tenant == tenant and entry.space.scope.startswith(scope_prefix)
        ]
        self._entries.revoke(mine)
        self._forget(mine)
        return len(mine)

    def learn_one(self, outcome: Outcome) -> None:
        """Learn from one line of the log whether the neighbour it names was right."""
        from_cache = outcome.source is Source.CACHE
        entry_id = outcome.entry_id if from_cache else outcome.nearest_id
        similarity = outcome.nearest_similarity
        if not entry_id or similarity is None:
            return
        row = self._row(entry_id)
        if row is None or row.key == key_of(outcome.query):
            return
        label = label_of(outcome, row)
        if label is None:
            return
        pair = self._pair(outcome.query, row, similarity)
        born = "" if from_cache else outcome.decision_id
        with self._lock:
            self._acceptance.learn(pair, label, born=born)

    def save(self) -> State:
        """All learnt state."""
        with self._lock:
            return self._acceptance.save()

    def load(self, state: State) -> None:
        """Restore what `save` gave, bit for bit; an empty state is the beginning."""
        with self._lock:
            self._acceptance.load(state)

    def _offers(self, query: Query, vector: Vector) -> list[_Offer]:
        found = self._index.search(space_of(query), vector, self._policy.neighbours)
        near = [one for one in found if one.similarity >= self._policy.min_similarity]
        if not near:
            return []
        rows = self._entries.find_ids([one.id for one in near], self._clock())
        dead = [one.id for one in near if one.id not in rows]
        if dead:
            self._forget(dead)
        offers = []
        for one in near:
            row = rows.get(one.id)
            if row is None or not _may_serve(query, row):
                continue
            pair = self._pair(query, row, one.similarity)
            with self._lock:
                verdict = self._acceptance.judge(pair)
            offers.append(_Offer(entry=row, similarity=one.similarity, verdict=verdict))
        return offers

    def _pair(self, query: Query, row: CacheEntry, similarity: float) -> Pair:
        return pair_of(query, row, similarity, self._policy.guards_of(query.task))

    def _row(self, entry_id: str) -> CacheEntry | None:
        found = self._entries.find_ids([entry_id], self._clock()).get(entry_id)
        # A row revoked meanwhile still tells whether it was right; only `grade` gives such rows.
        return found if found is not None else self._entries.grade(entry_id, 0.0, 0.0)

    def _hit(self, query: Query, decision_id: str, offer: _Offer) -> CacheHit:
        self._residents.touch(offer.entry.id)
        exact = offer.entry.key == key_of(query)
        return CacheHit(
            id=decision_id,
            query_id=query.id,
            entry=offer.entry,
            similarity=offer.similarity,
            p_right=offer.verdict.p_right,
            exact=exact,
            created_s=self._clock(),
            propensity=1.0 if exact else 1.0 - self._policy.audit,
        )

    def _is_barred(self, query: Query) -> bool:
        return not query.cacheable or (self._policy.volatile and is_volatile(query.text))

    def _is_audited(self, decision_id: str) -> bool:
        draw = zlib.crc32(decision_id.encode("utf-8", "surrogatepass")) / 2**32
        return draw < self._policy.audit

    def _forget(self, ids: Sequence[str]) -> None:
        self._index.remove(ids)
        self._residents.drop(ids)


def _may_serve(query: Query, row: CacheEntry) -> bool:
    """The row is of the query's own space, and more good than bad is known of it."""
    return row.space == space_of(query) and not row.revoked and row.good >= row.bad


def _has_rival(best: _Offer, offers: Sequence[_Offer], factor: float) -> bool:
    """Another answer is nearly as near, so that the query stands between two."""
    reach = factor * (1.0 - best.similarity) + 0.01
    return any(
        1.0 - offer.similarity <= reach
        and not is_same_answer(offer.entry.answer.text, best.entry.answer.text)
        for offer in offers
    )


def _reconcile(index: Index, live: Iterable[IndexEntry]) -> list[str]:
    """Make the index hold the live rows, all of them and no others; returns their ids."""
    known, seen, missing = index.ids(), [], []
    for entry in live:
        seen.append(entry.id)
        if entry.id not in known:
            missing.append(entry)
    dead = known.difference(seen)
    if dead:
        index.remove(sorted(dead))
    if missing:
        index.add(missing)
    return seen
