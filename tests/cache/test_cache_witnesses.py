"""How far stored answers are believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sls_plugins.cache.witnesses import Belief, Witnesses
from sls_plugins.types import Answer, CacheEntry, Estimate, Outcome, OutcomeKind, Query, Space


def said(number: int, candidate: str, text: str, *, quality: float | None = None) -> Outcome:
    """A candidate's answer to a line of one pattern; with a quality, the grade of that answer."""
    return Outcome(
        decision_id=str(number),
        query=Query(text=f"session {number} closed", task="logs"),
        vector=None,
        candidate=candidate,
        kind=OutcomeKind.ANSWERED if quality is None else OutcomeKind.GRADED,
        quality=quality,
        answer_text=text,
        estimate=Estimate(
            candidate=candidate, quality=0.7, quality_sd=0.1, cost_usd=1e-4, cost_high_usd=2e-4
        ),
    )


def stored(text: str) -> CacheEntry:
    """A stored answer to a line of the pattern."""
    return CacheEntry(
        id="e", space=Space(), key="k", query_id="q", text="session 0 closed",
        answer=Answer(text=text),
    )  # fmt: skip


def believed(witnesses: Witnesses, text: str) -> Belief | None:
    """What is thought of this answer to one more line of the pattern."""
    return witnesses.believe(Query(text="session 77 closed", task="logs"), stored(text))


def acquainted() -> Witnesses:
    """Candidates that often agreed on other patterns, so that votes are known to tell something."""
    witnesses = Witnesses()
    for number in range(40):
        for name in ("one", "other"):
            line = said(1000 + number, name, f"template {number}")
            query = Query(text=f"{'word ' * number} closed", task="logs")
            witnesses.learn_one(replaced(line, query))
    return witnesses


def replaced(line: Outcome, query: Query) -> Outcome:
    """The same line about another query."""
    return Outcome(
        decision_id=line.decision_id, query=query, vector=None, candidate=line.candidate,
        kind=line.kind, answer_text=line.answer_text, estimate=line.estimate,
    )  # fmt: skip


def right(witnesses: Witnesses, text: str) -> float:
    """How likely this answer is right."""
    found = believed(witnesses, text)
    assert found is not None
    return found.right


def test_an_answer_that_two_candidates_gave_is_believed_more_than_one_that_one_gave() -> None:
    """Agreement speaks for an answer, another answer against it; finding out loses its worth."""
    witnesses = acquainted()
    witnesses.learn_one(said(1, "one", "session <*> closed"))
    alone = believed(witnesses, "session <*> closed")
    witnesses.learn_one(said(2, "other", "session  <*> closed"))
    both = believed(witnesses, "session <*> closed")
    witnesses.learn_one(said(3, "third", "session 3 closed"))
    assert alone is not None
    assert both is not None
    assert alone.right < 0.8
    assert both.right > 0.93
    assert both.worth < alone.worth
    assert right(witnesses, "session <*> closed") < both.right
    assert right(witnesses, "session 3 closed") < 0.2


def test_one_grade_teaches_all_queries_of_the_pattern() -> None:
    """An answer graded bad once is hardly believed for any line; one graded good is."""
    for quality, low, high in ((0.0, 0.0, 0.2), (1.0, 0.95, 1.0)):
        witnesses = acquainted()
        witnesses.learn_one(said(1, "one", "session <*> closed"))
        witnesses.learn_one(said(1, "one", "session <*> closed", quality=quality))
        assert low <= right(witnesses, "session <*> closed") <= high


def test_the_same_candidate_counts_once() -> None:
    """Who repeats himself is no second witness."""
    witnesses = acquainted()
    witnesses.learn_one(said(1, "one", "session <*> closed"))
    before = right(witnesses, "session <*> closed")
    witnesses.learn_one(said(2, "one", "session <*> closed"))
    assert right(witnesses, "session <*> closed") == before


def test_who_contradicts_himself_is_hardly_believed() -> None:
    """Of several answers to one pattern one is right at most; earlier ones are not forgotten."""
    witnesses = acquainted()
    witnesses.learn_one(said(1, "one", "session 1 closed"))
    alone = right(witnesses, "session 1 closed")
    for number in (2, 3, 4):
        witnesses.learn_one(said(number, "one", f"session {number} closed"))
    assert right(witnesses, "session 1 closed") < 0.6 * alone
    assert right(witnesses, "session 4 closed") == right(witnesses, "session 1 closed")
    told = Estimate(candidate="one", quality=0.7, quality_sd=0.1, cost_usd=0, cost_high_usd=0)
    (again,) = witnesses.adjusted(Query(text="session 9 closed", task="logs"), [told])
    assert again.quality < 0.5


def test_answers_in_other_words_each_time_are_not_judged() -> None:
    """Where candidates never agree word for word, nothing is said of any stored answer."""
    witnesses = Witnesses()
    for number in range(60):
        witnesses.learn_one(said(number, f"candidate {number % 3}", f"in words of mine {number}"))
    assert believed(witnesses, "in words of mine 59") is None


