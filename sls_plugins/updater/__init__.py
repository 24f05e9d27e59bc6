"""Lets the learners read the log of outcomes, keeps what they learnt, notices what changed."""

from sls_plugins.updater.background import Background
from sls_plugins.updater.learning import Keeper, Learner
from sls_plugins.updater.manager import Manager, MeanQuality, Policy, Upkeep, joined_line
from sls_plugins.updater.reactions import Reactions, prices_of
from sls_plugins.updater.refit import Refit, Refitter
from sls_plugins.updater.sources import Sources, Weighed
from sls_plugins.updater.stores import EventStore, FeedbackStore, Retention
from sls_plugins.updater.warm import warm_start
from sls_plugins.updater.watch import Alarm, DriftWatch

__all__ = [
    "Alarm",
    "Background",
    "DriftWatch",
    "EventStore",
    "FeedbackStore",
    "Keeper",
    "Learner",
    "Manager",
    "MeanQuality",
    "Policy",
    "Reactions",
    "Refit",
    "Refitter",
    "Retention",
    "Sources",
    "Upkeep",
    "Weighed",
    "joined_line",
    "prices_of",
    "warm_start",
]
