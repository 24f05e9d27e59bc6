"""The settings of the cache, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sls_plugins.cache.guards import DEFAULT_GUARDS
from sls_plugins.cache.labels import is_same_answer
from sls_plugins.protocols import Guard, SameAnswer

__all__ = ["CachePolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePolicy:
    """How wrong hits may be, how much is kept, for how long, and what is asked.

    `max_error` bounds the share of wrong hits among those of the semantic tier, in each task;
    `near=False` keeps to exact repeats. `capacity` is a number of rows, `capacity_bytes` their size
    (None: any). `ttl_s` is the life of a row in seconds from when it was made (None: for ever; hits
    do not renew it), `ttl_by_task` the same for some tasks or families, `volatile_ttl_s`
    the longest life of an answer to a query about the present ("today", "latest"; 0: not kept).
    Neighbours under `min_similarity` are not considered; the nearest may be served, in the light of
    all `neighbours` nearest. `audit` is about the share of acceptable neighbours that is refused
    all the same, to see whether the bound holds; it is drawn from `seed` and the decision's id.
    `same_answer` compares a fresh answer with the stored one; `label_noise` is how often that is
    known to err.
    `guards_off` names guards that must not veto, by task, by family (what a task is named before
    its "/"), or for every task ("*").
    """

    max_error: float = 0.02
    near: bool = True
    capacity: int = 100_000
    capacity_bytes: int | None = None
    ttl_s: float | None = None
    ttl_by_task: Mapping[str, float] = field(default_factory=dict)
    volatile_ttl_s: float | None = 3600.0
    min_similarity: float = 0.6
    neighbours: int = 10
    audit: float = 0.01
    label_noise: float = 0.0
    seed: int = 0
    same_answer: SameAnswer = is_same_answer
    guards: Mapping[str, Guard] = field(default_factory=lambda: DEFAULT_GUARDS)
    guards_off: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be kept."""
        if not 0 < self.max_error < 1:
            raise ValueError(f"max_error must be within 0…1, both excluded, not {self.max_error}")
        if not 0 <= self.audit < 1:
            raise ValueError(f"audit must be a share of 0 up to 1, not {self.audit}")
        if not 0 <= self.label_noise < 0.5:
            raise ValueError(f"label_noise must be within 0…0.5, not {self.label_noise}")
        if min(self.capacity, self.neighbours) < 1:
            raise ValueError("capacity and neighbours must be 1 or more")
        unknown = frozenset[str]().union(*self.guards_off.values()).difference(self.guards)
        if unknown:
            known = ", ".join(self.guards)
            raise ValueError(f"guards_off names {min(unknown)!r}; there are {known}")
        if self.capacity_bytes is not None and self.capacity_bytes < 1:
            raise ValueError("capacity_bytes must be 1 or more")
        for life_s in (self.ttl_s, *self.ttl_by_task.values()):
            if life_s is not None and not life_s > 0:
                raise ValueError(f"a time to live must be more than 0 seconds, not {life_s}")
        if self.volatile_ttl_s is not None and not self.volatile_ttl_s >= 0:
            raise ValueError(f"volatile_ttl_s must be 0 or more, not {self.volatile_ttl_s}")

    def ttl_of(self, task: str, *, volatile: bool) -> float | None:
        """The life of a row of this task, else of its family, in seconds; None is for ever."""
        of_family = self.ttl_by_task.get(task.partition("/")[0], self.ttl_s)
        life_s = self.ttl_by_task.get(task, of_family)
        if not volatile or self.volatile_ttl_s is None:
            return life_s
        return self.volatile_ttl_s if life_s is None else min(life_s, self.volatile_ttl_s)

    def guards_of(self, task: str) -> Mapping[str, Guard]:
        """The guards that are asked in a task, by name."""
        if not self.guards_off:
            return self.guards
        places = ("*", task.partition("/")[0], task)
        off = frozenset[str]().union(*(self.guards_off.get(place, ()) for place in places))
        return {name: guard for name, guard in self.guards.items() if name not in off}
