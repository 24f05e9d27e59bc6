"""The scheduler room: which candidate is worth its price, query by query and over time."""

from sls_plugins.scheduler.aim import Aim
from sls_plugins.scheduler.eligibility import eligible
from sls_plugins.scheduler.lagrange import LagrangeScheduler

__all__ = ["Aim", "LagrangeScheduler", "eligible"]
