"""How well a router over three query engines does that learns from a grader, from zero."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import CustomQueryEngine, RouterQueryEngine
from llama_index.core.tools import QueryEngineTool

from llama_index_sls.selector import SLSSelector
from sls_plugins.assembly import build
from sls_plugins.engine import Engine
from sls_plugins.settings import Budget, PartSettings, Settings
from sls_plugins.types import Candidate

__all__ = ["WORLDS", "Shares", "World", "run"]

Table = Mapping[str, Mapping[str, float]]

COSTS_USD = {"faq": 0.001, "manual": 0.004, "expert": 0.016}

TRUTHFUL = {
    "faq": "Opening hours and addresses of the shops in every town: when is the shop open?",
    "manual": "Manuals of every model: how do I repair or fix an error, which screw, which pump?",
    "expert": "Compare models, weigh advantages, say what I should buy and why.",
}

MISLEADING = {
    "faq": "Opening hours and addresses of the shops in every town: when is the shop open?",
    "manual": "Manuals: repairs, errors, pumps, and how models compare, with advice what to buy.",
    "expert": "Difficult questions of all kinds.",
}

QUESTIONS = {
    "hours": (
        "When does the shop in {} open on day {}?",
        "What are the opening hours in {} on day {}?",
        "Is the {} shop open on day {}?",
    ),
    "repair": (
        "How do I repair the pump of model {} after error {}?",
        "Model {} shows error {}, how do I fix it?",
        "Which screw holds the cover of the {} with error {}?",
    ),
    "compare": (
        "Compare model {} with model {} for a large family.",
        "Should I rather buy {} or {}, and why?",
        "Weigh the advantages of {} against {}.",
    ),
}

WORTH = 20.0
"""Quality that a dollar must buy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Three query engines: how good each is at each topic, and what it says of itself."""

    skills: Table
    descriptions: Mapping[str, str]

    def best(self, topic: str) -> str:
        """Who is worth most for a topic, at the price of money: the best fixed assignment."""
        return max(COSTS_USD, key=lambda name: self.skills[name][topic] - WORTH * COSTS_USD[name])


WORLDS: Mapping[str, World] = {
    "truthful": World(
        skills={
            "faq": {"hours": 0.95, "repair": 0.25, "compare": 0.15},
            "manual": {"hours": 0.5, "repair": 0.92, "compare": 0.35},
            "expert": {"hours": 0.93, "repair": 0.93, "compare": 0.9},
        },
        descriptions=TRUTHFUL,
    ),
    "misleading": World(
        skills={
            "faq": {"hours": 0.95, "repair": 0.25, "compare": 0.15},
            "manual": {"hours": 0.5, "repair": 0.92, "compare": 0.35},
            "expert": {"hours": 0.93, "repair": 0.93, "compare": 0.9},
        },
        descriptions=MISLEADING,
    ),
    "cheap is enough": World(
        skills={
            "faq": {"hours": 0.9, "repair": 0.85, "compare": 0.2},
            "manual": {"hours": 0.9, "repair": 0.9, "compare": 0.8},
            "expert": {"hours": 0.95, "repair": 0.95, "compare": 0.85},
        },
        descriptions=TRUTHFUL,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Quality and cost as shares of the best fixed assignment's: of all queries, of the later half.

    That assignment knows each query's topic and each query engine's skill beforehand.
    """

    quality: float
    cost: float
    late_quality: float
    late_cost: float


@dataclass(slots=True)
class _Sums:
    quality: float = 0.0
    cost_usd: float = 0.0
    best_quality: float = 0.0
    best_cost_usd: float = 0.0

    def add(self, world: World, name: str, topic: str) -> None:
        best = world.best(topic)
        self.quality += world.skills[name][topic]
        self.cost_usd += COSTS_USD[name]
        self.best_quality += world.skills[best][topic]
        self.best_cost_usd += COSTS_USD[best]


class _Named(CustomQueryEngine):
    """A query engine that says its name."""

    name: str

    def custom_query(self, query_str: str) -> str:  # noqa: ARG002 - what is asked does not matter
        return self.name


def run(world: World, seed: int, queries: int = 300) -> Shares:
    """Route so many queries, each graded with noise by what its answerer can do."""
    draw, sums = random.Random(seed), (_Sums(), _Sums())
    with _engine(seed) as engine:
        tools = [
            QueryEngineTool.from_defaults(_Named(name=name), name=name, description=text)
            for name, text in world.descriptions.items()
        ]
        router = RouterQueryEngine(SLSSelector(engine), tools, llm=MockLLM())
        for number in range(queries):
            topic = draw.choice(sorted(QUESTIONS))
            words = draw.choice(["Goslar", "X20", "Alpha", "Rex", "Z9"]), draw.randrange(100)
            said = router.query(draw.choice(QUESTIONS[topic]).format(*words))
            mark = min(1.0, max(0.0, draw.gauss(world.skills[str(said)][topic], 0.1)))
            decision_id = (said.metadata or {})["selector_result"].decision_id
            engine.feedback(decision_id, mark, source="grader")
            for each in sums[: 1 + (2 * number >= queries)]:
                each.add(world, str(said), topic)
    whole, late = sums
    return Shares(
        quality=whole.quality / whole.best_quality,
        cost=whole.cost_usd / whole.best_cost_usd,
        late_quality=late.quality / late.best_quality,
        late_cost=late.cost_usd / late.best_cost_usd,
    )


def _engine(seed: int) -> Engine:
    """An engine that knows nothing, and draws the same for the same seed."""
    numbers = itertools.count()
    settings = Settings(
        candidates=tuple(
            Candidate(name=name, input_usd_per_mtok=0, output_usd_per_mtok=0, usd_per_query=usd)
            for name, usd in COSTS_USD.items()
        ),
        budget=Budget(price=WORTH),
        encoder=PartSettings(name="hashing"),
        index=PartSettings(name="memory"),
        plugins=(),
        seed=seed,
    )
    return build(settings, ids=lambda: f"decision-{next(numbers)}")


def _print(name: str, rows: Sequence[Shares]) -> None:
    for label, shares in (
        ("all queries", [(row.quality, row.cost) for row in rows]),
        ("later half", [(row.late_quality, row.late_cost) for row in rows]),
    ):
        qualities, costs = zip(*shares, strict=True)
        typer.echo(
            f"{name:16} {label:12} quality {min(qualities):.3f} … {max(qualities):.3f}"
            f"   cost {min(costs):.3f} … {max(costs):.3f}"
        )


def main(
    seeds: Annotated[int, typer.Option(help="How many seeds.")] = 10,
    queries: Annotated[int, typer.Option(help="How many queries for each.")] = 300,
) -> None:
    """Shares of the best fixed assignment's quality and cost, lowest … highest over the seeds."""
    for name, world in WORLDS.items():
        _print(name, [run(world, seed, queries) for seed in range(seeds)])


if __name__ == "__main__":
    typer.run(main)
