"""Judges of plain text: the right answer word for word, or a pattern that must be there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from sls_plugins.judges.options import JudgeOptions, ReferenceOptions
from sls_plugins.protocols import Context, Grade
from sls_plugins.types import Answer, Query

__all__ = ["ExactMatch", "ExactOptions", "Pattern", "PatternOptions", "make_exact", "make_pattern"]


class ExactOptions(ReferenceOptions):
    """`fold`: letters' case and the amount of white space do not matter."""

    fold: bool = True


class ExactMatch:
    """1 if the answer is the reference, else 0; no verdict without a reference."""

    def __init__(self, options: ExactOptions) -> None:
        self._options = options
        self.name = options.name or "exact"

    def grade(self, query: Query, answer: Answer) -> Grade | None:
        """Compare with the right answer."""
        wanted = self._options.reference(query)
        if wanted is None:
            return None
        same = self._plain(answer.text) == self._plain(wanted)
        return Grade(quality=float(same), source=self.name, weight=self._options.weight)

    def _plain(self, text: str) -> str:
        return " ".join(text.split()).casefold() if self._options.fold else text


class PatternOptions(JudgeOptions):
    """A regular expression, and whether it must be found, match the whole, or be absent."""

    pattern: re.Pattern[str]
    must: Literal["search", "fullmatch", "absent"] = "search"


class Pattern:
    """1 if the answer meets the regular expression, else 0."""

    def __init__(self, options: PatternOptions) -> None:
        self._options = options
        self.name = options.name or "regex"

    def grade(self, query: Query, answer: Answer) -> Grade:  # noqa: ARG002 - the text alone counts
        """Look for the pattern."""
        pattern, must = self._options.pattern, self._options.must
        text = answer.text.strip()
        if must == "fullmatch":
            met = pattern.fullmatch(text) is not None
        else:
            met = (pattern.search(text) is not None) == (must == "search")
        return Grade(quality=float(met), source=self.name, weight=self._options.weight)


def make_exact(context: Context, options: Mapping[str, object]) -> ExactMatch:  # noqa: ARG001
    """The factory of `exact`; options are those of `ExactOptions`."""
    return ExactMatch(ExactOptions.model_validate(options))


def make_pattern(context: Context, options: Mapping[str, object]) -> Pattern:  # noqa: ARG001
    """The factory of `regex`; options are those of `PatternOptions`."""
    return Pattern(PatternOptions.model_validate(options))
