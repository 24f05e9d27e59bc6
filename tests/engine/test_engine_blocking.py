"""The blocking driver: one request from query to answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from sls_plugins import (
    Answer,
    Budget,
    CacheHit,
    Candidate,
    Decision,
    Query,
    Source,
    Usage,
    hookimpl,
)
from sls_plugins.errors import (
    BudgetExhausted,
    InputError,
    InvalidFeedbackError,
    InvalidQueryError,
    NoCandidateLeft,
    ProviderError,
    UnknownDecisionError,
)
from sls_plugins.protocols import Context, Grade


@dataclass
class Recorder:
    """A provider that echoes, and remembers whom it called."""

    failing: frozenset[str] = frozenset()
    calls: list[str] = field(default_factory=list)

    def __call__(self, candidate: Candidate, query: Query) -> Answer:
        self.calls.append(candidate.name)
        if candidate.name in self.failing:
            raise TimeoutError(f"{candidate.name} is asleep")
        return Answer(
            text=f"{candidate.name} says {query.text}",
            usage=Usage(input_tokens=1000, output_tokens=500),
            latency_s=0.5,
        )


def test_an_answer_tells_who_gave_it_and_what_it_cost(make_engine):
    """The chosen candidate's real usage is priced with its list prices."""
    engine = make_engine()
    answer = engine.answer(Query(text="What is a heap?"), Recorder())
    chosen = {candidate.name: candidate for candidate in engine.candidates}[answer.candidate]
    assert answer.source is Source.MODEL
    assert answer.cost_usd == pytest.approx(
        (1000 * chosen.input_usd_per_mtok + 500 * chosen.output_usd_per_mtok) / 1e6
    )


def test_the_same_question_is_answered_from_the_cache(make_engine):
    """A repeat makes no call, costs nothing and names the query it came from."""
    engine, call = make_engine(), Recorder()
    first = engine.answer(Query(text="What is a heap?", id="q1"), call)
    again = engine.answer(Query(text="What is a heap?", id="q2"), call)
    assert call.calls == [first.candidate]
    assert again.source is Source.CACHE
    assert (again.text, again.cost_usd, again.from_query_id) == (first.text, 0.0, "q1")
    assert again.decision_id != first.decision_id


def test_scopes_and_tenants_share_no_answers(make_engine):
    """The same words under another tenant or scope are another question."""
    engine, call = make_engine(), Recorder()
    for tenant, scope in [("a", ""), ("b", ""), ("a", "s")]:
        engine.answer(Query(text="Who am I?", tenant=tenant, scope=scope), call)
    assert len(call.calls) == 3


def test_an_answer_graded_bad_is_not_served_again(make_engine):
    """After a thumbs-down the question is asked anew."""
    engine, call = make_engine(), Recorder()
    first = engine.answer(Query(text="What is a heap?"), call)
    engine.feedback(first.decision_id, 0.0)
    assert engine.answer(Query(text="What is a heap?"), call).source is Source.MODEL
    assert len(call.calls) == 2


def test_bad_feedback_on_a_hit_takes_the_stored_answer_out(make_engine):
    """Feedback may name the hit as well as the decision that made the answer."""
    engine, call = make_engine(), Recorder()
    engine.answer(Query(text="What is a heap?"), call)
    hit = engine.answer(Query(text="What is a heap?"), call)
    engine.feedback(hit.decision_id, 0.0)
    assert engine.answer(Query(text="What is a heap?"), call).source is Source.MODEL


def test_revoke_takes_an_answer_out(make_engine):
    """A revoked answer is never served again."""
    engine, call = make_engine(), Recorder()
    first = engine.answer(Query(text="What is a heap?"), call)
    engine.revoke(first.decision_id)
    assert engine.answer(Query(text="What is a heap?"), call).source is Source.MODEL


def test_the_next_candidate_answers_when_the_first_fails(make_engine):
    """A failure is told in the answer, and costs the caller nothing."""
    engine = make_engine()
    first = engine.plan(Query(text="What is a heap?"))
    assert isinstance(first, Decision)
    call = Recorder(failing=frozenset({first.candidate}))
    answer = engine.answer(Query(text="What is a stack?"), call)
    if call.calls[0] == first.candidate:
        assert answer.failures[0][0] == first.candidate
        assert "TimeoutError" in answer.failures[0][1]
    assert answer.candidate != first.candidate


def test_when_all_fail_every_cause_is_named(make_engine):
    """NoCandidateLeft carries the host's own error for each candidate."""
    engine = make_engine()
    call = Recorder(failing=frozenset({"small", "middle", "large"}))
    with pytest.raises(NoCandidateLeft) as caught:
        engine.answer(Query(text="What is a heap?"), call)
    assert set(caught.value.causes) == {"small", "middle", "large"}
    for cause in caught.value.causes.values():
        assert isinstance(cause, ProviderError)
        assert isinstance(cause.__cause__, TimeoutError)
    assert engine.parts.ledger.purse().reserved_usd == 0.0


def test_a_query_too_large_for_every_context_window_is_refused(make_engine):
    """Nothing is called, and each candidate's reason is told."""
    engine, call = make_engine(), Recorder()
    with pytest.raises(NoCandidateLeft) as caught:
        engine.answer(Query(text="x", input_tokens=1_000_000), call)
    assert call.calls == []
    assert all("context" in str(cause) for cause in caught.value.causes.values())


