"""One request as a generator that asks for effects; drivers in `engine` perform them."""

from sls_plugins.flow.afterwards import feedback, record, revoke
from sls_plugins.flow.batch import Batch, BatchAim
from sls_plugins.flow.cached import keep, look_up
from sls_plugins.flow.effects import (
    Call,
    Effect,
    Encode,
    FindExact,
    FindNear,
    Finish,
    Follow,
    Grade,
    Later,
    Reserve,
)
from sls_plugins.flow.flights import Flight, Flights, Landed, Landing
from sls_plugins.flow.forgetting import forget
from sls_plugins.flow.hedging import Hedge
from sls_plugins.flow.jobs import Job, lay_out
from sls_plugins.flow.offered import Offered
from sls_plugins.flow.parts import Parts
from sls_plugins.flow.perform import perform
from sls_plugins.flow.planned import Planned
from sls_plugins.flow.request import answer, carry_out, plan

__all__ = [
    "Batch",
    "BatchAim",
    "Call",
    "Effect",
    "Encode",
    "FindExact",
    "FindNear",
    "Finish",
    "Flight",
    "Flights",
    "Follow",
    "Grade",
    "Hedge",
    "Job",
    "Landed",
    "Landing",
    "Later",
    "Offered",
    "Parts",
    "Planned",
    "Reserve",
    "answer",
    "carry_out",
    "feedback",
    "forget",
    "keep",
    "lay_out",
    "look_up",
    "perform",
    "plan",
    "record",
    "revoke",
]
