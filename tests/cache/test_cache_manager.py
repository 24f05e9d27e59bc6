"""The semantic cache: what is served, what never is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sls_plugins.cache import CachePolicy
from sls_plugins.testing.cache_world import CacheWorld, towards
from sls_plugins.types import (
    Answer,
    CacheEntry,
    CacheHit,
    CacheMiss,
    Outcome,
    OutcomeKind,
    Query,
    Source,
)

ASKED = Query(text="what is SLS?", task="t", tenant="one", scope="s")


def test_an_exact_repeat_is_served(world: CacheWorld) -> None:
    """The same text in the same space gets the stored answer, free and marked."""
    assert isinstance(world.call(ASKED, towards(1), "a scheduler"), CacheMiss)
    hit = world.call(replace(ASKED, text=" what is SLS?\r\n", id="q2"), towards(1), "never said")
    assert isinstance(hit, CacheHit)
    assert hit.exact
    assert (hit.answer.text, hit.answer.source, hit.answer.cost_usd) == (
        "a scheduler",
        Source.CACHE,
        0.0,
    )


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, tenant="two"),
        replace(ASKED, scope="z"),
        replace(ASKED, task="u"),
        replace(ASKED, text="What is SLS?"),
        replace(ASKED, cacheable=False),
    ],
)
def test_walls_hold(world: CacheWorld, other: Query) -> None:
    """Another tenant, scope, task or case gets nothing, nor does one who wants no cache."""
    world.call(ASKED, towards(1), "a scheduler", quality=1.0)
    assert isinstance(world.find(other, towards(1)), CacheMiss)


def test_a_bad_answer_is_never_served_again_and_a_good_one_takes_its_place(
    world: CacheWorld,
) -> None:
    """Graded bad, the row is revoked; the next answer to the same text replaces it."""
    world.call(ASKED, towards(1), "nonsense", quality=0.2)
    assert isinstance(world.call(ASKED, towards(1), "a scheduler", quality=1.0), CacheMiss)
    hit = world.find(ASKED, towards(1))
    assert isinstance(hit, CacheHit)
    assert hit.answer.text == "a scheduler"
    assert world.index.ids() == {hit.entry.id}


def test_feedback_on_a_hit_reaches_its_row(world: CacheWorld) -> None:
    """Praise is added to the record, blame revokes: also from the index."""
    world.call(ASKED, towards(1), "a scheduler")
    hit = world.find(ASKED, towards(1))
    assert isinstance(hit, CacheHit)
    world.grade_hit(hit, ASKED, 1.0)
    again = world.find(ASKED, towards(1))
    assert isinstance(again, CacheHit)
    assert again.entry.good == 1.0
    assert again.p_right > hit.p_right
    world.grade_hit(again, ASKED, 0.0)
    assert isinstance(world.find(ASKED, towards(1)), CacheMiss)
    assert world.index.ids() == frozenset()


def test_answers_expire_and_hits_do_not_renew_them() -> None:
    """The life of an answer begins when it is made, however often it is used."""
    world = CacheWorld(policy=CachePolicy(ttl_s=60.0))
    world.call(ASKED, towards(1), "a scheduler")
    world.now_s += 59
    assert isinstance(world.find(ASKED, towards(1)), CacheHit)
    world.now_s += 1
    assert isinstance(world.find(ASKED, towards(1)), CacheMiss)


def test_unworthy_answers_are_not_kept(world: CacheWorld) -> None:
    """What the provider forbids, or what is empty, is not stored."""
    for answer in (
        Answer(text="tool call", cacheable=False, decision_id="x"),
        Answer(text="", decision_id="y"),
    ):
        world.cache.admit(ASKED, towards(1), answer)
    assert world.entries.counts()["live"] == 0


def test_volatile_queries_stay_out_when_wanted() -> None:
    """With the setting on, a question about today is asked every time."""
    world = CacheWorld(policy=CachePolicy(volatile_ttl_s=0.0))
    query = replace(ASKED, text="what is new today?")
    world.call(query, towards(1), "rain")
    assert isinstance(world.find(query, towards(1)), CacheMiss)
    assert world.entries.counts()["live"] == 0


def test_volatile_answers_live_shortly() -> None:
    """A question about the present is answered anew after a while, whatever the other times are."""
    policy = CachePolicy(ttl_s=7200.0, ttl_by_task={"t": 9000.0}, volatile_ttl_s=60.0)
    world = CacheWorld(policy=policy)
    for text, life_s in (("what is new today?", 60), ("what is SLS?", 9000)):
        query = replace(ASKED, text=text)
        world.call(query, towards(1), "rain")
        world.now_s += life_s - 1
        assert isinstance(world.find(query, towards(1)), CacheHit)
        world.now_s += 1
        assert world.cache.find_exact(query, "d") is None


def test_what_failed_a_judge_is_not_kept(world: CacheWorld) -> None:
    """An answer that was graded bad at once leaves no row."""
    world.call(ASKED, towards(1), "nonsense", quality=0.1)
    assert world.entries.counts() == {"live": 0, "revoked": 0}


def test_the_number_of_rows_is_bounded() -> None:
    """Beyond the capacity the least useful rows go, from the index too."""
    world = CacheWorld(policy=CachePolicy(capacity=5))
    for step in range(12):
        world.call(replace(ASKED, text=f"question {step}"), towards(step % 8), "a")
        world.find(replace(ASKED, text="question 0"), towards(0))
    assert world.entries.counts()["live"] == 5
    assert len(world.index.ids()) == 5
    assert isinstance(world.find(replace(ASKED, text="question 0"), towards(0)), CacheHit)


def test_nothing_near_is_served_before_labels_allow_it(world: CacheWorld) -> None:
    """A new task starts with exact repeats only, even for the same vector."""
    world.call(ASKED, towards(1), "a scheduler", quality=1.0)
    found = world.find(replace(ASKED, text="tell me what SLS is"), towards(1))
    assert isinstance(found, CacheMiss)
    assert found.nearest is not None
    assert found.similarity == pytest.approx(1.0)
    assert "too few labels" in found.why


def test_agreeing_answers_open_the_semantic_tier(world: CacheWorld) -> None:
    """Once enough fresh answers equalled the refused ones, neighbours answer."""
    world.teach(400)
    hit = world.find(Query(text="may I ask again", task="t"), towards(0, 0.985))
    assert isinstance(hit, CacheHit)
    assert not hit.exact
    assert 0.97 < hit.p_right <= 1.0


def test_differing_good_answers_keep_it_closed(world: CacheWorld) -> None:
    """Where close neighbours need other answers, none is ever served."""
    world.teach(400, right=False)
    assert isinstance(world.find(Query(text="once more", task="t"), towards(0, 0.985)), CacheMiss)


def test_one_task_opens_no_other(world: CacheWorld) -> None:
    """Labels of one kind of task are no evidence for another."""
    world.teach(400)
    world.call(Query(text="ask me", task="other"), towards(0), "yes", quality=1.0)
    assert isinstance(world.find(Query(text="ask you", task="other"), towards(0)), CacheMiss)


def test_wrong_hits_close_it_again(world: CacheWorld) -> None:
    """Feedback that served neighbours were wrong ends the serving."""
    world.teach(400)
    served = 0
    for step in range(200):
        query = Query(text=f"is it {'ab'[step % 2] * step} then", task="t")
        hit = world.find(query, towards(0, 0.985, step % 8))
        if isinstance(hit, CacheMiss):
            break
        served += 1
        world.grade_hit(hit, query, 0.0)
    assert served < 30


def test_a_guard_vetoes_where_nothing_is_known_of_it(world: CacheWorld) -> None:
    """In an open task the first neighbour with other numbers is refused all the same."""
    world.teach(400)
    found = world.find(Query(text="ask for 3 please", task="t"), towards(0, 0.985))
    assert isinstance(found, CacheMiss)
    assert found.why == "guard: numbers_differ"


def test_a_guard_falls_silent_where_labels_say_so(world: CacheWorld) -> None:
    """Where texts that differ in numbers share answers, as log lines do, numbers do not veto."""
    for step in range(400):
        query = Query(text=f"core {step} halted", task="logs/a")
        world.call(query, towards(0, 0.985, step % 8), "core # halted", quality=1.0)
    hit = world.find(Query(text="core 9999 halted", task="logs/a"), towards(0, 0.985))
    assert isinstance(hit, CacheHit)


def test_a_query_between_two_answers_is_called(world: CacheWorld) -> None:
    """Where a different answer is as near as the nearest one, none is served."""
    world.teach(400)
    query = Query(text="may I ask again", task="t")
    assert isinstance(world.find(query, towards(0, 0.98)), CacheHit)
    other = Query(text="something else entirely", task="t")
    world.cache.admit(other, towards(0, 0.98), Answer(text="no", decision_id="rival"))
    found = world.find(query, towards(0, 0.98))
    assert isinstance(found, CacheMiss)
    assert found.evidence is not None
    assert found.evidence.rival == pytest.approx(1.0, abs=0.01)
    assert found.evidence.run == 1


def test_who_is_passed_over_leaves_room_for_the_next(world: CacheWorld) -> None:
    """A neighbour that is passed over hides no other one, and says nothing against it."""
    world.teach(400)
    query, vector = Query(text="ask zz please", task="t"), towards(0, 0.985, 2)
    wrong = Answer(text="no", candidate="m", decision_id="wrong")
    world.cache.admit(Query(text="ask zy please", task="t"), vector, wrong)

    def passed(entry: CacheEntry) -> bool:
        return entry.answer.text == "no"

    assert isinstance(world.cache.find_near(query, vector, "x1", audit=False), CacheMiss)
    found = world.cache.find_near(query, vector, "x2", audit=False, passed=passed)
    assert isinstance(found, CacheHit)
    assert found.answer.text == "yes"
    everybody = world.cache.find_near(query, vector, "x3", passed=lambda _: True)
    assert isinstance(everybody, CacheMiss)


def test_some_acceptable_neighbours_are_audited() -> None:
    """A share is refused on purpose, by the decision's id, so that the bound stays checked."""
    world = CacheWorld(policy=CachePolicy(audit=0.5))
    world.teach(1000)
    found = [
        world.find(Query(text="may I ask again", task="t"), towards(0, 0.985)) for _ in range(200)
    ]
    audited = [one for one in found if isinstance(one, CacheMiss)]
    assert 60 < len(audited) < 140
    assert {one.why for one in audited} == {
        "acceptable, but called all the same to check the bound"
    }


