"""The frozen values that travel between the parts: a query in, an outcome out."""

from __future__ import annotations

from sls_plugins.types.answers import (
    Answer,
    CacheEntry,
    CacheHit,
    CacheMiss,
    Erased,
    Evidence,
    Resident,
    Selection,
    Source,
    TokenCount,
    Usage,
)
from sls_plugins.types.decisions import CACHE, Decision, Estimate, Purse, Reservation
from sls_plugins.types.events import Event
from sls_plugins.types.outcomes import Feedback, Outcome, OutcomeKind
from sls_plugins.types.queries import Candidate, Query, Session
from sls_plugins.types.reports import (
    AuditedPair,
    CacheRow,
    CacheStats,
    Share,
    TaskAudit,
    TaskStats,
)
from sls_plugins.types.texts import StoreText, Texts
from sls_plugins.types.vectors import (
    IndexEntry,
    Matrix,
    Neighbour,
    Space,
    State,
    Vector,
    unit_rows,
    zeroed,
)

__all__ = [
    "CACHE",
    "Answer",
    "AuditedPair",
    "CacheEntry",
    "CacheHit",
    "CacheMiss",
    "CacheRow",
    "CacheStats",
    "Candidate",
    "Decision",
    "Erased",
    "Estimate",
    "Event",
    "Evidence",
    "Feedback",
    "IndexEntry",
    "Matrix",
    "Neighbour",
    "Outcome",
    "OutcomeKind",
    "Purse",
    "Query",
    "Reservation",
    "Resident",
    "Selection",
    "Session",
    "Share",
    "Source",
    "Space",
    "State",
    "StoreText",
    "TaskAudit",
    "TaskStats",
    "Texts",
    "TokenCount",
    "Usage",
    "Vector",
    "unit_rows",
    "zeroed",
]
