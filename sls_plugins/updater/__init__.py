"""Lets the learners read the log of outcomes, keeps what they learnt."""

from sls_plugins.updater.learning import Keeper, Learner

__all__ = ["Keeper", "Learner"]
