"""A judge of numbers: near enough to the right one."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from sls_plugins.judges.options import ReferenceOptions
from sls_plugins.protocols import Context, Grade
from sls_plugins.types import Answer, Query

__all__ = ["Numeric", "NumericOptions", "last_number", "make"]

NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][-+]?\d+)?")


class NumericOptions(ReferenceOptions):
    """How far off an answer may be: `absolute`, or `relative` to the reference, whichever is more.

    A reference without a number in it gives no verdict.
    """

    absolute: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    relative: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-6


class Numeric:
    """1 if the last number of the answer is near the reference's, else 0."""

    def __init__(self, options: NumericOptions) -> None:
        self._options = options
        self.name = options.name or "numeric"

    def grade(self, query: Query, answer: Answer) -> Grade | None:
        """Compare numbers."""
        reference = self._options.reference(query)
        wanted = last_number(reference) if reference is not None else None
        if wanted is None:
            return None
        said = last_number(answer.text)
        room = max(self._options.absolute, self._options.relative * abs(wanted))
        right = said is not None and abs(said - wanted) <= room
        return Grade(quality=float(right), source=self.name, weight=self._options.weight)


def last_number(text: str) -> float | None:
    """The last number in a text ("about 1,250.5 km" has 1250.5), if it has a finite one."""
    for found in reversed(NUMBER.findall(text)):
        if any(sign.isdigit() for sign in found):
            number = float(found.replace(",", ""))
            return number if math.isfinite(number) else None
    return None


def make(context: Context, options: Mapping[str, object]) -> Numeric:  # noqa: ARG001
    """The factory; options are those of `NumericOptions`."""
    return Numeric(NumericOptions.model_validate(options))
