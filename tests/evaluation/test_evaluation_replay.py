"""The replay: what the engine is told, when, and what is written of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sls_plugins.assembly import build
from sls_plugins.evaluation.cache_replay import CacheResult, cache_replay
from sls_plugins.evaluation.files import decision_line, write_decisions
from sls_plugins.evaluation.receipts import Receipts
from sls_plugins.evaluation.replay import ReplayOptions, replay
from sls_plugins.evaluation.results import Decided, ReplayResult
from sls_plugins.evaluation.traces import CacheRow, RecordedOutcome, RoutingRow
from sls_plugins.evaluation.world import Ids, VirtualClock
from sls_plugins.hookspecs import hookimpl
from sls_plugins.settings import Budget, CacheSettings, Settings
from sls_plugins.types import Candidate, Outcome, OutcomeKind, Query, Source

CANDIDATES = (
    Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.2),
    Candidate(name="large", input_usd_per_mtok=3.0, output_usd_per_mtok=9.0),
)
WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven", "inlet", "kelp")
FIELDS = [
    "query_id",
    "source",
    "candidate",
    "cost_usd",
    "quality",
    "from_query_id",
    "propensity",
    "predicted_quality",
    "predicted_cost_usd",
]


def row(number: int, **changes: object) -> RoutingRow:
    """A query unlike the others, which the large model always answers rightly."""
    word, other = WORDS[number % 10], WORDS[number // 10 % 10]
    outcomes = {
        "small": RecordedOutcome(
            score=float(number % 3 == 0),
            cost_usd=0.001,
            response="right" if number % 3 == 0 else "no",
        ),
        "large": RecordedOutcome(score=1.0, cost_usd=0.02, response="right"),
    }
    told: dict[str, object] = {
        "query_id": f"q{number}",
        "prompt": f"Please explain {word} to a {other} keeper",
        "outcomes": outcomes,
        "reference": "right",
    }
    return RoutingRow.model_construct(**{"task": "", "split": None, **told, **changes})


class Log:
    """An observer plugin that keeps what was learnt, and how many queries were decided by then."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, Outcome]] = []
        self.decided = 0

    @hookimpl
    def sls_decided(self, query: Query) -> None:
        self.decided += 1

    @hookimpl
    def sls_learned(self, outcome: Outcome) -> None:
        self.lines.append((self.decided, outcome))

    def grades(self) -> list[tuple[int, Outcome]]:
        return [line for line in self.lines if line[1].kind is OutcomeKind.GRADED]


def run(
    rows: list[RoutingRow],
    options: ReplayOptions | None = None,
    *,
    log: Log | None = None,
    cache: bool = True,
    candidates: tuple[Candidate, ...] = CANDIDATES,
) -> ReplayResult:
    clock, receipts = VirtualClock(), Receipts()
    settings = Settings(
        candidates=candidates,
        budget=Budget(price=1.0),
        encoder="hashing",
        index="memory",
        cache=CacheSettings(enabled=cache),
        plugins=(),
    )
    plugins = [receipts, log] if log else [receipts]
    with build(settings, clock=clock, ids=Ids(), plugins=plugins) as engine:
        return replay(rows, engine, receipts, options or ReplayOptions(), lambda _row: clock.tick())


class Sealed(Mapping[str, RecordedOutcome]):
    """Outcomes of which one may be looked at: the first that is asked for."""

    def __init__(self, outcomes: Mapping[str, RecordedOutcome]) -> None:
        self._outcomes = outcomes
        self.opened: set[str] = set()

    def __getitem__(self, name: str) -> RecordedOutcome:
        self.opened.add(name)
        if len(self.opened) > 1:
            raise AssertionError(f"a second outcome was looked at: {name}")
        return self._outcomes[name]

    def __contains__(self, name: object) -> bool:
        return name in self._outcomes

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("all outcomes were looked at")

    def __len__(self) -> int:
        return len(self._outcomes)


