"""Step 7 when judges are there: what they say of an answer, and what that costs."""

from __future__ import annotations

import logging

from sls_plugins.errors import BudgetExhausted
from sls_plugins.flow.parts import Parts
from sls_plugins.plugins import ask_judge
from sls_plugins.protocols import Grade, Judge, PaidJudge
from sls_plugins.types import Answer, Query

__all__ = ["verdict"]

_log = logging.getLogger(__name__)


def verdict(parts: Parts, query: Query, answer: Answer) -> Grade | None:
    """The weighted mean of what the judges say; None if none has a verdict.

    A judge that fails is logged and has none. A paid one is asked if the budget has room for it.
    """
    asked = [_ask(parts, judge, query, answer) for judge in parts.judges]
    verdicts = [grade for grade in asked if grade is not None and grade.weight > 0]
    if not verdicts:
        return None
    weight = sum(grade.weight for grade in verdicts)
    return Grade(
        quality=sum(grade.quality * grade.weight for grade in verdicts) / weight,
        source="+".join(grade.source for grade in verdicts),
        weight=weight,
        cost_usd=sum(grade.cost_usd for grade in verdicts),
    )


def _ask(parts: Parts, judge: Judge, query: Query, answer: Answer) -> Grade | None:
    held_usd = judge.cost_high_usd(query, answer) if isinstance(judge, PaidJudge) else 0.0
    if held_usd <= 0.0:
        return ask_judge(judge, query, answer)
    reservation_id = f"{answer.decision_id}/{judge.name}"
    try:
        parts.ledger.reserve(reservation_id, held_usd)
    except BudgetExhausted as error:
        _log.info("judge %r is not asked: %s", judge.name, error)
        return None
    grade = ask_judge(judge, query, answer)
    if grade is None:
        parts.ledger.release(reservation_id)
    else:
        parts.ledger.settle(reservation_id, grade.cost_usd)
    return grade
