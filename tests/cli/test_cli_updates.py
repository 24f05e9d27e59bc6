"""Commands that look after a database: events, feedback, snapshots, what if."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sls_plugins import Answer, Budget, Candidate, Engine, Query, Settings, Usage, build
from sls_plugins.cli import app
from sls_plugins.settings import LearningSettings, PartSettings
from sls_plugins.types import Event, Feedback

NAMES = ("small", "large")


def opened(
    folder: Path, names: tuple[str, ...] = NAMES, ids: Callable[[], str] | None = None
) -> Engine:
    candidates = [
        Candidate(name=name, input_usd_per_mtok=price, output_usd_per_mtok=price)
        for name, price in zip(names, (1.0, 20.0), strict=True)
    ]
    settings = Settings(
        candidates=candidates,
        budget=Budget(price=20.0),
        encoder=PartSettings(name="hashing"),
        index=PartSettings(name="memory"),
        folder=folder,
        learning=LearningSettings(every_s=0),
    )
    return build(settings, ids=ids)


def call(candidate: Candidate, query: Query) -> Answer:
    return Answer(text=f"{query.text}!", usage=Usage(input_tokens=100, output_tokens=100))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with 60 graded answers and an event."""
    numbers = count()
    with opened(tmp_path, ids=lambda: f"decision {next(numbers)}") as engine:
        for number in range(60):
            answer = engine.answer(Query(text=f"question {number}", task="t"), call)
            quality = 1.0 if answer.candidate == "large" else float(number % 3 > 0)
            engine.feedback(answer.decision_id, quality, source="test")
        answer = engine.answer(Query(text="question 3", task="t"), call)
        assert answer.source == "cache"
        engine.parts.manager._upkeep.note(Event(id="e", kind="drift", text="it fell"))
    return tmp_path / "sls.db"


def sls(*arguments: object, code: int = 0) -> str:
    ran = CliRunner().invoke(app, [str(one) for one in arguments], env={"COLUMNS": "200"})
    assert ran.exit_code == code, ran.output
    return ran.output


def test_events_are_shown(database: Path, tmp_path: Path) -> None:
    """As a table, and for programs."""
    assert "it fell" in sls("events", "-d", database, "--json", tmp_path / "e.json")
    assert json.loads((tmp_path / "e.json").read_text())["events"][0]["kind"] == "drift"
    assert "it fell" in sls("events", "-d", tmp_path)
    assert "no database" in sls("events", "-d", tmp_path / "none.db", code=2)


def test_feedback_is_imported_once(database: Path, tmp_path: Path) -> None:
    """What is known of its decision is taken in, a repetition is not, the rest waits."""
    with opened(tmp_path) as engine:
        name = engine.answer(Query(text="new one", task="t"), call).decision_id
    file = tmp_path / "labels.csv"
    file.write_text(f"run_id,score,key\n{name},1,correct\nunknown,0,correct\n")
    told = sls("feedback", "import", file, "-d", database)
    assert "1 taken in, 0 known before, 1 waiting" in told
    assert "0 taken in, 1 known before, 1 waiting" in sls(
        "feedback", "import", file, "-d", database
    )
    with opened(tmp_path) as engine:
        line = engine.parts.log.after(0, 1000)[-1]
        assert (line.decision_id, line.quality, line.quality_source) == (name, 1.0, "correct")
        assert engine.parts.learner.seq == line.seq
        assert engine.updates.waiting() == 1
    file.write_text(f"run_id,score,key\n{name},2,correct\n{name},0,other\n")
    assert "line 2: quality" in sls("feedback", "import", file, "-d", database, code=2)
    told = sls("feedback", "import", file, "-d", database, "--skip-bad")
    assert "line 2: quality" in told
    assert "1 taken in" in told


def test_snapshots_are_kept_compared_and_restored(database: Path, tmp_path: Path) -> None:
    """What was learnt comes back bit for bit, by name or from a file."""
    file = tmp_path / "state.npz"
    sls("snapshot", "save", "before", "-d", database)
    sls("snapshot", "save", "--file", file, "-d", database)
    with opened(tmp_path) as engine:
        before = engine.parts.predictor.save()
        for number in range(20):
            answer = engine.answer(Query(text=f"later {number}", task="t"), call)
            engine.feedback(answer.decision_id, 0.0, source="test")
    assert "before" in sls("snapshot", "list", "-d", database)
    assert "differs by" in sls("snapshot", "diff", "before", "-d", database)
    for source in (("before",), ("--file", file)):
        sls("snapshot", "load", *source, "-d", database)
        assert "They are the same" in sls("snapshot", "diff", "before", "-d", database)
        assert "They are the same" in sls("snapshot", "diff", file, "-d", database)
        with opened(tmp_path) as engine:
            after = engine.parts.predictor.save()
            assert all((before[key] == after[key]).all() for key in before)
    nowhere = tmp_path / "none" / "state.npz"
    assert "cannot be written" in sls("snapshot", "save", "--file", nowhere, "-d", database, code=2)
    assert "kept are: before, learnt" in sls("snapshot", "load", "none", "-d", database, code=2)


