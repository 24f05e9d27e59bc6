"""Everything between two waits of a flow in one go: an event loop asks for a thread once."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sls_plugins import flow
from sls_plugins.errors import SLSError

__all__ = ["Ended", "to_wait"]

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Ended(Generic[ResultT]):
    """The flow has returned this."""

    value: ResultT


def to_wait(
    parts: flow.Parts,
    steps: Generator[flow.Effect, Any, ResultT],
    begin: Callable[[], flow.Effect],
) -> flow.Call | flow.Follow | flow.Later | Ended[ResultT]:
    """Perform effects until the flow asks for a call, also another's or a later one, or ends.

    `begin` takes the flow's first step: starts it, sends it a result, or throws an error into it.
    Raises what the flow raises.
    """
    try:
        effect = begin()
        while not isinstance(effect, flow.Call | flow.Follow | flow.Later):
            try:
                result = flow.perform(parts, effect)
            except SLSError as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(result)
    except StopIteration as done:
        return Ended(done.value)
    return effect
