"""Which candidates could answer a query at all."""

from __future__ import annotations

from collections.abc import Sequence

from sls_plugins.scheduler.health import Health
from sls_plugins.types import Candidate, Query

__all__ = ["eligible"]

ANSWER_TOKENS = 256
"""Room kept in the context window for the answer when the query sets no limit."""


def eligible(
    query: Query,
    candidates: Sequence[Candidate],
    input_tokens: int,
    health: Health | None = None,
) -> tuple[tuple[Candidate, ...], tuple[tuple[str, str], ...]]:
    """Candidates that can answer, in order; and (name, reason) of those that cannot.

    `input_tokens` is the number of tokens that would be sent. Who cools down after failures is left
    out as long as anybody else can answer. Ceilings on cost are the scheduler's.
    """
    able: list[Candidate] = []
    unable: list[tuple[str, str]] = []
    for candidate in candidates:
        reason = obstacle(query, candidate, input_tokens)
        if not reason and health is not None:
            reason = health.obstacle(candidate, input_tokens)
        if reason:
            unable.append((candidate.name, reason))
        else:
            able.append(candidate)
    cooling = {one.name: health.cooling_s(one.name) for one in able} if health is not None else {}
    well = [one for one in able if not cooling.get(one.name)]
    if well and len(well) < len(able):
        unable += [
            (one.name, f"failed too often: is left alone for {cooling[one.name]:.0f} s more")
            for one in able
            if one not in well
        ]
        able = well
    return tuple(able), tuple(unable)


def obstacle(query: Query, candidate: Candidate, input_tokens: int) -> str:
    """Why this candidate cannot answer; empty if it can."""
    if query.allow is not None and candidate.name not in query.allow:
        return "not allowed by the query"
    if candidate.name in query.deny:
        return "denied by the query"
    lacking = query.needs - candidate.capabilities
    if lacking:
        return f"lacks {', '.join(sorted(lacking))}"
    untagged = query.tags - candidate.tags
    if untagged:
        return f"is not tagged {', '.join(sorted(untagged))}"
    return shortage(query, candidate, input_tokens)


def shortage(query: Query, candidate: Candidate, input_tokens: int) -> str:
    """Which limit of tokens the query breaks; empty if none."""
    limit, wanted = candidate.max_output_tokens, query.max_output_tokens
    if limit is not None and wanted is not None and wanted > limit:
        return f"writes at most {limit} tokens, {wanted} are wanted"
    if candidate.context_window is None:
        return ""
    answer = wanted if wanted is not None else min(limit or ANSWER_TOKENS, ANSWER_TOKENS)
    if input_tokens + answer > candidate.context_window:
        return (
            f"context window of {candidate.context_window} tokens is too small "
            f"for {input_tokens} in and {answer} out"
        )
    return ""
