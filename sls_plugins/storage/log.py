"""Decisions, hits and the log of what came of them, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, func, select
from sqlalchemy.exc import IntegrityError

from sls_plugins.errors import UnknownDecisionError
from sls_plugins.storage.codec import query_values, vector_values
from sls_plugins.storage.database import Database
from sls_plugins.storage.log_codec import (
    decision_of,
    decision_values,
    hit_values,
    outcome_of,
    outcome_values,
)
from sls_plugins.storage.quick import Quick, QuickInsert
from sls_plugins.storage.tables import decisions, outcomes, runs
from sls_plugins.types import (
    CacheHit,
    Decision,
    Evidence,
    Outcome,
    OutcomeKind,
    Query,
    Source,
    Texts,
    Vector,
)

__all__ = ["SqlOutcomeLog"]

_ADD_DECISION = QuickInsert(decisions)
_APPEND = Quick(
    outcomes.insert()
    .values({one.name: bindparam(one.name) for one in outcomes.columns if one.name != "seq"})
    .returning(outcomes.c.seq)
)

_lines = outcomes.c
_made = decisions.c
_answered = outcomes.alias("answered")

# A later grade of a model's answer does not repeat the answer: it is looked up.
_answer_text = case(
    (
        and_(_lines.kind == OutcomeKind.GRADED.value, _lines.answer_text == ""),
        func.coalesce(
            select(_answered.c.answer_text)
            .where(
                _answered.c.decision_id == _lines.decision_id,
                _answered.c.kind == OutcomeKind.ANSWERED.value,
            )
            .order_by(_answered.c.seq.desc())
            .limit(1)
            .scalar_subquery(),
            "",
        ),
    ),
    else_=_lines.answer_text,
)

_joined = select(
    *[column for column in _lines if column.name not in {"decision_id", "answer_text"}],
    _answer_text.label("answer_text"),
    _made.id.label("decision_id"),
    _made.source.label("decided_source"),
    _made.candidate.label("decided_candidate"),
    _made.entry_id.label("decided_entry_id"),
    _made.created_s.label("decided_s"),
    *[
        _made[name]
        for name in ("query_id", "text", "task", "tenant", "scope", "limits", "vector", "receipt")
    ],
    _made.nearest_id,
    _made.nearest_similarity,
)
_FIND = (
    _joined.select_from(
        decisions.outerjoin(
            outcomes,
            and_(_lines.decision_id == _made.id, _lines.kind == OutcomeKind.ANSWERED.value),
        )
    )
    .where(_made.id == bindparam("decision_id"))
    .order_by(_lines.seq.desc())
    .limit(1)
)
_AFTER = (
    _joined.select_from(outcomes.join(decisions))
    .where(_lines.seq > bindparam("seq"))
    .order_by(_lines.seq)
    .limit(bindparam("most"))
)
_DECISION = select(_made.id, _made.candidate, _made.receipt, _made.created_s).where(
    _made.id == bindparam("decision_id"), _made.source == Source.MODEL.value
)
_RUN = select(runs.c.decision_id).where(runs.c.run_id == bindparam("run_id"))
_LAST = select(func.max(_lines.seq))


class SqlOutcomeLog:
    """An `OutcomeLog` in a database. Threads and processes may share it."""

    def __init__(self, database: Database, texts: Texts | None = None) -> None:
        """`texts` says what is kept of texts: all, where nothing is said."""
        self._database = database
        self._texts = texts or Texts()

    def add_decision(
        self,
        decision: Decision,
        query: Query,
        vector: Vector | None,
        nearest: tuple[str, float] | None = None,
        evidence: Evidence | None = None,
    ) -> None:
        """Write a decision behind; `nearest` is the refused cache entry: its id and similarity.

        `evidence` is what the neighbourhood said of that entry.
        """
        blob = vector_values(vector)
        columns = decision_values(decision, nearest, evidence)

        def insert(sql: Connection) -> None:
            values = {**query_values(self._texts.query(query)), **columns, "vector": blob}
            _ADD_DECISION.run(sql, values)

        self._database.write_later(insert)

    def add_hit(self, hit: CacheHit, query: Query, vector: Vector | None) -> None:
        """Write a cache hit behind."""
        blob = vector_values(vector)

        def insert(sql: Connection) -> None:
            values = {**query_values(self._texts.query(query)), **hit_values(hit), "vector": blob}
            _ADD_DECISION.run(sql, values)

        self._database.write_later(insert)

    def append(self, outcome: Outcome) -> Outcome:
        """Append a line; returns it with its `seq` when it (and all written before) is durable.

        Raises UnknownDecisionError if its decision was never written, StorageError while the
        database is away: the line is then appended when it is back.
        """
        values = outcome_values(outcome)
        values["answer_text"] = self._texts.answer(values["answer_text"])

        def insert(sql: Connection) -> int:
            try:
                written = _APPEND.rows(sql, values)
            except IntegrityError as error:
                raise UnknownDecisionError(outcome.decision_id) from error
            return int(written[0][0])

        return replace(outcome, seq=self._database.write(insert, keep=True))

    def find(self, decision_id: str) -> Outcome:
        """The newest answer to a decision, else what the decision (or hit) tells alone.

        Raises UnknownDecisionError.
        """
        return outcome_of(self._find(_FIND, decision_id))

    def decision(self, decision_id: str) -> Decision:
        """The stored receipt of a model decision. Raises UnknownDecisionError."""
        return decision_of(self._find(_DECISION, decision_id))

    def after(self, seq: int, limit: int) -> Sequence[Outcome]:
        """Up to `limit` lines with a higher `seq`, in order."""
        return [outcome_of(row) for row in self._rows(_AFTER, {"seq": seq, "most": limit})]

    def last_seq(self) -> int:
        """The last line's `seq`, 0 for an empty log."""
        return int(self._rows(_LAST, {})[0][0] or 0)

    def _find(self, statement: Any, decision_id: str) -> Row[Any]:
        wanted = {"decision_id": decision_id}
        rows = self._rows(statement, wanted)
        if not rows:  # it may be on its way, or be a host's name of a run
            self._database.flush()
            named = self._rows(_RUN, {"run_id": decision_id})
            wanted = {"decision_id": named[0].decision_id} if named else wanted
            rows = self._rows(statement, wanted)
        if not rows:
            raise UnknownDecisionError(decision_id)
        return rows[0]

    def _rows(self, statement: Any, values: Mapping[str, object]) -> Sequence[Row[Any]]:
        return self._database.read(lambda sql: sql.execute(statement, values).all())
