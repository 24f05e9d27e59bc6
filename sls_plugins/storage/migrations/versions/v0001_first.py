"""The tables of the first release: entries, decisions, outcomes, money, snapshots."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create them all."""
    op.create_table(
        "meta",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    _entries()
    _decisions()
    _outcomes()
    _money()
    op.create_table(
        "snapshots",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("npz", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_snapshots_name", "snapshots", ["name"])


def _entries() -> None:
    op.create_table(
        "cache_entries",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("query_id", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("candidate", sa.Text, nullable=False),
        sa.Column("answer_text", sa.Text, nullable=False),
        sa.Column("payload", sa.Text),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("vector", sa.LargeBinary),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("expires_s", sa.Double),
        sa.Column("revoked", sa.Boolean, nullable=False),
        sa.Column("good", sa.Double, nullable=False),
        sa.Column("bad", sa.Double, nullable=False),
    )
    op.create_index("cache_entries_key", "cache_entries", ["tenant", "scope", "key"], unique=True)


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("query_id", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("limits", sa.Text, nullable=False),
        sa.Column("vector", sa.LargeBinary),
        sa.Column("candidate", sa.Text, nullable=False),
        sa.Column("receipt", sa.Text, nullable=False),
        sa.Column("entry_id", sa.Text),
        sa.Column("nearest_id", sa.Text),
        sa.Column("nearest_similarity", sa.Double),
        sa.Column("p_right", sa.Double),
        sa.Column("created_s", sa.Double, nullable=False),
    )


def _outcomes() -> None:
    op.create_table(
        "outcomes",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("decision_id", sa.Text, sa.ForeignKey("decisions.id"), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("candidate", sa.Text, nullable=False),
        sa.Column("quality", sa.Double),
        sa.Column("quality_source", sa.Text, nullable=False),
        sa.Column("weight", sa.Double, nullable=False),
        sa.Column("usage", sa.Text),
        sa.Column("cost_usd", sa.Double),
        sa.Column("latency_s", sa.Double),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("propensity", sa.Double, nullable=False),
        sa.Column("entry_id", sa.Text),
        sa.Column("answer_text", sa.Text, nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outcomes_decision_id", "outcomes", ["decision_id"])


def _money() -> None:
    op.create_table(
        "reservations",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("usd", sa.Double, nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.Column("expires_s", sa.Double, nullable=False),
    )
    op.create_index("ix_reservations_expires_s", "reservations", ["expires_s"])
    op.create_table(
        "charges",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("reservation_id", sa.Text, nullable=False),
        sa.Column("usd", sa.Double, nullable=False),
        sa.Column("settled_s", sa.Double, nullable=False),
    )
    op.create_index("ix_charges_reservation_id", "charges", ["reservation_id"])
    op.create_index("ix_charges_settled_s", "charges", ["settled_s"])
    op.create_table(
        "spend",
        sa.Column("width_s", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("usd", sa.Double, nullable=False),
    )
