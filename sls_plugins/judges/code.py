"""A judge of code: it must compile. Nothing is ever run but the compiler."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from sls_plugins.judges.fences import unfenced
from sls_plugins.judges.options import JudgeOptions
from sls_plugins.protocols import Context, Grade
from sls_plugins.types import Answer, Query

__all__ = ["Compiles", "CompilesOptions", "make"]


class CompilesOptions(JudgeOptions):
    """Python, unless `command` says how to check code from standard input (exit code 0 is right).

    For example ``["gcc", "-fsyntax-only", "-x", "c", "-"]``; after `timeout_s` there is no verdict.
    """

    command: tuple[str, ...] = ()
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 10.0


class Compiles:
    """1 if the code in the answer (its first fenced block, if any) compiles, else 0."""

    def __init__(self, options: CompilesOptions) -> None:
        self._options = options
        self.name = options.name or "compiles"

    def grade(self, query: Query, answer: Answer) -> Grade | None:  # noqa: ARG002 - text alone
        """Compile; an empty answer is wrong. OSError if there is no such compiler."""
        code = unfenced(answer.text)
        if not code:
            right: bool | None = False
        elif self._options.command:
            right = self._accepted(code)
        else:
            right = compiles_as_python(code)
        if right is None:
            return None
        return Grade(quality=float(right), source=self.name, weight=self._options.weight)

    def _accepted(self, code: str) -> bool | None:
        try:
            ran = subprocess.run(  # noqa: S603 - the command is the operator's, the code is input
                self._options.command,
                input=code.encode(errors="surrogatepass"),
                capture_output=True,
                timeout=self._options.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
        return ran.returncode == 0


def compiles_as_python(code: str) -> bool:
    """Whether it is a Python program; it is not run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(code, "answer", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return False
    return True


def make(context: Context, options: Mapping[str, object]) -> Compiles:  # noqa: ARG001
    """The factory; options are those of `CompilesOptions`."""
    return Compiles(CompilesOptions.model_validate(options))
