"""Evaluators of LangChain and LangSmith as judges: their scores are learnt from at once."""

from __future__ import annotations

import inspect
import uuid
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from langsmith.evaluation import RunEvaluator
from langsmith.schemas import Run

from sls_plugins.errors import InputError
from sls_plugins.hookspecs import hookimpl
from sls_plugins.protocols import Context, Grade
from sls_plugins.types import Answer, Query

__all__ = ["EvaluatorJudge", "score_of"]


class EvaluatorJudge:
    """Asks an evaluator about each answer, or about a share of them.

    It is a judge and the plugin that brings it: ``build(Settings(…, judges=[judge.name]),
    plugins=[judge])``. An evaluator is a `RunEvaluator` of LangSmith, a string evaluator of
    LangChain (`evaluate_strings`), or a function of any of `inputs`, `outputs` and
    `reference_outputs`, as LangSmith's are. It sees the query as ``{"input": …}`` and the answer as
    ``{"output": …}``, and gives a score 0…1, true or false, or a result that holds one.
    `reference_of` tells the right answer to a query, where one is known.
    """

    def __init__(
        self,
        evaluator: Any,
        *,
        name: str = "",
        rate: float = 1.0,
        weight: float = 1.0,
        reference_of: Callable[[Query], str | None] | None = None,
    ) -> None:
        """`rate` is the share of answers (0…1) that are judged, `weight` what a grade counts."""
        self._score = _scorer(evaluator)
        self._rate = rate
        self._weight = weight
        self._reference_of = reference_of
        own = getattr(evaluator, "__name__", "") or type(evaluator).__name__
        self.name = name or own

    @hookimpl
    def sls_judges(self) -> Mapping[str, Callable[..., EvaluatorJudge]]:
        """This judge under its name."""
        return {self.name: self._made}

    def grade(self, query: Query, answer: Answer) -> Grade | None:
        """The evaluator's verdict; None if it was not asked, or had none."""
        draw = zlib.crc32(answer.decision_id.encode("utf-8", "surrogatepass")) / 2**32
        if draw >= self._rate:
            return None
        reference = self._reference_of(query) if self._reference_of is not None else None
        score = score_of(self._score(query.text, answer.text, reference))
        if score is None:
            return None
        return Grade(quality=score, source=self.name, weight=self._weight)

    def _made(self, context: Context, options: Mapping[str, object]) -> EvaluatorJudge:
        """As plugins make parts; all was said when this judge was made."""
        del context
        if options:
            raise InputError(f"the judge {self.name!r} takes no options in the settings")
        return self


def score_of(result: Any) -> float | None:
    """The score 0…1 in what an evaluator gave; None if it gave none. Raises InputError."""
    if isinstance(result, Mapping) and "results" in result:
        scores = [score for each in result["results"] if (score := score_of(each)) is not None]
        return sum(scores) / len(scores) if scores else None
    score = result.get("score") if isinstance(result, Mapping) else result
    score = getattr(score, "score", score)
    if score is None:
        return None
    if not isinstance(score, bool | int | float) or not 0 <= score <= 1:
        raise InputError(f"an evaluator's score must be within 0…1, not {score!r}")
    return float(score)


def _scorer(evaluator: Any) -> Callable[[str, str, str | None], Any]:
    """How this kind of evaluator is asked. Raises InputError for what is none."""
    if isinstance(evaluator, RunEvaluator):
        return lambda asked, said, _reference: evaluator.evaluate_run(_run(asked, said))
    if hasattr(evaluator, "evaluate_strings"):
        return lambda asked, said, reference: evaluator.evaluate_strings(
            prediction=said, input=asked, reference=reference
        )
    if not callable(evaluator):
        raise InputError(
            f"a {type(evaluator).__name__} is no evaluator: give a RunEvaluator, an object with "
            "evaluate_strings, or a function of inputs and outputs"
        )
    wanted = set(inspect.signature(evaluator).parameters)
    unknown = wanted - {"inputs", "outputs", "reference_outputs"}
    if unknown:
        raise InputError(f"an evaluator is not told {', '.join(sorted(unknown))}")

    def score(asked: str, said: str, reference: str | None) -> Any:
        told = {
            "inputs": {"input": asked},
            "outputs": {"output": said},
            "reference_outputs": None if reference is None else {"output": reference},
        }
        return evaluator(**{name: told[name] for name in wanted})

    return score


def _run(asked: str, said: str) -> Run:
    """The answer as LangSmith's evaluators see one."""
    run_id = uuid.uuid4()
    return Run(
        id=run_id,
        trace_id=run_id,
        name="sls",
        run_type="llm",
        start_time=datetime.now(UTC),
        inputs={"input": asked},
        outputs={"output": said},
    )
