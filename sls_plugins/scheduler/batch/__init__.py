"""Batches known in advance: the exact front, plans with certificates, the published searches.

`capacity` (SciPy) is imported by who needs it.
"""

from sls_plugins.scheduler.batch.arrays import Batch, batch_of
from sls_plugins.scheduler.batch.duplicates import Groups, grouped
from sls_plugins.scheduler.batch.effort import Effort
from sls_plugins.scheduler.batch.front import Front, front_of
from sls_plugins.scheduler.batch.methods import METHODS, method_of
from sls_plugins.scheduler.batch.plans import Aim, Plan, aim_of, assign, plan_of, tradeoffs
from sls_plugins.scheduler.batch.robust import choose_alpha, robust
from sls_plugins.scheduler.batch.tradeoffs import Tradeoffs

__all__ = [
    "METHODS",
    "Aim",
    "Batch",
    "Effort",
    "Front",
    "Groups",
    "Plan",
    "Tradeoffs",
    "aim_of",
    "assign",
    "batch_of",
    "choose_alpha",
    "front_of",
    "grouped",
    "method_of",
    "plan_of",
    "robust",
    "tradeoffs",
]
