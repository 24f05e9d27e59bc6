"""The demo's workload, its checker, its simulated chat models."""

from __future__ import annotations

from collections import Counter

import pytest
from langchain_core.messages import HumanMessage

from langchain_sls.demo.arithmetic import evaluate
from langchain_sls.demo.loglines import LINES, masked
from langchain_sls.demo.recorded import Cursor, RecordedChatModel
from langchain_sls.demo.simulated import (
    PROFILES,
    SimulatedChatModel,
    SimulatedTime,
    candidates,
)
from langchain_sls.demo.solver import solve
from langchain_sls.demo.tasks import is_right
from langchain_sls.demo.workload import make_workload
from sls_plugins import Candidate
from sls_plugins.evaluation.traces import RecordedOutcome, RoutingRow

STREAM = make_workload(seed=7, queries=400)


def model(place: int, seed: int = 0, clock: SimulatedTime | None = None) -> SimulatedChatModel:
    """One of the four models, the cheapest first."""
    return SimulatedChatModel(character=PROFILES[place], seed=seed, clock=clock)


def test_workload_depends_on_the_seed_only() -> None:
    """The same seed gives the same stream, another seed another one."""
    assert make_workload(seed=7, queries=400) == STREAM
    assert make_workload(seed=8, queries=400) != STREAM


def test_workload_repeats_itself_in_other_words_too() -> None:
    """Some queries are repeated word for word, others in other words."""
    texts = Counter(asked.text for asked in STREAM)
    problems = {asked.problem.phrasings for asked in STREAM if asked.problem.family != "logs"}
    others = {asked.text for asked in STREAM if asked.problem.family != "logs"}

    assert 0.1 < 1 - len(texts) / len(STREAM) < 0.5
    assert len(others) > 1.1 * len(problems)


@pytest.mark.parametrize("seed", range(5))
def test_solver_solves_every_prompt(seed: int) -> None:
    """Each problem's answer is found from its words alone, however it is phrased."""
    for asked in make_workload(seed=seed, queries=200):
        for phrasing in asked.problem.phrasings:
            solution = solve(phrasing)
            assert solution is not None, phrasing
            assert solution.family == asked.problem.family
            assert is_right(asked.problem, solution.answer), (phrasing, solution)


def test_solver_knows_what_it_does_not_know() -> None:
    """Other questions are not answered at random."""
    assert solve("Who wrote Hamlet?") is None
    assert model(0).invoke("Who wrote Hamlet?").text == "I cannot tell."


@pytest.mark.parametrize(
    "text",
    ["", "\n", "It is {wrong}.", "{right}\nor rather {wrong}", "{right}0", "{right}? No, {wrong}"],
)
def test_checker_refuses_wrong_answers(text: str) -> None:
    """Only the last number of the last line counts, and it must be the answer."""
    problem = next(asked.problem for asked in STREAM if asked.problem.family == "arithmetic")
    wrong = int(problem.answer) + 1

    assert not is_right(problem, text.format(right=problem.answer, wrong=wrong))
    assert is_right(problem, f"First I had {wrong}.\nIt is {problem.answer}.")


def test_mistakes_are_mistakes() -> None:
    """A model is right as often as its skill says, because each mistake is refused."""
    asked = [each for each in make_workload(seed=3, queries=1500) if each.problem.family == "logs"]
    distinct = list({each.text: each for each in asked}.values())
    nano = model(0)

    right = sum(is_right(each.problem, nano.invoke(each.text).text) for each in distinct)

    easy, hard = PROFILES[0].skill["logs"]
    expected = sum(easy + (hard - easy) * each.problem.difficulty for each in distinct)
    assert right / len(distinct) == pytest.approx(expected / len(distinct), abs=0.06)


def test_dearer_models_are_better() -> None:
    """Price and skill rise together over the four models."""
    shares = [
        sum(is_right(each.problem, model(place).invoke(each.text).text) for each in STREAM)
        for place in range(4)
    ]
    prices = [candidate.output_usd_per_mtok for candidate in candidates()]

    assert shares == sorted(shares)
    assert prices == sorted(prices, key=lambda price: price or 0)


def test_simulated_model_is_repeatable_and_streams_the_same() -> None:
    """Model, seed and prompt decide the answer, streamed or not; another seed may err elsewhere."""
    prompts = [each.text for each in STREAM[:60]]
    said = [model(0).invoke(prompt) for prompt in prompts]

    for prompt, message in zip(prompts, said, strict=True):
        chunks = list(model(0).stream(prompt))
        assert "".join(chunk.text for chunk in chunks) == message.text
        assert [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata] == [
            message.usage_metadata
        ]
    other = [model(0, seed=1).invoke(prompt).text for prompt in prompts]
    assert other != [message.text for message in said]


def test_time_is_simulated() -> None:
    """An answer takes time on the simulated clock: the longer it is, the more."""
    clock = SimulatedTime(start_s=0.0)
    model(0, clock=clock).invoke("What is 2 + 3?")
    quick = clock()
    model(3, clock=clock).invoke("What is 2 + 3?")

    assert 0 < quick < 1 < clock() - quick


def test_recorded_model_gives_its_own_record() -> None:
    """A recorded model gives its own recorded answer and bill, and only at the cursor."""
    cursor, clock = Cursor(), SimulatedTime(start_s=0.0)
    cursor.row = RoutingRow(
        query_id="q1",
        prompt="Is it?",
        outcomes={
            "mine": RecordedOutcome(score=1, cost_usd=0.25, latency_s=3, response="It is."),
            "theirs": RecordedOutcome(score=0, cost_usd=9, response="No."),
        },
    )
    mine = RecordedChatModel(
        candidate=Candidate(name="mine", input_usd_per_mtok=1, output_usd_per_mtok=1),
        cursor=cursor,
        count_tokens=len,
        clock=clock,
    )

    message = mine.invoke([HumanMessage("Is it?")])

    assert message.text == "It is."
    assert message.response_metadata["token_usage"]["cost"] == 0.25
    assert clock() == 3
    with pytest.raises(LookupError):
        mine.invoke("Something else?")


@pytest.mark.parametrize(
    ("text", "value"), [("2 + 3 * 4", 14), ("(2 - 5) * 3", -9), ("7", 7), ("1 - (2 - 3)", 2)]
)
def test_expressions(text: str, value: int) -> None:
    """Products bind closer than sums, brackets closest."""
    assert evaluate(text) == value


@pytest.mark.parametrize("text", ["2 / 3", "2 ** 9", "a + 1", "1 +", "True", "'7'", "2.5"])
def test_other_expressions_are_refused(text: str) -> None:
    """Nothing but whole numbers and + - * is worked out."""
    with pytest.raises(ValueError, match=r"expression|whole numbers"):
        evaluate(text)


def test_log_templates_are_found_in_their_lines() -> None:
    """Templates differ from one another, and fixed words stay."""
    assert len({line.answer for line in LINES}) == len(LINES)
    line = "Login of user='ada' from 10.0.0.1 refused: try 3, file /var/x"
    assert masked(line) == "Login of user=<*> from <*> refused: try <*>, file <*>"