def test_grades_that_contradict_the_votes_end_the_trust_in_them() -> None:
    """If what all agree on is graded bad again and again, votes are no longer listened to."""
    witnesses = acquainted()
    trusted = witnesses.trust(said(0, "one", "").query)
    for number in range(400):
        witnesses.learn_one(said(number, f"candidate {number % 2}", "all say so"))
        if number > 1:
            witnesses.learn_one(said(number, f"candidate {number % 2}", "all say so", quality=0.0))
            witnesses.learn_one(said(number, f"candidate {number % 2}", "all say so", quality=1.0))
    assert witnesses.trust(said(0, "one", "").query) < trusted


def test_one_grade_does_not_end_the_trust_in_votes() -> None:
    """Two that agree may err once; where they err again and again nobody listens any more."""
    witnesses = acquainted()
    trusted = []
    for number in range(8):
        for name in ("one", "other"):
            query = Query(text=f"{'mistaken ' * (1 + number)} line", task="logs")
            line = replaced(said(number, name, f"mistake {number}"), query)
            witnesses.learn_one(line)
        witnesses.learn_one(replace(line, kind=OutcomeKind.GRADED, quality=0.0, answer_text=""))
        trusted.append(witnesses.trust(query))
    assert trusted[0] > 0.3
    assert trusted[-1] < 0.1


def test_where_answers_depend_on_the_digits_votes_tell_nothing() -> None:
    """Sums beside log lines: after a few of them, nobody is thought less of for other answers."""
    witnesses = acquainted()
    sums = [Query(text=f"What is 2 + {number}?", task="sums") for number in range(12)]
    trusted = witnesses.trust(sums[0])
    for number, query in enumerate(sums):
        for name in ("one", "other"):
            line = replaced(said(number, name, str(2 + number)), query)
            witnesses.learn_one(line)
            witnesses.learn_one(replace(line, kind=OutcomeKind.GRADED, quality=1.0, answer_text=""))
    told = Estimate(candidate="one", quality=0.7, quality_sd=0.1, cost_usd=0, cost_high_usd=0)
    assert trusted > 0.5
    assert witnesses.trust(sums[0]) < 0.05
    assert witnesses.adjusted(sums[3], [told]) == (told,)
    assert witnesses.overruled(sums[3]) is None
    assert witnesses.trust(said(0, "one", "").query) > 0.4


def test_a_stored_answer_is_not_doubted_before_candidates_could_agree() -> None:
    """Votes say nothing until it is known whether candidates agree at all; a bad grade does."""
    line = said(0, "one", "a template")
    for witnesses, doubted in ((Witnesses(), False), (acquainted(), True)):
        witnesses.learn_one(line)
        witnesses.learn_one(said(1, "other", "another template"))
        assert (believed(witnesses, "a template") is not None) is doubted

    graded = Witnesses()
    graded.learn_one(line)
    graded.learn_one(replace(line, kind=OutcomeKind.GRADED, quality=0.0, answer_text=""))
    found = believed(graded, "a template")
    assert found is not None
    assert found.right < 0.5


def test_one_candidate_alone_overrules_nothing() -> None:
    """What a pattern masks may matter: a rare answer is not wrong because another is frequent."""
    witnesses = Witnesses()
    for number in range(60):
        answer = "yes" if number == 7 else "no"
        witnesses.learn_one(said(number, "one", answer))
        witnesses.learn_one(said(number, "one", answer, quality=1.0))
    assert witnesses.overruled(said(7, "one", "").query) is None


def test_candidates_worse_than_expected_are_still_heard() -> None:
    """A third of the agreement that was expected is no sign that right answers are not alike."""
    witnesses = Witnesses()
    for number in range(60):
        query = Query(text=f"{'word ' * number} closed", task="logs")
        for name in ("one", "other"):
            text = f"template {number}" if number % 6 == 0 else f"{name} {number}"
            witnesses.learn_one(replaced(said(number, name, text), query))
    assert witnesses.trust(said(0, "one", "").query) > 0.5


def test_who_repeats_an_answer_says_nothing_new_about_votes() -> None:
    """A hard pattern about which two disagree again and again counts once."""
    witnesses = acquainted()
    for name in ("one", "other"):
        witnesses.learn_one(said(0, name, f"as {name} says"))
    trusted = witnesses.trust(said(0, "one", "").query)
    for number in range(200):
        name = ("one", "other")[number % 2]
        witnesses.learn_one(said(number, name, f"as {name} says"))
    assert witnesses.trust(said(0, "one", "").query) == trusted


def test_an_answer_graded_bad_is_not_believed_where_votes_tell_nothing() -> None:
    """Its own bad grade counts all the same; nothing is said of others, so they are just served."""
    witnesses = Witnesses()
    for number in range(60):
        witnesses.learn_one(said(number, f"candidate {number % 3}", f"in words of mine {number}"))
    for number, quality in ((58, 0.0), (59, 1.0)):
        name = f"candidate {number % 3}"
        line = said(number, name, f"in words of mine {number}", quality=quality)
        witnesses.learn_one(line)
    assert right(witnesses, "in words of mine 58") < 0.1
    assert believed(witnesses, "in words of mine 59") is None
    assert believed(witnesses, "in words of mine 50") is None


