"""Evaluators of LangChain and LangSmith as judges of an engine."""

from __future__ import annotations

from typing import Any

import pytest
from langsmith.evaluation import EvaluationResult, run_evaluator

from langchain_sls import ChatSLS
from langchain_sls.judges import EvaluatorJudge, score_of
from langchain_sls.testing import ScriptedChatModel
from sls_plugins import Answer, Budget, Candidate, Engine, Query, Settings, build
from sls_plugins.errors import InputError

CANDIDATE = Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4)


def brief(outputs: dict[str, str]) -> bool:
    """Whether an answer is short, as LangSmith's functions say it."""
    return len(outputs["output"]) < 10


def told(inputs: dict[str, str], reference_outputs: dict[str, str] | None) -> float:
    """Whether the right answer is known."""
    return float(reference_outputs == {"output": inputs["input"].upper()})


class Strings:
    """A string evaluator, as LangChain has them."""

    def evaluate_strings(self, *, prediction: str, input: str, reference: Any) -> Any:  # noqa: A002
        return {"score": 0.25 if prediction == "Fine." and input and reference is None else None}


@run_evaluator
def graded(run: Any, example: Any = None) -> EvaluationResult:
    """A run evaluator, as LangSmith has them."""
    return EvaluationResult(key="graded", score=0.5 if run.outputs["output"] == "Fine." else 0.0)


@pytest.mark.parametrize(("evaluator", "quality"), [(brief, 1.0), (Strings(), 0.25), (graded, 0.5)])
def test_what_evaluators_say_is_learnt(evaluator: Any, quality: float) -> None:
    """Each answer is graded at once, under the judge's name."""
    judge = EvaluatorJudge(evaluator, name="mine")
    settings = Settings(
        candidates=(CANDIDATE,),
        budget=Budget(price=1.0),
        encoder="hashing",
        index="memory",
        judges=("mine",),
        plugins=(),
    )
    with build(settings, plugins=[judge]) as engine:
        ChatSLS(engine, {"small": ScriptedChatModel(model_name="small")}).invoke("How are you?")

        (line,) = engine.parts.log.after(0, 9)
    assert (line.quality, line.quality_source) == (quality, "mine")


def test_right_answers_are_told_where_they_are_known(engine: Engine) -> None:
    """An evaluator that wants a reference is given it; some answers may go unjudged."""
    judge = EvaluatorJudge(told, reference_of=lambda query: query.text.upper())
    query, answer = _asked(engine)

    grade = judge.grade(query, answer)

    assert grade is not None
    assert (grade.quality, grade.source) == (1.0, "told")
    assert EvaluatorJudge(told, rate=0.0).grade(query, answer) is None


@pytest.mark.parametrize(
    ("result", "score"),
    [
        (True, 1.0),
        (0.3, 0.3),
        ({"score": 0.4}, 0.4),
        ({"score": None}, None),
        (None, None),
        (EvaluationResult(key="k", score=1), 1.0),
        ({"results": [EvaluationResult(key="k", score=1), {"score": 0.0}, None]}, 0.5),
    ],
)
def test_scores_are_found(result: Any, score: float | None) -> None:
    """Whatever form a score comes in, it is found."""
    assert score_of(result) == score


def test_what_is_no_evaluator_is_refused() -> None:
    """Odd objects, functions of other things and scores out of range are told as such."""
    with pytest.raises(InputError, match="no evaluator"):
        EvaluatorJudge(3)
    with pytest.raises(InputError, match="weather"):
        EvaluatorJudge(lambda weather: 1.0)
    with pytest.raises(InputError, match="within"):
        score_of(7)


def _asked(engine: Engine) -> tuple[Query, Answer]:
    """A query and its answer."""
    query = Query(text="How are you?")
    return query, engine.answer(query, lambda candidate, _: Answer(text="Fine."))
