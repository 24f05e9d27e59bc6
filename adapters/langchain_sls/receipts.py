"""Looks up what was expected of an answer before it was given."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables.config import run_in_executor

from sls_plugins.engine import AnswerStream, AsyncAnswerStream, Engine
from sls_plugins.errors import StorageError, UnknownDecisionError
from sls_plugins.types import Answer, Estimate, Source

__all__ = ["aestimate_of", "begun", "estimate_of"]


def estimate_of(engine: Engine, answer: Answer) -> Estimate | None:
    """What was expected of the candidate that answered; None for a stored answer.

    An answer that was given is not lost for want of its receipt: then it is None, too.
    """
    if answer.source is Source.CACHE:
        return None
    try:
        return engine.parts.log.decision(answer.decision_id).estimate_of(answer.candidate)
    except (StorageError, UnknownDecisionError):
        return None


async def aestimate_of(engine: Engine, answer: Answer) -> Estimate | None:
    """`estimate_of` without blocking."""
    return await run_in_executor(None, estimate_of, engine, answer)


def begun(stream: AnswerStream[Any] | AsyncAnswerStream[Any]) -> Answer:
    """What is known of an answer when its first chunk has come."""
    if stream.answer is not None:
        return stream.answer
    return Answer(text="", candidate=stream.candidate, decision_id=stream.decision_id)