def test_only_candidates_that_can_are_asked(make_engine):
    """A needed capability is never traded for price."""
    engine, call = make_engine(), Recorder()
    answer = engine.answer(
        Query(text="What is on this picture?", needs=frozenset({"vision"})), call
    )
    assert answer.candidate == "large"


def test_an_empty_query_is_refused():
    """A query without words is the caller's mistake."""
    with pytest.raises(InvalidQueryError, match="empty"):
        Query(text="  ")


def test_feedback_is_checked(make_engine):
    """Out-of-range and unknown feedback is refused by name, and nothing is learnt from it."""
    engine = make_engine()
    answer = engine.answer(Query(text="What is a heap?"), Recorder())
    seq = engine.parts.learner.seq
    with pytest.raises(InvalidFeedbackError, match="0…1"):
        engine.feedback(answer.decision_id, 1.5)
    with pytest.raises(UnknownDecisionError, match="nobody"):
        engine.feedback("nobody", 1.0)
    assert engine.parts.learner.seq == seq


def test_a_plan_makes_no_call_and_is_told_later_what_came_of_it(make_engine):
    """The answer recorded for a planned decision is learnt, charged and kept like any other."""
    engine = make_engine(budget=Budget(price=10.0, usd=1.0))
    decision = engine.plan(Query(text="What is a heap?"))
    assert isinstance(decision, Decision)
    usage = Usage(input_tokens=10, output_tokens=10)
    engine.record(decision.id, Answer(text="A tree.", usage=usage, cost_usd=0.25))
    engine.feedback(decision.id, 1.0)
    assert engine.parts.ledger.purse().spent_usd == pytest.approx(0.25)
    hit = engine.plan(Query(text="What is a heap?"))
    assert isinstance(hit, CacheHit)
    assert hit.answer.text == "A tree."
    with pytest.raises(InputError, match="cache hit"):
        engine.record(hit.id, Answer(text="?"))


def test_a_hard_cap_is_never_exceeded(make_engine):
    """When the cap cannot hold the next call the caller is told, and nothing is called."""
    engine, call = make_engine(budget=Budget(price=10.0, usd=0.002)), Recorder()
    with pytest.raises(BudgetExhausted):
        for number in range(1000):
            engine.answer(Query(text=f"question number {number}"), call)
    purse = engine.parts.ledger.purse()
    assert purse.reserved_usd == 0.0
    assert purse.spent_usd >= 0.0003


def test_observers_are_told_and_cannot_break_a_request(make_engine, caplog):
    """An observer that raises is logged with its name; the others still hear."""
    heard: list[str] = []

    class Deaf:
        __name__ = "deaf"

        @hookimpl
        def sls_answered(self, query: Query) -> None:
            raise ValueError("no ears")

    class Keen:
        @hookimpl
        def sls_decided(self, decision: object) -> None:
            heard.append(type(decision).__name__)

        @hookimpl
        def sls_answered(self, answer: Answer) -> None:
            heard.append(answer.source)

        @hookimpl
        def sls_learned(self, outcome: object) -> None:
            heard.append("learned")

    engine = make_engine(plugins=(Deaf(), Keen()))
    for _ in range(2):
        engine.answer(Query(text="What is a heap?"), Recorder())
    assert heard == ["Decision", "learned", "model", "CacheHit", "cache"]
    assert "deaf" in caplog.text
    assert "no ears" in caplog.text


def test_a_judge_grades_answers_at_once(make_engine):
    """A configured judge's verdict is an outcome's quality: a bad answer is not cached."""

    class Strict:
        name = "strict"

        def grade(self, query: Query, answer: Answer) -> Grade:
            return Grade(quality=0.0, source=self.name)

    class Brings:
        @hookimpl
        def sls_judges(self) -> dict[str, object]:
            return {"strict": make_strict}

    def make_strict(context: Context, options: object) -> Strict:
        return Strict()

    engine = make_engine(plugins=(Brings(),), judges=({"name": "strict"},))
    call = Recorder()
    for _ in range(2):
        engine.answer(Query(text="What is a heap?"), call)
    assert len(call.calls) == 2


def test_32_threads_share_one_engine(make_engine, tmp_path):
    """Every answer is right, every call is charged once, nothing stays reserved."""
    engine = make_engine(tmp_path, budget=Budget(price=10.0, usd=1000.0))
    call = Recorder()
    barrier = threading.Barrier(32)

    def work(worker: int) -> float:
        barrier.wait()
        spent = 0.0
        for number in range(10):
            text = f"worker {worker} asks question {number}"
            answer = engine.answer(Query(text=text), call)
            assert answer.source is Source.CACHE or text in answer.text
            engine.feedback(answer.decision_id, 1.0)
            spent += answer.cost_usd or 0.0
        return spent

    with ThreadPoolExecutor(32) as pool:
        spent = sum(pool.map(work, range(32)))
    purse = engine.parts.ledger.purse()
    assert purse.spent_usd == pytest.approx(spent)
    assert purse.reserved_usd == 0.0
    engine.updates.round()
    assert engine.parts.learner.seq == engine.parts.log.last_seq()
