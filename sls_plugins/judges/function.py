"""A judge made of a function of yours."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import ImportString

from sls_plugins.errors import InvalidFeedbackError
from sls_plugins.judges.options import JudgeOptions
from sls_plugins.protocols import Context, Grade
from sls_plugins.types import Answer, Query

__all__ = ["Function", "FunctionOptions", "make"]


class FunctionOptions(JudgeOptions):
    """A function (query, answer) → quality 0…1, True, False, or None for no verdict.

    In TOML it is given as a text, ``"package.module:function"``.
    """

    function: ImportString[Callable[[Query, Answer], float | None]]


class Function:
    """Says what the function says. Raises InvalidFeedbackError for a quality outside 0…1."""

    def __init__(self, options: FunctionOptions) -> None:
        self._options = options
        self.name = options.name or str(getattr(options.function, "__name__", "function"))

    def grade(self, query: Query, answer: Answer) -> Grade | None:
        """Ask the function."""
        quality = self._options.function(query, answer)
        if quality is None:
            return None
        if not 0.0 <= quality <= 1.0:
            raise InvalidFeedbackError(
                f"judge {self.name!r} gave the quality {quality}; it must be within 0…1"
            )
        return Grade(quality=float(quality), source=self.name, weight=self._options.weight)


def make(context: Context, options: Mapping[str, object]) -> Function:  # noqa: ARG001
    """The factory; options are those of `FunctionOptions`."""
    return Function(FunctionOptions.model_validate(options))
