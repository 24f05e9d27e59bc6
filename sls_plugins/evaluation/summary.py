"""Puts the facts of a replay into a `Report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sls_plugins.evaluation.baselines import Rivals
from sls_plugins.evaluation.charts import charts_of
from sls_plugins.evaluation.figures import Figures, figures_of, policy_of
from sls_plugins.evaluation.gains import Gain
from sls_plugins.evaluation.metrics import Interval
from sls_plugins.evaluation.results import Fact, JsonValue, Policy, ReplayResult, Report

__all__ = ["Setup", "facts_of", "policy_facts", "replay_data", "replay_report"]


NOTES = (
    "Hindsight marks policies that nobody could follow without knowing the outcomes.",
    "Intervals are normal 95 % intervals that take queries as independent.",
    """A cache hit is right if the stored answer equals the reference or, where there is none, if it
    answered an identical prompt.""",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What was run: the trace, the encoder's fingerprint, the seed, all options as given."""

    trace: str
    encoder: str
    seed: int
    candidates: tuple[str, ...]
    options: Mapping[str, JsonValue]


def replay_report(
    result: ReplayResult, rivals: Rivals, setup: Setup, gains: Sequence[Gain] = ()
) -> Report:
    """All that a replay found, for readers and for programs. Raises InputError without rows."""
    counted = result.counted
    figures = figures_of(counted, setup.candidates)
    warm = len(result.decided) - len(counted)
    rate = figures.queries / result.seconds if result.seconds else 0.0
    notes = [*NOTES]
    if warm:
        notes.append(f"{warm} warm rows were learnt from first and are in no figure.")
    return Report(
        title=f"Replay of {setup.trace}",
        subtitle=f"{figures.queries} queries, {len(setup.candidates)} candidates, "
        f"encoder {setup.encoder}, seed {setup.seed}; {result.seconds:.0f} s ({rate:.0f} a second)",
        facts=(*facts_of(figures), *(_gain_fact(gain) for gain in gains)),
        policies=(policy_of(figures, note=_shares(figures)), *rivals.all),
        charts=charts_of(counted, rivals.drawn),
        notes=tuple(notes),
        data={
            **replay_data(figures, rivals, setup, result.seconds),
            "gains": [asdict(gain) for gain in gains],
        },
    )


def facts_of(figures: Figures) -> tuple[Fact, ...]:
    """The headline figures as a reader sees them."""
    facts = [
        Fact("Quality", f"{figures.quality.mean:.4f}{_range(figures.quality)}"),
        Fact("Spent", f"${figures.cost_usd:.4f}"),
        Fact("Per query", f"${figures.usd_per_query:.3g}"),
        Fact("Calls", f"{figures.calls} of {figures.queries}"),
        Fact("Hit rate", f"{figures.hit_rate:.1%}"),
        Fact("Wrong hits", f"{figures.wrong_hits} ({figures.wrong_hit_rate:.2%} of hits)"),
    ]
    if figures.calls:
        share = figures.explored_usd / figures.cost_usd if figures.cost_usd else 0.0
        text = f"{figures.explored} calls, for ${figures.explored_usd:.4f} more ({share:.1%})"
        facts.append(Fact("Exploration", text))
    if figures.unanswered:
        facts.append(Fact("Unanswered", str(figures.unanswered)))
    if figures.predicted_quality is not None:
        facts.append(Fact("Predicted quality of calls", f"{figures.predicted_quality:.4f}"))
    if figures.calibration_error is not None:
        facts.append(Fact("Calibration error", f"{figures.calibration_error:.4f}"))
    if figures.log_cost_r2 is not None:
        facts.append(Fact("R² of log-cost", f"{figures.log_cost_r2:.3f}"))
    return tuple(facts)


def replay_data(
    figures: Figures, rivals: Rivals, setup: Setup, seconds: float
) -> dict[str, JsonValue]:
    """The same facts for programs: what `--json` writes."""
    return {
        "trace": setup.trace,
        "queries": figures.queries,
        "quality": figures.quality.mean,
        "quality_low": figures.quality.low,
        "quality_high": figures.quality.high,
        "cost_usd": figures.cost_usd,
        "usd_per_query": figures.usd_per_query,
        "hit_rate": figures.hit_rate,
        "wrong_hits": {"count": figures.wrong_hits, "share": figures.wrong_hit_rate},
        "calls": figures.calls,
        "unanswered": figures.unanswered,
        "shares": dict(figures.shares),
        "exploration": {"calls": figures.explored, "usd": figures.explored_usd},
        "predicted_quality": figures.predicted_quality,
        "calibration_error": figures.calibration_error,
        "log_cost_r2": figures.log_cost_r2,
        "baselines": [policy_facts(policy) for policy in rivals.all],
        "seconds": round(seconds, 3),
        "encoder": setup.encoder,
        "seed": setup.seed,
        "options": dict(setup.options),
    }


def policy_facts(policy: Policy) -> dict[str, JsonValue]:
    """A line of the table for programs."""
    return asdict(policy)


def _shares(figures: Figures) -> str:
    """Who answered, largest share first."""
    shares = {"cache": figures.hit_rate, **figures.shares}
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    return ", ".join(f"{share:.0%} {name}" for name, share in ranked[:4] if share >= 0.005)


def _gain_fact(gain: Gain) -> Fact:
    return Fact(f"Gain over {gain.over}", f"{gain.quality.mean:+.4f}{_range(gain.quality, '+')}")


def _range(interval: Interval, sign: str = "") -> str:
    """The 95 % interval in brackets, if there is one."""
    if interval.low is None or interval.high is None:
        return ""
    return f" ({interval.low:{sign}.4f} … {interval.high:{sign}.4f})"
