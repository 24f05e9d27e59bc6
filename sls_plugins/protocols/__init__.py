"""What each part must be able to do; anything that does it fits.

Four kinds of parts touch the world: `Encoder`, the stores (`EntryStore`, `OutcomeLog`, `Accounts`,
`SnapshotStore` and `Index`), the provider (a `Call`) and `Judge`. The others only compute.
Contract suites for most of them are in `sls_plugins.testing.contracts`.
"""

from __future__ import annotations

from sls_plugins.protocols.making import Clock, Context, Factory, Guard, SameAnswer
from sls_plugins.protocols.parts import Cache, Choice, Learns, Ledger, Predictor, Scheduler, Stock
from sls_plugins.protocols.world import (
    Accounts,
    AsyncCall,
    Call,
    Encoder,
    EntryStore,
    Grade,
    Index,
    Judge,
    OutcomeLog,
    PaidJudge,
    SnapshotStore,
    TokenCounter,
)

__all__ = [
    "Accounts",
    "AsyncCall",
    "Cache",
    "Call",
    "Choice",
    "Clock",
    "Context",
    "Encoder",
    "EntryStore",
    "Factory",
    "Grade",
    "Guard",
    "Index",
    "Judge",
    "Learns",
    "Ledger",
    "OutcomeLog",
    "PaidJudge",
    "Predictor",
    "SameAnswer",
    "Scheduler",
    "SnapshotStore",
    "Stock",
    "TokenCounter",
]
