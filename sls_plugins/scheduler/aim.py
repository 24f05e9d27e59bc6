"""What the schedule aims at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from sls_plugins.errors import SettingsError

__all__ = ["Aim", "aim_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """At most one of three aims, and a ceiling for every query; none at all means thrift.

    `usd_per_query` is the average to be spent, `price` the price of money λ (quality per USD),
    `target_quality` the mean quality to be reached at the lowest cost. Thrift pays for quality as
    long as little is lost against the best that can be had.

    `latency_weight` is the quality that a second of waiting is worth, `deadline_s` the expected
    latency beyond which a candidate is asked only when nobody else is left. `exploration` is the
    share (0…1) of what is spent that exploring may cost beyond the best value.
    """

    usd_per_query: float | None = None
    price: float | None = None
    target_quality: float | None = None
    max_usd_per_query: float | None = None
    latency_weight: float = 0.0
    deadline_s: float | None = None
    exploration: float = 0.05

    def __post_init__(self) -> None:
        """Refuse what cannot be aimed at."""
        for key in ("usd_per_query", "max_usd_per_query", "deadline_s"):
            value = getattr(self, key)
            if value is not None and not (math.isfinite(value) and value > 0):
                unit = "seconds" if key == "deadline_s" else "USD"
                raise refusal(key, f"must be more than 0 {unit}, not {value}")
        if self.price is not None and not (math.isfinite(self.price) and self.price >= 0):
            raise refusal("price", f"must be 0 or more quality per USD, not {self.price}")
        if self.target_quality is not None and not 0 <= self.target_quality <= 1:
            raise refusal("target_quality", f"must be within 0…1, not {self.target_quality}")
        if not (math.isfinite(self.latency_weight) and self.latency_weight >= 0):
            raise refusal("latency_weight", f"must be 0 or more, not {self.latency_weight}")
        if not 0 <= self.exploration <= 1:
            raise refusal("exploration", f"must be within 0…1, not {self.exploration}")
        aims = [key for key in ("usd_per_query", "price", "target_quality") if self._has(key)]
        if len(aims) > 1:
            raise refusal(aims[1], f"cannot be aimed at together with {aims[0]}")

    @property
    def given(self) -> bool:
        """Whether there is an aim besides thrift."""
        return any(self._has(key) for key in ("usd_per_query", "price", "target_quality"))

    def _has(self, key: str) -> bool:
        return getattr(self, key) is not None


def refusal(key: str, problem: str) -> SettingsError:
    """The error that names the key."""
    return SettingsError("budget", key, problem, "Give one aim, as a positive number, or none.")


def aim_of(options: Mapping[str, object]) -> Aim:
    """An aim from a mapping of its field names. Raises SettingsError for anything else."""
    known = [field.name for field in fields(Aim)]
    values: dict[str, Any] = {}
    for key, value in options.items():
        if key not in known:
            raise refusal(key, f"is not known; known are {', '.join(known)}")
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise refusal(key, f"must be a number, not {value!r}")
        if value is not None:
            values[key] = float(value)
    return Aim(**values)
