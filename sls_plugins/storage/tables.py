"""The tables: what rows there are, in which schema version."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

__all__ = [
    "METADATA",
    "SCHEMA_VERSION",
    "cache_entries",
    "charges",
    "decisions",
    "events",
    "feedback",
    "meta",
    "outcomes",
    "reservations",
    "runs",
    "snapshots",
    "spend",
]

SCHEMA_VERSION = 2
"""Each version has a revision in `migrations/versions`: what is changed here is changed there."""

METADATA = MetaData()

meta = Table(
    "meta",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

cache_entries = Table(
    "cache_entries",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("query_id", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("candidate", Text, nullable=False),
    Column("answer_text", Text, nullable=False),
    Column("payload", Text),
    Column("answer", Text, nullable=False),  # the rest of the answer, as JSON
    Column("fingerprint", Text, nullable=False),
    Column("vector", LargeBinary),  # float32, little endian
    Column("created_s", Double, nullable=False),
    Column("expires_s", Double),
    Column("revoked", Boolean, nullable=False),
    Column("good", Double, nullable=False),
    Column("bad", Double, nullable=False),
    Column("alias_of", Text),  # the row whose answer this key shares
    Column("similarity", Double),  # of an alias to that row, when it was verified
    Column("uses", Integer, nullable=False, server_default=text("0")),  # how often it was served
    Column("bytes", Integer, nullable=False, server_default=text("0")),
    Column("cost_usd", Double),  # of the call that made the answer: what a hit saves
    Index("cache_entries_key", "tenant", "scope", "key", unique=True),
    Index("cache_entries_alias", "alias_of"),
)

decisions = Table(
    "decisions",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("source", Text, nullable=False),  # "model": a Decision; "cache": a CacheHit
    Column("query_id", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("limits", Text, nullable=False),  # the rest of the query, as JSON
    Column("vector", LargeBinary),  # float32, little endian
    Column("candidate", Text, nullable=False),
    Column("receipt", Text, nullable=False),  # the rest of the decision, as JSON
    Column("entry_id", Text),
    Column("nearest_id", Text),
    Column("nearest_similarity", Double),
    Column("p_right", Double),
    Column("created_s", Double, nullable=False),
)

outcomes = Table(
    "outcomes",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("decision_id", Text, ForeignKey("decisions.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("candidate", Text, nullable=False),
    Column("quality", Double),
    Column("quality_source", Text, nullable=False),
    Column("weight", Double, nullable=False),
    Column("usage", Text),
    Column("cost_usd", Double),
    Column("latency_s", Double),
    Column("error", Text, nullable=False),
    Column("propensity", Double, nullable=False),
    Column("entry_id", Text),
    Column("answer_text", Text, nullable=False),
    Column("created_s", Double, nullable=False),
    sqlite_autoincrement=True,
)

reservations = Table(
    "reservations",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("usd", Double, nullable=False),
    Column("created_s", Double, nullable=False),
    Column("expires_s", Double, nullable=False, index=True),
)

charges = Table(
    "charges",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("reservation_id", Text, nullable=False, index=True),
    Column("usd", Double, nullable=False),
    Column("settled_s", Double, nullable=False, index=True),
)

spend = Table(  # sums of charges by minute, hour and day, so that no window is summed row by row
    "spend",
    METADATA,
    Column("width_s", Integer, primary_key=True, autoincrement=False),
    Column("start_s", BigInteger, primary_key=True, autoincrement=False),
    Column("usd", Double, nullable=False),
)

snapshots = Table(
    "snapshots",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, index=True),
    Column("seq", Integer, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("created_s", Double, nullable=False),
    Column("npz", LargeBinary, nullable=False),
    Column("facts", Text),  # what else is known of it, as JSON
)

feedback = Table(  # what was said of answers; without `seq` it waits for its decision
    "feedback",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("decision_id", Text, nullable=False, index=True),  # or a run's id
    Column("quality", Double, nullable=False),
    Column("source", Text, nullable=False),
    Column("weight", Double, nullable=False),
    Column("seq", Integer),
    Column("created_s", Double, nullable=False),
    Index("feedback_waiting", "seq"),
)

runs = Table(  # a host's names of decisions
    "runs",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("decision_id", Text, nullable=False),
    Column("created_s", Double, nullable=False),
)

events = Table(  # what the updater noticed and did; `id` lets two processes notice it once
    "events",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("candidate", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("facts", Text, nullable=False),  # JSON
    Column("created_s", Double, nullable=False),
)
