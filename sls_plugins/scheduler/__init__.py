"""The scheduler room: which candidate is worth its price, query by query and over time."""

from sls_plugins.scheduler.aim import Aim
from sls_plugins.scheduler.eligibility import eligible
from sls_plugins.scheduler.exploration import Explored
from sls_plugins.scheduler.health import Health, HealthRules
from sls_plugins.scheduler.lagrange import LagrangeScheduler
from sls_plugins.scheduler.sessions import Sessions

__all__ = [
    "Aim",
    "Explored",
    "Health",
    "HealthRules",
    "LagrangeScheduler",
    "Sessions",
    "eligible",
]
