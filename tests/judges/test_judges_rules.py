"""Judges that come with SLS, one rule each."""

from __future__ import annotations

import sys
import time

import pytest

from sls_plugins import Answer, Query
from sls_plugins.errors import InvalidFeedbackError, SettingsError, UnknownCandidateError
from sls_plugins.plugins import Plugins
from sls_plugins.protocols import Context, PaidJudge
from sls_plugins.types import Candidate, Usage

DEAR = Candidate(name="dear", input_usd_per_mtok=10.0, output_usd_per_mtok=30.0)
CONTEXT = Context(candidates=(DEAR,), clock=time.time)
QUERY = Query(text="What is 6 x 7?", id="q1")


def judge(kind: str, **options: object):
    return Plugins.load(names=()).make("judge", kind, CONTEXT, options)


def grade(kind: str, text: str, **options: object) -> float | None:
    verdict = judge(kind, **options).grade(QUERY, Answer(text=text, decision_id="d1"))
    return None if verdict is None else verdict.quality


@pytest.mark.parametrize(
    ("text", "options", "quality"),
    [
        ("  PARIS\n", {"references": {"q1": "Paris"}}, 1.0),
        ("  PARIS\n", {"references": {"q1": "Paris"}, "fold": False}, 0.0),
        ("Lyon", {"references": {"What is 6 x 7?": "Paris"}}, 0.0),
        ("Lyon", {"references": {"q2": "Paris"}}, None),
        ("42", {"references": lambda query: "42" if query.id == "q1" else None}, 1.0),
    ],
)
def test_exact_compares_with_the_reference(text, options, quality) -> None:
    """The right answer is found by id, text or function; without one there is no verdict."""
    assert grade("exact", text, **options) == quality


@pytest.mark.parametrize(
    ("must", "text", "quality"),
    [
        ("search", "I say 42 now", 1.0),
        ("fullmatch", "I say 42 now", 0.0),
        ("fullmatch", " 42 ", 1.0),
        ("absent", "I say 42 now", 0.0),
        ("absent", "no", 1.0),
    ],
)
def test_regex_wants_its_pattern(must, text, quality) -> None:
    """A pattern may have to be found, to match the whole answer, or to be absent."""
    assert grade("regex", text, pattern=r"\d+", must=must) == quality


@pytest.mark.parametrize(
    ("text", "quality"),
    [
        ("It is 1,250.5 km.", 1.0),
        ("First 3, then about 1260", 1.0),
        ("1300", 0.0),
        ("none", 0.0),
        ("-1250", 0.0),
    ],
)
def test_numeric_has_a_tolerance(text, quality) -> None:
    """The last number of the answer counts, within the larger of both tolerances."""
    assert grade("numeric", text, references={"q1": "1250"}, relative=0.01) == quality


def test_numeric_without_a_number_to_meet_says_nothing() -> None:
    """A reference without a number gives no verdict."""
    assert grade("numeric", "7", references={"q1": "seven"}) is None


@pytest.mark.parametrize(
    ("text", "quality"),
    [
        ('{"age": 3}', 1.0),
        ('Here:\n```json\n{"age": 3}\n```\nDone.', 1.0),
        ('{"age": "three"}', 0.0),
        ("age: 3", 0.0),
        ("[" * 100_000, 0.0),
    ],
)
def test_json_must_meet_its_schema(text, quality) -> None:
    """Valid JSON that the schema allows is right, in Markdown fences too."""
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}}
    assert grade("json-schema", text, json_schema=schema) == quality


def test_a_wrong_schema_is_named_at_once() -> None:
    """What is no schema is refused when the judge is made."""
    with pytest.raises(SettingsError, match="nonsense"):
        judge("json-schema", json_schema={"type": "nonsense"})