def test_a_foreign_snapshot_is_refused_or_mapped(database: Path, tmp_path: Path) -> None:
    """Other candidates are refused with a hint, and taken when they are mapped by name."""
    file, other = tmp_path / "state.npz", tmp_path / "other"
    sls("snapshot", "save", "--file", file, "-d", database)
    with opened(other, ("tiny", "huge")) as engine:
        engine.answer(Query(text="one"), call)
    there = other / "sls.db"
    told = sls("snapshot", "load", "--file", file, "-d", there, code=2)
    assert "not here: small, large" in told
    assert "--map" in told
    sls("snapshot", "load", "--file", file, "-d", there,
        "--map", "small=tiny", "--map", "large=huge")  # fmt: skip
    with opened(other, ("tiny", "huge")) as engine:
        tiny, huge = engine.plan(Query(text="question 99", task="t")).estimates
        assert huge.quality > tiny.quality
    told = sls("snapshot", "load", "--file", file, "-d", there, "--map", "small=huge",
               "--map", "large=huge", code=2)  # fmt: skip
    assert "both be 'huge'" in told
    assert "no snapshot" in sls("snapshot", "load", "--file", Path(__file__), "-d", there, code=2)


def test_a_snapshot_of_another_encoder_is_refused(database: Path, tmp_path: Path) -> None:
    """Vectors of two encoders never meet."""
    with opened(tmp_path) as engine:
        state = engine.parts.predictor.save()
        engine.parts.learner.keeper.snapshots.save(
            "foreign", state, seq=1, fingerprint="another encoder", now_s=1.0
        )
    told = sls("snapshot", "load", "foreign", "-d", database, code=2)
    assert "another encoder" in told


def test_what_if_is_told_from_receipts(database: Path, tmp_path: Path) -> None:
    """A higher price, a smaller set, one candidate for all, and a stricter cache."""
    facts = tmp_path / "w.json"
    found = {}
    for name, options in {
        "dear": ("--price", 10_000),
        "large": ("--policy", "large"),
        "alone": ("--without", "large"),
        "poor": ("--budget", 0.0003),
    }.items():
        sls("whatif", "-d", database, *options, "--json", facts)
        found[name] = json.loads(facts.read_text())
    assert found["dear"]["usd_per_query"][0] < found["large"]["usd_per_query"][0]
    assert found["alone"]["usd_per_query"][0] == pytest.approx(0.0002, rel=0.3)
    assert found["large"]["quality"][0] > found["alone"]["quality"][0]
    assert found["poor"]["usd_per_query"][0] < 0.0008
    assert "1 of 1 hits" in sls("whatif", "-d", database, "--max-error", 0.0, "--json", facts)
    assert json.loads(facts.read_text())["dropped"] == 1
    assert "by itself" in sls("whatif", "-d", database, "--max-error", 0, "--price", 1, code=2)
    assert "contradict" in sls("whatif", "-d", database, "--price", 1, "--policy", "best", code=2)
    assert "say what if" in sls("whatif", "-d", database, code=2)
    told = sls("whatif", "-d", database, "--without", "nobody", code=2)
    assert "known are large, small" in told
    assert "no policy" in sls("whatif", "-d", database, "--policy", "none", code=2)


def test_what_if_says_how_little_one_grade_tells(tmp_path: Path) -> None:
    """Where nearly nothing is known of the other choice the interval is wide, and within 0…1."""
    numbers = count()
    with opened(tmp_path, ids=lambda: f"decision {next(numbers)}") as engine:
        for number in range(80):
            answer = engine.answer(Query(text=f"question {number}", task="t"), call)
            if answer.candidate == "large":
                engine.feedback(answer.decision_id, 1.0, source="test")
    sls("whatif", "-d", tmp_path, "--policy", "small", "--json", tmp_path / "w.json")
    mean, low, high = json.loads((tmp_path / "w.json").read_text())["quality"]
    assert 0.0 <= low <= mean <= high <= 1.0
    assert high - low > 0.4


def test_a_shadow_tells_what_would_have_been_saved(tmp_path: Path) -> None:
    """SLS watches a chain that always asks the dear one: it learns, decides, does not act."""
    with opened(tmp_path) as engine:
        shadow = engine.updates.shadow()
        for number in range(40):
            answer = Answer(text="x", candidate="large", cost_usd=0.01)
            name = shadow.watch(Query(text=f"question {number % 30}", task="t"), answer)
            engine.updates.take([Feedback(decision_id=name, quality=1.0, id=str(number))])
        told = shadow.report()
    assert (told.queries, told.hits) == (40, 10)
    assert told.spent_usd == pytest.approx(0.4)
    assert 0.1 <= told.saved_usd <= 0.4
    assert "40 queries cost 0.4000 USD" in str(told)


def test_a_shadow_hit_saves_what_the_stored_answer_had_cost(tmp_path: Path) -> None:
    """Where the chain does not tell what a repeated answer cost, it cost as much as before."""
    with opened(tmp_path) as engine:
        shadow = engine.updates.shadow()
        query = Query(text="question", task="t")
        shadow.watch(query, Answer(text="x", candidate="large", cost_usd=0.01))
        shadow.watch(query, Answer(text="x", candidate="large"))
        told = shadow.report()
    assert told.hits == 1
    assert told.spent_usd == pytest.approx(0.02)
