"""Lets the learners read the log of outcomes, keeps what they learnt."""

from sls_plugins.updater.learning import Learner

__all__ = ["Learner"]
