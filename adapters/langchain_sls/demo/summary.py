"""Puts what the demo found into a report."""

from __future__ import annotations

from dataclasses import dataclass

from sls_plugins.evaluation.baselines import Rivals
from sls_plugins.evaluation.charts import charts_of
from sls_plugins.evaluation.figures import Figures, figures_of, policy_of
from sls_plugins.evaluation.results import Decided, Fact, Policy, Report
from sls_plugins.evaluation.summary import Setup, facts_of, replay_data

__all__ = ["DemoResult", "demo_report"]

NOTES = (
    "All queries go through ChatSLS, LangChain's face of SLS; every tenth one is streamed.",
    "Every answer is graded and the grade given to the engine as feedback, by its decision id.",
    "The models are simulated: their prices, skills and token counts are made up or recorded.",
    "Hindsight marks policies that nobody could follow without knowing the outcomes.",
)

SAME = 0.005
"""Costs that differ by less than this share are called the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What came of a demo: every query as decided, and the policies beside which it is shown.

    `seconds` are real ones, `waited_s` those for which the users waited for models.
    """

    title: str
    decided: tuple[Decided, ...]
    rivals: Rivals
    candidates: tuple[str, ...]
    encoder: str
    seed: int
    seconds: float
    waited_s: float

    @property
    def figures(self) -> Figures:
        """The figures of the run."""
        return figures_of(self.decided, self.candidates)

    @property
    def dearest(self) -> Policy:
        """Always asking the model that costs most."""
        return max(self.rivals.singles, key=lambda policy: policy.cost_usd)


def demo_report(result: DemoResult) -> Report:
    """All that the demo found, for readers and for programs."""
    figures = result.figures
    setup = Setup(
        trace=result.title,
        encoder=result.encoder,
        seed=result.seed,
        candidates=result.candidates,
        options={},
    )
    data = replay_data(figures, result.rivals, setup, result.seconds)
    saved = {"saved_usd": result.dearest.cost_usd - figures.cost_usd, "waited_s": result.waited_s}
    return Report(
        title="SLS demo: LangChain router, Chroma, feedback",
        subtitle=f"{result.title}; {figures.queries} queries, {len(result.candidates)} candidates, "
        f"encoder {result.encoder}, seed {result.seed}; {result.seconds:.0f} s",
        facts=(*_savings(result, figures), *facts_of(figures)),
        policies=(policy_of(figures), *result.rivals.all),
        charts=charts_of(result.decided, (result.dearest, result.rivals.mix)),
        notes=NOTES,
        data={**data, **saved},
    )


def _savings(result: DemoResult, figures: Figures) -> tuple[Fact, ...]:
    """What was saved, and what it did to the quality."""
    return (_against(result.dearest, figures), _against(result.rivals.mix, figures))


def _against(rival: Policy, figures: Figures) -> Fact:
    less = rival.cost_usd - figures.cost_usd
    if abs(less) < SAME * rival.cost_usd:
        cost = f"as much spent (${figures.cost_usd:.4f})"
    elif less >= 0:
        share = less / rival.cost_usd if rival.cost_usd else 0.0
        cost = f"{share:.1%} saved (${figures.cost_usd:.4f} instead of ${rival.cost_usd:.4f})"
    else:
        cost = f"${-less:.4f} more (${figures.cost_usd:.4f} instead of ${rival.cost_usd:.4f})"
    mine, theirs = figures.quality.mean, rival.quality
    change = f"quality {mine:.3f} instead of {theirs:.3f} ({mine - theirs:+.3f})"
    return Fact(f"Against {rival.name}", f"{cost}, {change}")