class Secret:
    """A reference that nobody may compare."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("the reference was looked at")

    __hash__ = None  # type: ignore[assignment]


def test_only_the_chosen_outcome_is_looked_at() -> None:
    """Of every called row one outcome is read: that of the candidate which was chosen."""
    rows = [row(n, outcomes=Sealed(row(n).outcomes), reference=Secret()) for n in range(40)]
    result = run(rows, cache=False)
    chosen = [decided.candidate for decided in result.decided]
    opened = [set(each.outcomes.opened) for each in rows]  # type: ignore[attr-defined]
    assert opened == [{name} for name in chosen]


def test_the_engine_is_told_no_reference_and_no_split() -> None:
    """What reaches the log of a query is its id, text and task."""
    log = Log()
    run([row(1, task="sums", split="test", reference="a secret")], log=log)
    [query] = {line.query.id: line.query for _, line in log.lines}.values()
    assert (query.id, query.text, query.task) == ("q1", row(1).prompt, "sums")
    assert "a secret" not in repr(log.lines)
    assert query.payload is None


def test_two_runs_are_identical() -> None:
    """With one seed every decision, estimate and propensity is the same, bit for bit."""
    rows = [row(n % 25, query_id=f"q{n}") for n in range(60)]
    options = ReplayOptions(feedback_rate=0.6, feedback_delay=3, seed=4)
    assert run(rows, options).decided == run(rows, options).decided


def test_decisions_are_written_in_order(tmp_path: Path) -> None:
    """Every decided row is a line with the named fields; only warm rows say that they are warm."""
    rows = [row(1, split="new"), row(2, split="old"), row(3, split="new"), row(4, split="old")]
    result = run(rows, ReplayOptions(warm_split="old"))
    lines = [decision_line(decided) for decided in result.decided]
    assert [line["query_id"] for line in lines] == ["q2", "q4", "q1", "q3"]
    assert [line.get("warm") for line in lines] == [True, True, None, None]
    assert [list(line) for line in lines[2:]] == [FIELDS, FIELDS]
    assert [decided.query_id for decided in result.counted] == ["q1", "q3"]
    write_decisions(tmp_path / "d.jsonl", result.decided)
    assert (tmp_path / "d.jsonl").read_text().count("\n") == 4
    assert [path.name for path in tmp_path.iterdir()] == ["d.jsonl"]


def test_a_called_row_tells_what_was_recorded() -> None:
    """Quality and cost are the trace's, with the estimates and propensity of the choice."""
    [decided] = run([row(1)]).decided
    outcome = row(1).outcomes[decided.candidate or ""]
    assert (decided.source, decided.quality) == (Source.MODEL, outcome.score)
    assert decided.cost_usd == outcome.cost_usd
    assert decided.from_query_id is None
    assert 0 < (decided.propensity or 0) <= 1
    assert 0 <= (decided.predicted_quality or -1) <= 1
    assert (decided.predicted_cost_usd or 0) > 0


def hit_on(second: RoutingRow, first: RoutingRow) -> Decided:
    decided = run([first, second], ReplayOptions(feedback_rate=0)).decided[1]
    assert decided.source is Source.CACHE
    assert (decided.cost_usd, decided.from_query_id, decided.propensity) == (0, "q0", 1.0)
    return decided


@pytest.mark.parametrize(("reference", "quality"), [("right", 1.0), ("wrong", 0.0)])
def test_a_hit_is_right_if_it_equals_the_reference(reference: str, quality: float) -> None:
    """The stored answer's text is held against this row's own reference."""
    assert hit_on(row(0, query_id="q9", reference=reference), row(0)).quality == quality


def test_without_a_reference_an_identical_prompt_is_right() -> None:
    """Then a hit is right if it answered the same prompt, letter for letter."""
    first = row(0, reference=None)
    assert hit_on(row(0, query_id="q9", reference=None), first).quality == 1.0
    padded = row(0, query_id="q9", reference=None, prompt=f"{first.prompt} ")
    assert hit_on(padded, first).quality == 0.0


def test_an_answer_that_was_not_recorded_has_a_stable_stand_in() -> None:
    """It names the model and the query, and equals no other answer."""
    silent = {name: RecordedOutcome(score=1, cost_usd=0.1) for name in ("small", "large")}
    log = Log()
    run([row(n, outcomes=silent) for n in range(6)], log=log)
    texts = {(line.candidate, line.query.id): line.answer_text for _, line in log.lines}
    assert texts == {key: f"answer of {key[0]} to {key[1]}" for key in texts}
    assert len(set(texts.values())) == 6


def test_grades_come_late_and_in_order() -> None:
    """A grade comes right after as many further queries as the delay says, the rest at the end."""
    log = Log()
    run([row(n) for n in range(6)], ReplayOptions(feedback_delay=2), log=log, cache=False)
    assert [(when, line.query.id) for when, line in log.grades()] == [
        (3, "q0"),
        (4, "q1"),
        (5, "q2"),
        (6, "q3"),
        (6, "q4"),
        (6, "q5"),
    ]


