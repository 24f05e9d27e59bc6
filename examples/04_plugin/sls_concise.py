"""A plugin: a judge that likes short answers, beside an observer that tells what was spent."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, PositiveInt

from sls_plugins.hookspecs import Parts, hookimpl
from sls_plugins.protocols import Context, Grade
from sls_plugins.types import Answer, Query

logger = logging.getLogger(__name__)


class ConciseOptions(BaseModel):
    """What may be set for the judge: answers of up to `max_words` words are perfect."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_words: PositiveInt = 20


@dataclass(frozen=True, slots=True)
class Concise:
    """Grades 1 up to `max_words` words, and less the longer an answer gets."""

    max_words: int
    name: str = "concise"

    def grade(self, query: Query, answer: Answer) -> Grade | None:  # noqa: ARG002 -- a judge may look at both
        """Share of the answer's words that are allowed, 0…1; no verdict on an empty answer."""
        words = len(answer.text.split())
        if words == 0:
            return None
        return Grade(quality=min(1.0, self.max_words / words), source=self.name)


def make_concise(context: Context, options: Mapping[str, object]) -> Concise:  # noqa: ARG001 -- a factory gets both
    """The judge, from the options in the user's settings."""
    return Concise(max_words=ConciseOptions.model_validate(options).max_words)


@hookimpl
def sls_judges() -> Parts:
    """The judge by the name under which settings ask for it."""
    return {"concise": make_concise}


@hookimpl
def sls_answered(query: Query, answer: Answer) -> None:
    """Log who answered and what it cost."""
    who = f"{answer.source} ({answer.candidate})"
    logger.info("%s: %r cost %.6f USD", who, query.text, answer.cost_usd or 0.0)