def test_a_row_that_died_elsewhere_is_not_served(world: CacheWorld) -> None:
    """What another process revoked is refused and leaves the index."""
    world.teach(400)
    world.entries.revoke(list(world.index.ids()))
    assert isinstance(world.find(Query(text="ask", task="t"), towards(0, 0.985)), CacheMiss)
    assert len(world.index.ids()) == len(world.entries._rows) - world.policy.neighbours


def test_a_restart_rebuilds_the_index_from_the_rows(world: CacheWorld) -> None:
    """Rows that the index lost are added, entries without a live row are dropped."""
    world.teach(5)
    world.cache.revoke("d3")
    world.index.close()
    assert world.index.ids() == frozenset()
    world.another()
    assert len(world.index.ids()) == 4
    world.entries.revoke(["d5"])
    world.another()
    assert len(world.index.ids()) == 3


def test_without_the_near_tier_only_repeats_are_served() -> None:
    """`near=False` keeps to exact repeats, whatever was learnt."""
    world = CacheWorld(policy=CachePolicy(near=False))
    world.teach(50)
    found = world.find(Query(text="ask", task="t"), towards(0, 0.985))
    assert found == CacheMiss(why="only exact repeats are served")


def test_reading_the_log_again_gives_the_same_state(world: CacheWorld) -> None:
    """What was learnt depends on the log alone, also across a snapshot."""
    world.teach(120)
    middle = CacheWorld(entries=world.entries, index=world.index, policy=world.policy)
    for outcome in world.log[:60]:
        middle.cache.learn_one(outcome)
    last = CacheWorld(entries=world.entries, index=world.index, policy=world.policy)
    last.cache.load(middle.cache.save())
    for outcome in world.log[60:]:
        last.cache.learn_one(outcome)
    expected, found = world.cache.save(), last.cache.save()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    assert expected["curves"].sum() > 50


