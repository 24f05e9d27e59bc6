"""Three query engines of different skill and cost, learnt from a grader's marks alone."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

import pytest
from llama_index.core.query_engine import CustomQueryEngine, RouterQueryEngine
from llama_index.core.tools import QueryEngineTool

from llama_index_sls import SLSSelector
from llama_index_sls.testing import ScriptedLLM
from sls_plugins import Budget, Candidate, Settings, build

COSTS = {"faq": 0.001, "manual": 0.004, "expert": 0.016}
SKILLS = {
    "faq": {"hours": 0.95, "repair": 0.25, "compare": 0.15},
    "manual": {"hours": 0.5, "repair": 0.92, "compare": 0.35},
    "expert": {"hours": 0.93, "repair": 0.93, "compare": 0.9},
}
BEST = {"hours": "faq", "repair": "manual", "compare": "expert"}
DESCRIPTIONS = {
    "faq": "Opening hours and addresses of the shops in every town: when is the shop open?",
    "manual": "Manuals of every model: how do I repair or fix an error, which screw, which pump?",
    "expert": "Compare models, weigh advantages, say what I should buy and why.",
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


class Named(CustomQueryEngine):
    """A query engine that says its name."""

    name: str

    def custom_query(self, query_str: str) -> str:
        return self.name


@dataclass
class Sum:
    """What one assignment has come to."""

    quality: float = 0.0
    cost_usd: float = 0.0

    def add(self, name: str, topic: str) -> None:
        self.quality += SKILLS[name][topic]
        self.cost_usd += COSTS[name]


@pytest.mark.parametrize("seed", [0, 1])
def test_nearly_as_good_as_the_best_assignment(seed: int) -> None:
    """Over the first 300 queries: 95 % of the quality of the best choice per topic, for less."""
    draw, numbers = random.Random(seed), itertools.count()
    free = {"input_usd_per_mtok": 0.0, "output_usd_per_mtok": 0.0}
    settings = Settings(
        candidates=[Candidate(name=name, usd_per_query=usd, **free) for name, usd in COSTS.items()],
        budget=Budget(price=20),
        encoder="hashing",
        plugins=(),
        seed=seed,
    )
    tools = [
        QueryEngineTool.from_defaults(query_engine=Named(name=name), name=name, description=text)
        for name, text in DESCRIPTIONS.items()
    ]
    ours, best = Sum(), Sum()
    with build(settings, ids=lambda: f"decision-{next(numbers)}") as engine:
        router = RouterQueryEngine(SLSSelector(engine), tools, llm=ScriptedLLM(model_name="unused"))
        for _ in range(300):
            topic = draw.choice(sorted(QUESTIONS))
            words = draw.choice(["Goslar", "X20", "Alpha", "Rex", "Z9"]), draw.randrange(100)
            said = router.query(draw.choice(QUESTIONS[topic]).format(*words))
            mark = min(1.0, max(0.0, draw.gauss(SKILLS[str(said)][topic], 0.1)))
            assert said.metadata is not None
            engine.feedback(said.metadata["selector_result"].decision_id, mark, source="grader")
            ours.add(str(said), topic)
            best.add(BEST[topic], topic)

    assert ours.quality >= 0.95 * best.quality
    assert ours.cost_usd <= best.cost_usd
