"""Feedback that waits, run ids, events; what rooms of this release add to the tables.

Add columns as nullable (or with a server default), in the order in which `tables.py` ends with
them: a database that was migrated and one that is new must be the same.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add tables and columns; rows stay as they are."""
    op.create_table(
        "feedback",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("decision_id", sa.Text, nullable=False),
        sa.Column("quality", sa.Double, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("weight", sa.Double, nullable=False),
        sa.Column("seq", sa.Integer),
        sa.Column("created_s", sa.Double, nullable=False),
    )
    op.create_index("ix_feedback_decision_id", "feedback", ["decision_id"])
    op.create_index("feedback_waiting", "feedback", ["seq"])
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("decision_id", sa.Text, nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("candidate", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
    )
    op.add_column("snapshots", sa.Column("facts", sa.Text))
    op.add_column("cache_entries", sa.Column("alias_of", sa.Text))
    op.add_column("cache_entries", sa.Column("similarity", sa.Double))
    for name in ("uses", "bytes"):
        column = sa.Column(name, sa.Integer, nullable=False, server_default=sa.text("0"))
        op.add_column("cache_entries", column)
    op.add_column("cache_entries", sa.Column("cost_usd", sa.Double))
    op.create_index("cache_entries_alias", "cache_entries", ["alias_of"])