def test_learning_never_fails_on_a_line_of_the_log(world: CacheWorld) -> None:
    """Failures, unknown entries and missing similarities teach nothing."""
    before = world.cache.save()
    line = Outcome(
        decision_id="d", query=ASKED, vector=None, candidate="m", kind=OutcomeKind.ANSWERED
    )
    for odd in (
        replace(line, kind=OutcomeKind.FAILED, nearest_id="d0", nearest_similarity=0.9),
        replace(
            line,
            kind=OutcomeKind.GRADED,
            nearest_id="nobody",
            nearest_similarity=0.9,
            quality=1.0,
        ),
        replace(line, kind=OutcomeKind.GRADED, nearest_id="d0", quality=1.0),
        replace(line, source=Source.CACHE, entry_id="nobody", quality=0.0),
        replace(line, kind=OutcomeKind.GRADED),
    ):
        world.tell(odd)
    after = world.cache.save()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_an_empty_state_is_the_beginning(world: CacheWorld) -> None:
    """A snapshot from before the cache was switched on loads."""
    fresh = world.cache.save()
    world.teach(20)
    world.cache.load({})
    assert all(np.array_equal(fresh[name], array) for name, array in world.cache.save().items())


@pytest.mark.parametrize(
    "wrong",
    [{"max_error": 0.0}, {"max_error": 1.0}, {"capacity": 0}, {"ttl_s": 0.0}, {"audit": 1.0}],
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    """A policy says at once what cannot be kept."""
    with pytest.raises(ValueError, match="must be"):
        CachePolicy(**wrong)