def test_grades_are_the_chosen_models_scores() -> None:
    """Quality is the score of the model that was called, from the source "trace"."""
    log = Log()
    result = run([row(n) for n in range(12)], log=log, cache=False)
    told = [(line.candidate, line.quality, line.quality_source) for _, line in log.grades()]
    assert told == [(each.candidate, each.quality, "trace") for each in result.decided]


def test_a_share_of_answers_is_graded_whatever_happens() -> None:
    """Which queries may be graded hangs on seed and query alone, not on what was chosen."""
    rows = [row(n) for n in range(90)]
    one, other = Log(), Log()
    run(rows, ReplayOptions(feedback_rate=0.3), log=one, cache=False)
    run(rows, ReplayOptions(feedback_rate=0.3), log=other, cache=False, candidates=CANDIDATES[:1])
    graded = [line.query.id for _, line in one.grades()]
    assert graded == [line.query.id for _, line in other.grades()]
    assert 0.15 < len(graded) / 90 < 0.45
    third = Log()
    run(rows, ReplayOptions(feedback_rate=0.3, seed=1), log=third, cache=False)
    assert graded != [line.query.id for _, line in third.grades()]


def test_hits_are_never_graded() -> None:
    """On a hit nothing is revealed: repeats of one text bring one grade."""
    log = Log()
    result = run([row(0, query_id=f"q{n}") for n in range(5)], log=log)
    hits = [decided for decided in result.decided if decided.source is Source.CACHE]
    assert len(hits) >= 3
    assert len(log.grades()) == 5 - len(hits)


def test_a_query_that_nobody_can_answer_counts_as_bad() -> None:
    """It has quality 0, costs nothing, names no candidate, and the replay goes on."""
    tiny = tuple(
        Candidate(
            name=each.name, input_usd_per_mtok=1.0, output_usd_per_mtok=1.0, context_window=4000
        )
        for each in CANDIDATES
    )
    long = row(1, prompt="word " * 5000)
    first, second = run([long, row(2)], candidates=tiny).decided
    assert (first.candidate, first.quality, first.cost_usd) == (None, 0.0, 0.0)
    assert second.candidate is not None


@pytest.mark.parametrize("wrong", [{"feedback_rate": 1.5}, {"feedback_delay": -1}])
def test_an_impossible_world_is_refused(wrong: dict[str, float]) -> None:
    """Rates are within 0…1, delays not negative."""
    with pytest.raises(ValueError, match="must be"):
        ReplayOptions(**wrong)  # type: ignore[arg-type]


def run_cache(rows: list[CacheRow]) -> CacheResult:
    clock, receipts = VirtualClock(), Receipts()
    settings = Settings(candidates=CANDIDATES[:1], encoder="hashing", index="memory", plugins=())
    with build(settings, clock=clock, ids=Ids(), plugins=[receipts]) as engine:
        return cache_replay(rows, engine, receipts, lambda _row: clock.tick())


def cached(number: int, text: str, group: str, stream: str = "") -> CacheRow:
    return CacheRow(query_id=f"q{number}", text=text, group=group, stream=stream)


def test_the_cache_alone_counts_right_and_wrong_hits() -> None:
    """A hit is right if it came from the same group; a repeat of the text is an exact one."""
    rows = [
        cached(1, "where is my parcel", "parcel"),
        cached(2, "where is my parcel", "parcel"),
        cached(3, "where is my parcel", "lost parcel"),
        cached(4, "open an account", "account"),
    ]
    result = run_cache(rows)
    assert [decided.line() for decided in result.decided] == [
        {"query_id": "q1", "hit": False, "from_query_id": None},
        {"query_id": "q2", "hit": True, "from_query_id": "q1"},
        {"query_id": "q3", "hit": True, "from_query_id": "q1"},
        {"query_id": "q4", "hit": False, "from_query_id": None},
    ]
    facts = result.facts()
    assert (facts["hit_rate"], facts["ideal_hit_rate"], facts["groups"]) == (0.5, 0.25, 3)
    wrong = facts["wrong_hits"]
    assert isinstance(wrong, dict)
    assert (wrong["count"], wrong["share"], facts["exact_hits"]) == (1, 0.5, 2)
    assert facts["found_share"] == 1.0
    assert facts["saved_usd"] is None


def test_streams_share_no_answers() -> None:
    """The same text in another stream is a miss."""
    rows = [cached(1, "disk is full", "a", "web"), cached(2, "disk is full", "b", "mail")]
    assert [decided.hit for decided in run_cache(rows).decided] == [False, False]
