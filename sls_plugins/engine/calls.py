"""What hosts' calls have in common besides their words: labels, limits, forms, endings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["FINISHED", "TASK", "TENANT", "Labels", "labels_of", "limit_of", "wants_json"]

TENANT, TASK = "sls_tenant", "sls_task"
"""The keys under which a call says who asks and what for."""

FINISHED = frozenset(
    {
        "complete",
        "completed",
        "end_turn",
        "eos",
        "eos_token",
        "finish",
        "finished",
        "stop",
        "stop_sequence",
    }
)
"""Reasons to end an answer, over the providers, that mean it is whole; others are not trusted."""

_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict")
"""The settings by which providers limit an answer's length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Who asks, and what for: walls of the cache, and what the predictor may tell apart."""

    tenant: str = ""
    task: str = ""
    epoch: str = ""


def labels_of(given: Mapping[str, Any], default: Labels) -> Labels:
    """The labels that a call brings; the default where it says nothing."""
    tenant, task = given.get(TENANT), given.get(TASK)
    return replace(
        default,
        tenant=default.tenant if tenant is None else str(tenant),
        task=default.task if task is None else str(task),
    )


def limit_of(settings: Mapping[str, Any]) -> int | None:
    """The answer's limit in tokens, if the call has one; 0 and less mean none."""
    for name in _LIMITS:
        limit = settings.get(name)
        if isinstance(limit, int) and limit > 0:
            return limit
    return None


def wants_json(settings: Mapping[str, Any]) -> bool:
    """Whether a call asks for another form of answer than text."""
    wanted = settings.get("response_format")
    return wanted is not None and not (isinstance(wanted, Mapping) and wanted.get("type") == "text")
