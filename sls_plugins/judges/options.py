"""What the judges' options have in common, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from sls_plugins.types import Query

__all__ = ["JudgeOptions", "ReferenceOptions", "References"]

References: TypeAlias = Mapping[str, str] | Callable[[Query], str | None]
"""Right answers by a query's id or text, or a function that knows them."""


class JudgeOptions(BaseModel):
    """Every judge has a name of its own and a weight for what it says."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: Annotated[str, Field(min_length=1)] | None = None
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0


class ReferenceOptions(JudgeOptions):
    """A judge that compares with the right answer has no verdict where there is none."""

    references: dict[str, str] | Callable[[Query], str | None]

    def reference(self, query: Query) -> str | None:
        """The right answer to a query, if it is known."""
        if callable(self.references):
            return self.references(query)
        return self.references.get(query.id, self.references.get(query.text))
