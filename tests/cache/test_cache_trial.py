"""Serving on trial: hits begin early, with many audits that grow fewer as the evidence grows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from sls_plugins.cache.acceptance import Acceptance, AcceptanceRule
from sls_plugins.cache.features import Pair, pair_of
from sls_plugins.cache.labels import Label
from sls_plugins.cache.neighbourhood import evidence_of
from sls_plugins.types import Answer, CacheEntry, Query, Space

STORED = CacheEntry(
    id="e", space=Space(), key="k", query_id="q", text="what is a heap", answer=Answer(text="yes")
)


def pair(text: str = "What is a heap?") -> Pair:
    near = [(STORED, 0.97)] * 3
    return pair_of(Query(text=text), STORED, 0.97, evidence_of(near), {})


@dataclass
class Taught:
    """An acceptance that hears one label after another."""

    rule: AcceptanceRule = field(default_factory=AcceptanceRule)

    def __post_init__(self) -> None:
        self.acceptance = Acceptance(self.rule)
        self.labels = 0

    def teach(self, count: int, *, right: bool = True) -> None:
        for _ in range(count):
            self.acceptance.learn(pair(), Label(right=right, weight=1.0))
            self.labels += 1

    def until_accepted(self) -> float:
        """The share of audits when the first pair may be served."""
        while not (verdict := self.acceptance.judge(pair())).accepted:
            assert self.labels < 1000
            self.teach(1)
        return verdict.audit


def test_serving_begins_with_many_audits_which_grow_fewer() -> None:
    """About half as many labels as it takes to be sure open the tier; then audits fall."""
    taught = Taught()
    first = taught.until_accepted()
    begun = taught.labels
    assert 0.1 < first <= 0.15
    shares = [first]
    for _ in range(20):
        taught.teach(20)
        shares.append(taught.acceptance.judge(pair()).audit)
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == pytest.approx(0.005)
    strict = Taught(AcceptanceRule(audit=0.0))
    strict.until_accepted()
    assert begun < 0.6 * strict.labels


def test_a_wrong_answer_on_trial_ends_it() -> None:
    """Two wrong labels soon after the beginning shut the tier again."""
    taught = Taught()
    taught.until_accepted()
    taught.teach(2, right=False)
    assert not taught.acceptance.judge(pair()).accepted


def test_waiting_is_worth_while_before_serving_is() -> None:
    """A pair that is not acceptable yet may be hoped for, once its family serves at all."""
    taught = Taught()
    far = pair("Could somebody tell what a heap is good for")
    assert not taught.acceptance.may_hope(far)
    taught.until_accepted()
    assert taught.acceptance.may_hope(pair())
    assert not taught.acceptance.judge(far).accepted


def test_the_age_of_an_entry_counts() -> None:
    """What was stored long ago is a little less likely right, before labels say whether it is."""
    near = [(STORED, 0.97)] * 3
    ages = [0.0, 3600.0, 86400.0, 86400.0 * 365]
    texts = Query(text="What is a heap?")
    pairs = [pair_of(texts, STORED, 0.97, evidence_of(near), {}, age_s) for age_s in ages]
    chances = [Acceptance(AcceptanceRule()).judge(each).p_right for each in pairs]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] - chances[-1] < 0.2


def test_a_guard_falls_silent_and_gets_its_say_back() -> None:
    """Pairs it vetoes were right as was forecast: it is silent, until a few of them are wrong."""
    taught = Taught()
    taught.until_accepted()
    vetoed = replace(pair(), guards=("names_differ",))

    def teach(count: int, *, right: bool) -> None:
        for _ in range(count):
            taught.acceptance.learn(vetoed, Label(right=right, weight=1.0))

    assert taught.acceptance.judge(vetoed).why == "guard: names_differ"
    teach(80, right=True)
    assert taught.acceptance.judge(vetoed).accepted
    teach(3, right=False)
    assert taught.acceptance.judge(vetoed).why == "guard: names_differ"


def test_what_is_probably_right_may_hope_however_strict_the_bound() -> None:
    """Waiting costs time, not errors: more answers that agree may make a likely one sure."""
    taught = Taught(AcceptanceRule(max_error=0.01))
    taught.until_accepted()
    near = [(STORED, 0.8)] * 3
    likely = pair_of(Query(text="explain a heap"), STORED, 0.8, evidence_of(near), {})
    assert 0.1 < 1.0 - taught.acceptance.judge(likely).p_right < 0.5
    assert not taught.acceptance.judge(likely).accepted
    assert taught.acceptance.may_hope(likely)