def doubtful(line: Outcome, quality: float) -> Outcome:
    """The same line, of which this quality had been expected."""
    assert line.estimate is not None
    return replace(line, estimate=replace(line.estimate, quality=quality))


def test_agreement_counts_as_much_after_a_bad_grade_of_another_answer() -> None:
    """What is expected then holds that grade already: two that agree are believed nevertheless."""
    witnesses = acquainted()
    witnesses.learn_one(said(0, "third", "a mistake"))
    witnesses.learn_one(said(0, "third", "a mistake", quality=0.0))
    for number, name in enumerate(("one", "other")):
        witnesses.learn_one(doubtful(said(1 + number, name, "a template"), 0.05))
    assert right(witnesses, "a template") > 0.8


def test_who_has_not_spoken_is_half_as_good_as_usual_after_a_bad_grade() -> None:
    """Of others' bad answers the estimate makes too much, so that nobody else would be asked."""
    witnesses = acquainted()
    witnesses.learn_one(said(0, "third", "a mistake"))
    witnesses.learn_one(said(0, "third", "a mistake", quality=0.0))
    query = said(1, "one", "").query
    told = [
        Estimate(candidate=name, quality=0.1, quality_sd=0.1, cost_usd=0, cost_high_usd=0)
        for name in ("one", "newcomer")
    ]
    known, newcomer = witnesses.adjusted(query, told)
    assert 0.2 < known.quality < 0.5
    assert newcomer == told[1]


def test_who_has_answered_tells_something_new_only_by_grades() -> None:
    """Another call of the same candidate tells as much as its answer may yet be graded."""
    witnesses = acquainted()
    witnesses.learn_one(said(0, "one", "a template"))
    query = said(1, "one", "").query
    assert witnesses.telling(query, "two") == 1.0
    assert witnesses.telling(query, "one") == 0.0
    for number in range(1000, 1010):
        witnesses.learn_one(said(number, "one", "", quality=1.0))
    where_grades_come = witnesses.telling(query, "one")
    restored = Witnesses()
    restored.load(witnesses.save())
    assert 0.1 < where_grades_come == restored.telling(query, "one")
    witnesses.learn_one(said(0, "one", "a template", quality=1.0))
    assert witnesses.telling(query, "one") == 0.0


def test_a_fresh_answer_is_outvoted_by_one_that_is_probably_right() -> None:
    """Two that agree outvote a third; alone nobody is outvoted."""
    witnesses = acquainted()
    third = said(3, "third", "session 3 closed")
    assert not witnesses.outvoted(third)
    witnesses.learn_one(said(1, "one", "session <*> closed"))
    witnesses.learn_one(said(2, "other", "session <*> closed"))
    assert witnesses.outvoted(third)


def test_who_is_outvoted_is_expected_to_be_worse_for_such_queries() -> None:
    """Estimates follow votes and grades of the pattern; who has not spoken is left as he was."""
    witnesses = acquainted()
    for number, name in enumerate(("one", "other")):
        witnesses.learn_one(said(number, name, "session <*> closed"))
    witnesses.learn_one(said(3, "third", "session 3 closed"))
    before = [
        Estimate(candidate=name, quality=0.7, quality_sd=0.1, cost_usd=1e-4, cost_high_usd=2e-4)
        for name in ("one", "third", "new")
    ]
    query = Query(text="session 9 closed", task="logs")
    one, third, new = witnesses.adjusted(query, before)
    assert one.quality > 0.8
    assert third.quality < 0.4
    assert new == before[2]
    elsewhere = Query(text="something else", task="logs")
    assert witnesses.adjusted(elsewhere, before) == tuple(before)


def test_other_answers_are_overruled_once_one_is_believed() -> None:
    """Before a grade nobody is overruled; after it whatever else is stored for the pattern is."""
    witnesses, query = acquainted(), Query(text="session 9 closed", task="logs")
    witnesses.learn_one(said(1, "one", "session <*> closed"))
    witnesses.learn_one(said(2, "other", "session 2 closed"))
    assert witnesses.overruled(query) is None
    witnesses.learn_one(said(1, "one", "session <*> closed", quality=1.0))
    overruled = witnesses.overruled(query)
    assert overruled is not None
    assert overruled(stored("session 2 closed"))
    assert not overruled(stored("session  <*> closed"))
    assert witnesses.overruled(Query(text="something else", task="logs")) is None


def test_what_was_learnt_survives_save_and_load() -> None:
    """A restored learner believes the same, and knows the answers whose grade is to come."""
    witnesses, other = acquainted(), Witnesses()
    witnesses.learn_one(said(1, "one", "session <*> closed"))
    witnesses.learn_one(said(2, "other", "session <*> closed"))
    other.load(witnesses.save())
    for one in (witnesses, other):
        one.learn_one(said(2, "other", "session <*> closed", quality=0.0))
    assert believed(other, "session <*> closed") == believed(witnesses, "session <*> closed")
    for name, array in witnesses.save().items():
        assert np.array_equal(array, other.save()[name]), name
    other.load({})
    assert believed(other, "session <*> closed") is None
