"""What was said of answers, in SQL: each opinion once, waiting until it can be joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, bindparam, delete, func, select, text
from sqlalchemy.exc import IntegrityError

from sls_plugins.errors import UnknownDecisionError
from sls_plugins.storage.codec import plain, real
from sls_plugins.storage.database import Database
from sls_plugins.storage.log_codec import outcome_values
from sls_plugins.storage.tables import decisions, feedback, outcomes, runs
from sls_plugins.types import Feedback, Outcome, Texts

__all__ = ["SqlFeedbackStore"]

CORRECTION = 2.0
"""A correction counts so many times, so that it outweighs what it corrects."""

_told = feedback.c
_KNOWN = select(feedback).where(_told.id == bindparam("known_id"))
_PUT = text(
    "INSERT INTO feedback (id, decision_id, quality, source, weight, seq, created_s) "
    "VALUES (:id, :decision_id, :quality, :source, :weight, :seq, :created_s) "
    "ON CONFLICT (id) DO UPDATE SET decision_id = excluded.decision_id, "
    "quality = excluded.quality, source = excluded.source, weight = excluded.weight, "
    "seq = excluded.seq, created_s = excluded.created_s"
)
_LINK = text(
    "INSERT INTO runs (run_id, decision_id, created_s) VALUES (:run_id, :decision_id, :created_s) "
    "ON CONFLICT (run_id) DO UPDATE SET decision_id = excluded.decision_id"
)
_owner = func.coalesce(runs.c.decision_id, _told.decision_id)
_READY = (
    select(feedback, decisions.c.id.label("owner"))
    .select_from(feedback.outerjoin(runs, runs.c.run_id == _told.decision_id))
    .join(decisions, decisions.c.id == _owner)
    .where(_told.seq.is_(None))
    .order_by(_told.created_s, _told.id)
    .limit(bindparam("most"))
)
_WAITING = select(func.count()).select_from(feedback).where(_told.seq.is_(None))
_DROP = delete(feedback).where(_told.seq.is_(None), _told.created_s < bindparam("before_s"))


class SqlFeedbackStore:
    """A `FeedbackStore` in a database. Threads and processes may share it."""

    def __init__(self, database: Database, texts: Texts | None = None) -> None:
        """`texts` says what is kept of texts: all, where nothing is said."""
        self._database = database
        self._texts = texts or Texts()

    def append(self, outcome: Outcome, told: Feedback) -> Outcome | None:
        """Append the line of an opinion that has an id; None if that very opinion is known.

        The same id with another grade is a correction: its line counts double. Raises
        UnknownDecisionError if its decision was never written.
        """

        def insert(sql: Connection) -> Outcome | None:
            known = sql.execute(_KNOWN, {"known_id": plain(told.id)}).first()
            line = outcome
            if known is not None and known.seq is not None:
                if (known.quality, known.weight) == (told.quality, told.weight):
                    return None
                line = replace(outcome, weight=CORRECTION * outcome.weight)
            try:
                values = outcome_values(line)
                values["answer_text"] = self._texts.answer(values["answer_text"])
                written = sql.execute(outcomes.insert(), values)
            except IntegrityError as error:
                raise UnknownDecisionError(outcome.decision_id) from error
            key = written.inserted_primary_key
            assert key is not None
            row = _row(told, outcome.created_s) | {"seq": int(key[0])}
            sql.execute(_PUT, row | {"decision_id": outcome.decision_id})
            return replace(line, seq=int(key[0]))

        return self._database.write(insert)

    def wait(self, told: Feedback, now_s: float) -> None:
        """Keep an opinion about a decision that is not known yet; a known id is replaced.

        Without an id of its own, decision and source are its id.
        """
        named = told if told.id else replace(told, id=f"{told.decision_id}/{told.source}")
        row = _row(named, now_s) | {"seq": None}
        self._database.write(lambda sql: sql.execute(_PUT, row) and None)

    def ready(self, limit: int) -> Sequence[Feedback]:
        """Waiting opinions whose decision is known by now, under the decision's own id."""
        rows = self._database.read(lambda sql: sql.execute(_READY, {"most": limit}).all())
        return [
            Feedback(
                id=row.id,
                decision_id=row.owner,
                quality=row.quality,
                source=row.source,
                weight=row.weight,
            )
            for row in rows
        ]

    def link(self, run_id: str, decision_id: str, now_s: float) -> None:
        """Let a host's own name of a run stand for a decision (written behind)."""
        row = {"run_id": plain(run_id), "decision_id": decision_id, "created_s": now_s}
        self._database.write_later(lambda sql: sql.execute(_LINK, row))

    def waiting(self) -> int:
        """How many opinions wait."""
        return int(self._database.read(lambda sql: sql.execute(_WAITING).scalar()) or 0)

    def drop_before(self, before_s: float) -> int:
        """Give up opinions that have waited since before then; returns how many."""
        dropped = {"before_s": before_s}
        return self._database.write(lambda sql: sql.execute(_DROP, dropped).rowcount)


def _row(told: Feedback, now_s: float) -> dict[str, object]:
    return {
        "id": plain(told.id),
        "decision_id": plain(told.decision_id),
        "quality": real(told.quality),
        "source": plain(told.source),
        "weight": real(told.weight),
        "created_s": now_s,
    }
