"""An engine that starts from what another one has learnt."""

from __future__ import annotations

import pytest

from sls_plugins import Answer, Candidate, Query
from sls_plugins.errors import EncoderMismatchError, SettingsError
from sls_plugins.types import Usage

QUERY = Query(text="Something nobody has asked", cacheable=False)


def call(candidate: Candidate, query: Query) -> Answer:
    return Answer(text=f"{candidate.name} says", usage=Usage(input_tokens=9, output_tokens=9))


def teach(engine, queries: int = 60) -> None:
    """Only the cheapest candidate is ever right."""
    for number in range(queries):
        name = ("small", "middle", "large")[number % 3]
        query = Query(text=f"Question {number}", allow=frozenset({name}), cacheable=False)
        answer = engine.answer(query, call)
        engine.feedback(answer.decision_id, quality=float(name == "small"))


def expected(engine) -> dict[str, float]:
    return {one.candidate: one.quality for one in engine.plan(QUERY).estimates}


def test_what_one_engine_learnt_is_where_another_starts(make_engine, tmp_path) -> None:
    """A new engine of another database expects at once what the first one expects."""
    first = make_engine(tmp_path / "first")
    teach(first)
    first.close()
    known = expected(make_engine(tmp_path / "first"))
    warm = make_engine(tmp_path / "second", warm_start=str(tmp_path / "first"))
    assert expected(warm) == known
    assert warm.parts.log.last_seq() == 0
    cold = make_engine(tmp_path / "third")
    assert expected(cold) != known


def test_a_warm_start_happens_once(make_engine, tmp_path) -> None:
    """An engine that has learnt something itself goes on from there, whatever the source learnt."""
    first = make_engine(tmp_path / "first")
    teach(first)
    first.close()
    second = make_engine(tmp_path / "second", warm_start=f"sqlite:///{tmp_path}/first/sls.db")
    teach(second, 9)
    known = expected(second)
    second.close()
    again = make_engine(tmp_path / "second", warm_start=f"sqlite:///{tmp_path}/first/sls.db")
    assert expected(again) == known


def test_candidates_need_not_be_the_same(make_engine, tmp_path) -> None:
    """Who is new here has a prior; who is gone is not asked."""
    first = make_engine(tmp_path / "first")
    teach(first)
    first.close()
    fewer = (
        Candidate(name="small", input_usd_per_mtok=0.1, output_usd_per_mtok=0.4),
        Candidate(name="new", input_usd_per_mtok=1, output_usd_per_mtok=4, quality_prior=0.55),
    )
    second = make_engine(warm_start=str(tmp_path / "first"), candidates=fewer)
    known = expected(second)
    assert set(known) == {"small", "new"}
    assert known["small"] > 0.8


def test_a_source_that_cannot_be_used_is_named(make_engine, tmp_path) -> None:
    """No such folder, nothing learnt in it, another encoder: an error that says which."""
    with pytest.raises(SettingsError, match=r"warm_start.*nowhere"):
        make_engine(warm_start=str(tmp_path / "nowhere"))
    first = make_engine(tmp_path / "first")
    teach(first, 3)
    first.close()
    with pytest.raises(EncoderMismatchError, match="first"):
        make_engine(
            warm_start=str(tmp_path / "first"),
            encoder={"name": "hashing", "options": {"dimension": 64}},
        )


def test_what_another_predictor_learnt_is_not_taken(make_engine, tmp_path) -> None:
    """A source whose learnt state lacks what this predictor needs is an error that says so."""
    first = make_engine(tmp_path / "first")
    teach(first, 3)
    first.close()
    with pytest.raises(SettingsError, match=r"first.*another predictor or version"):
        make_engine(warm_start=str(tmp_path / "first"), predictor="transfer")