@pytest.mark.parametrize(
    ("text", "quality"),
    [
        ("```python\nprint(1)\n```", 1.0),
        ("x = (", 0.0),
        ("", 0.0),
        ("x = '\\0'\0", 0.0),
        ("(" * 5000, 0.0),
        ("raise SystemExit", 1.0),
    ],
)
def test_code_must_compile_and_is_not_run(text, quality) -> None:
    """Python that parses is right; nothing of it is executed."""
    assert grade("compiles", text) == quality


def test_code_of_other_languages_goes_to_their_compiler() -> None:
    """A command reads the code from standard input; its exit code is the verdict."""
    check = "import sys; sys.exit('good' not in sys.stdin.read())"
    command = [sys.executable, "-c", check]
    assert grade("compiles", "good", command=command) == 1.0
    assert grade("compiles", "bad", command=command) == 0.0


def test_a_compiler_that_hangs_says_nothing() -> None:
    """After the timeout there is no verdict."""
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    assert grade("compiles", "x", command=command, timeout_s=0.2) is None


def test_a_function_judges() -> None:
    """True is 1, None is no verdict, and a text names a function to import."""
    assert grade("function", "yes", function=lambda query, answer: answer.text == "yes") == 1.0
    assert grade("function", "yes", function=lambda query, answer: None) is None
    assert (
        judge("function", function="sls_plugins.judges.numeric:last_number").name == "last_number"
    )
    with pytest.raises(InvalidFeedbackError, match=r"1\.5"):
        grade("function", "yes", function=lambda query, answer: 1.5)


def asked(text: str = "8", **options: object):
    calls: list[Query] = []

    def call(candidate: Candidate, query: Query) -> Answer:
        calls.append(query)
        return Answer(text=text, usage=Usage(input_tokens=100, output_tokens=10))

    return judge("model", candidate="dear", call=call, **options), calls


def test_a_model_judges_a_share_of_the_answers() -> None:
    """About the set rate of decisions is judged, the same ones every time."""
    one, calls = asked(rate=0.2)
    answers = [Answer(text="x", candidate="cheap", decision_id=f"d{i}") for i in range(1000)]
    first = [one.grade(QUERY, answer) is not None for answer in answers]
    assert 150 < len(calls) < 250
    assert first == [one.grade(QUERY, answer) is not None for answer in answers]
    assert isinstance(one, PaidJudge)


@pytest.mark.parametrize(
    ("said", "quality", "weight"),
    [("8", 0.8, 1.0), ("Score: 10", 1.0, 1.0), ("7.5/10", 0.75, 1.0), ("good", 0.0, 0.0)],
)
def test_a_models_verdict_is_read_and_paid(said, quality, weight) -> None:
    """The number is read; whatever was said costs what the candidate's prices say."""
    one, calls = asked(said, rate=1.0)
    verdict = one.grade(QUERY, Answer(text="42", candidate="cheap", decision_id="d"))
    assert (verdict.quality, verdict.weight) == (quality, weight)
    assert verdict.cost_usd == pytest.approx((100 * 10 + 10 * 30) / 1e6)
    assert "42" in calls[0].text
    assert QUERY.text in calls[0].text
    assert one.cost_high_usd(QUERY, Answer(text="42", decision_id="d")) > verdict.cost_usd


def test_a_model_does_not_judge_itself() -> None:
    """Its own answers are judged only if that is asked for."""
    mine = Answer(text="x", candidate="dear", decision_id="d")
    assert asked(rate=1.0)[0].grade(QUERY, mine) is None
    assert asked(rate=1.0, own=True)[0].grade(QUERY, mine) is not None


def test_options_that_cannot_be_meant_are_named() -> None:
    """A judge's wrong option is a settings error with its key; an unknown candidate is listed."""
    with pytest.raises(SettingsError, match=r"judge\.options\.rate"):
        asked(rate=1.5)
    with pytest.raises(SettingsError, match=r"judge\.options\.pattern"):
        judge("regex", pattern="(")
    with pytest.raises(UnknownCandidateError, match="nobody"):
        judge("model", candidate="nobody", call=lambda candidate, query: None)
