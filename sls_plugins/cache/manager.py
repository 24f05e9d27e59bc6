"""Answers from earlier answers, where rows, guards and labels say that it is safe."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sls_plugins.cache.acceptance import Acceptance, AcceptanceRule, Verdict
from sls_plugins.cache.admission import is_volatile
from sls_plugins.cache.features import Pair, pair_of
from sls_plugins.cache.holdings import Holdings
from sls_plugins.cache.keys import key_of, pattern_of, space_of
from sls_plugins.cache.labels import label_of
from sls_plugins.cache.neighbourhood import evidence_of
from sls_plugins.cache.policy import CachePolicy
from sls_plugins.protocols import Clock, EntryStore, Index, Stock
from sls_plugins.types import (
    Answer,
    CacheEntry,
    CacheHit,
    CacheMiss,
    Evidence,
    Outcome,
    OutcomeKind,
    Query,
    Selection,
    Source,
    Space,
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
    evidence: Evidence | None = None
    exact: bool = False


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
        self._clock = clock
        self._acceptance = Acceptance(
            AcceptanceRule(
                max_error=policy.max_error, audit=policy.audit, label_noise=policy.label_noise
            )
        )
        self._lock = threading.Lock()
        self._holdings = Holdings(entries, index, policy, fingerprint, clock)

    def find_exact(self, query: Query, decision_id: str) -> CacheHit | None:
        """The stored answer to the same normalised text in the same space, if it may be served."""
        if self._is_barred(query):
            return None
        space = space_of(query)
        row = self._entries.find_key(space, key_of(query), self._clock())
        if row is None or not _may_serve(space, row):
            return None
        doubtless = (row.good + 0.95) / (row.good + row.bad + 1.0)
        verdict = Verdict(accepted=True, p_right=doubtless, why="the same text")
        offer = _Offer(entry=row, similarity=1.0, verdict=verdict, exact=True)
        return self._hit(query, decision_id, offer)

    def find_near(
        self,
        query: Query,
        vector: Vector,
        decision_id: str,
        *,
        audit: bool = True,
        passed: Callable[[CacheEntry], bool] | None = None,
    ) -> CacheHit | CacheMiss:
        """The nearest stored answer that may be served, or why there is none.

        Without `audit` an acceptable one is never refused only to check the bound. Those `passed`
        over are as good as not stored.
        """
        if not self._policy.near:
            return CacheMiss(why="only exact repeats are served")
        if self._is_barred(query):
            return CacheMiss(why="this query is not answered from the cache")
        best = self._nearest(query, vector, passed)
        if best is None:
            return CacheMiss(why="nothing similar is stored that may be served")
        why = best.verdict.why
        if best.verdict.accepted:
            if not (audit and self._is_audited(decision_id, best.verdict.audit)):
                return self._hit(query, decision_id, best)
            why = "acceptable, but called all the same to check the bound"
        return CacheMiss(
            why=why,
            nearest=best.entry,
            similarity=best.similarity,
            p_right=best.verdict.p_right,
            evidence=best.evidence,
        )

    def follows(self, query: Query, leader: Query, similarity: float, agreeing: int) -> bool:
        """Would the answer to another query of its space, which is on its way, serve this one?

        It would if acceptance let it, had it just been stored. Among several that agree with it, it
        is enough that acceptance may hope.
        """
        policy = self._policy
        if not policy.near or self._is_barred(query) or similarity < policy.min_similarity:
            return False
        coming = CacheEntry(
            id="",
            space=space_of(leader),
            key=key_of(leader),
            query_id=leader.id,
            text=leader.text,
            answer=Answer(text=""),
            task=leader.task,
            created_s=self._clock(),
        )
        evidence = evidence_of([(coming, similarity)] * agreeing)
        pair = self._pair(query, coming, similarity, evidence, coming.created_s)
        with self._lock:
            if agreeing > 1:
                return self._acceptance.may_hope(pair)
            return self._acceptance.judge(pair).accepted

    def admit(
        self, query: Query, vector: Vector | None, answer: Answer, told: Outcome | None = None
    ) -> None:
        """Keep a fresh answer, if it is worth keeping; `told` is what the log is told of it.

        Where a near query has the same answer, only a new key to that answer is kept: an alias.
        """
        if not self._is_barred(query):
            self._holdings.admit(query, vector, answer, told)

    def observe(self, outcome: Outcome) -> None:
        """Bring the rows up to date with a graded outcome: their record, revocation, aliases.

        A stored answer that was graded bad, for its own query or another, is never served again. A
        near hit that was graded good becomes an alias: the next such query is an exact repeat.
        """
        self._holdings.observe(outcome)

    def revoke(self, entry_id: str) -> None:
        """Never serve this stored answer again; of an alias: not for this key."""
        self._holdings.revoke([entry_id])

    def clear(self, tenant: str, scope_prefix: str = "") -> int:
        """Revoke a tenant's answers whose scope begins so; returns how many."""
        return self._holdings.clear(Selection(tenant=tenant, scope=scope_prefix))

    def stock(self) -> Stock:
        """What is held now. Reads all rows."""
        return self._holdings.stock()

    def forget(self, ids: Sequence[str]) -> None:
        """Leave nothing of these rows, which are deleted already, in the index and its files."""
        self._holdings.forget(ids)

    def learn_one(self, outcome: Outcome) -> None:
        """Learn from one line of the log whether the neighbour it names was right."""
        from_cache = outcome.source is Source.CACHE
        entry_id = outcome.entry_id if from_cache else outcome.nearest_id
        similarity = outcome.nearest_similarity
        if not from_cache and outcome.kind is OutcomeKind.ANSWERED:
            with self._lock:
                self._acceptance.note(pattern_of(outcome.query.text))
        if not entry_id or similarity is None:
            return
        row = self._row(entry_id)
        if row is None or row.key == key_of(outcome.query):
            return
        label = label_of(outcome, row, self._policy.same_answer)
        if label is None:
            return
        pair = self._pair(outcome.query, row, similarity, outcome.evidence, outcome.created_s)
        born = "" if from_cache else outcome.decision_id
        with self._lock:
            self._acceptance.learn(pair, label, born=born)

    def save(self) -> State:
        """All learnt state."""
        self._holdings.save()
        with self._lock:
            return self._acceptance.save()

    def load(self, state: State) -> None:
        """Restore what `save` gave, bit for bit; an empty state is the beginning."""
        with self._lock:
            self._acceptance.load(state)

    def _nearest(
        self, query: Query, vector: Vector, passed: Callable[[CacheEntry], bool] | None
    ) -> _Offer | None:
        """The nearest entry that may be served, judged beside the others around it."""
        space = space_of(query)
        found = self._index.search(space, vector, self._policy.neighbours)
        near = [one for one in found if one.similarity >= self._policy.min_similarity]
        if not near:
            return None
        rows = self._entries.find_ids([one.id for one in near], self._clock())
        dead = [one.id for one in near if one.id not in rows]
        if dead:
            self._holdings.drop(dead)
        able = [
            (row, one.similarity)
            for one in near
            if (row := rows.get(one.id)) is not None
            and _may_serve(space, row)
            and not (passed is not None and passed(row))
        ]
        if not able:
            return None
        (row, similarity), evidence = able[0], evidence_of(able)
        pair = self._pair(query, row, similarity, evidence, self._clock())
        with self._lock:
            verdict = self._acceptance.judge(pair)
        evidence = replace(evidence, chance=verdict.audit if verdict.accepted else 1.0)
        return _Offer(entry=row, similarity=similarity, verdict=verdict, evidence=evidence)

    def _pair(
        self,
        query: Query,
        row: CacheEntry,
        similarity: float,
        evidence: Evidence | None,
        now_s: float,
    ) -> Pair:
        guards = self._policy.guards_of(query.task)
        return pair_of(query, row, similarity, evidence, guards, now_s)

    def _row(self, entry_id: str) -> CacheEntry | None:
        found = self._entries.find_ids([entry_id], self._clock()).get(entry_id)
        # A row revoked meanwhile still tells whether it was right; only `grade` gives such rows.
        return found if found is not None else self._entries.grade(entry_id, 0.0, 0.0)

    def _hit(self, query: Query, decision_id: str, offer: _Offer) -> CacheHit:
        self._holdings.touch(offer.entry.id)
        exact = offer.exact or offer.entry.key == key_of(query)
        return CacheHit(
            id=decision_id,
            query_id=query.id,
            entry=offer.entry,
            similarity=offer.similarity,
            p_right=offer.verdict.p_right,
            exact=exact,
            created_s=self._clock(),
            grey=not exact and offer.verdict.p_right < 1.0 - self._policy.max_error,
            propensity=1.0 if exact else 1.0 - offer.verdict.audit,
            evidence=offer.evidence,
        )

    def _is_barred(self, query: Query) -> bool:
        volatile = self._policy.volatile_ttl_s == 0.0 and is_volatile(query.text)
        return not query.cacheable or volatile

    def _is_audited(self, decision_id: str, share: float) -> bool:
        drawn = f"{self._policy.seed}:{decision_id}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(drawn, digest_size=8).digest()
        return int.from_bytes(digest, "big") < share * 2**64


def _may_serve(space: Space, row: CacheEntry) -> bool:
    """The row is of the query's own space, and more good than bad is known of it."""
    return row.space == space and not row.revoked and row.good >= row.bad
