"""Route questions to query engines by their descriptions first, then by what graders have seen.

Three query engines of different skill and cost stand behind LlamaIndex's own router; no LLM is
asked which to take. The descriptions here are wrong in one point: comparisons are promised by the
manuals, but only the expert is good at them. Every answer is graded. It prints:

    before any grade, comparisons go to: manuals
    of the last 20 comparisons, nearly all went to: expert
    of the last 20 questions about opening hours, nearly all went to: faq
"""

import itertools
from collections import Counter

from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import CustomQueryEngine, RouterQueryEngine
from llama_index.core.tools import QueryEngineTool

from llama_index_sls import SLSSelector
from sls_plugins import Budget, Candidate, Settings, build

COSTS_USD = {"faq": 0.001, "manuals": 0.002, "expert": 0.01}
DESCRIPTIONS = {
    "faq": "Opening hours, addresses and phone numbers of our shops.",
    "manuals": "Manuals: repairs, errors, and how models compare.",
    "expert": "Difficult questions of all kinds.",
}


class Engine(CustomQueryEngine):
    """Stands for a query engine over an index; it answers with its name."""

    name: str

    def custom_query(self, query_str: str) -> str:  # noqa: ARG002 - what is asked does not matter
        """The answer."""
        return self.name


def grade(kind: str, name: str) -> float:
    """What the grader thinks of the answers of this query engine."""
    good = {"hours": ("faq", "expert"), "compare": ("expert",)}
    return 1.0 if name in good[kind] else 0.1


def habit(names: list[str]) -> str:
    """Who answers, and how regularly."""
    [(name, times)] = Counter(names).most_common(1)
    return f"{'nearly all' if times >= 0.8 * len(names) else 'most'} went to: {name}"


settings = Settings(
    candidates=[
        Candidate(name=name, input_usd_per_mtok=0, output_usd_per_mtok=0, usd_per_query=usd)
        for name, usd in COSTS_USD.items()
    ],
    budget=Budget(price=20),  # 20 per USD: a cent more must buy a fifth of full quality
    encoder="hashing",  # needs no weights; leave this line out for the better default
)
tools = [
    QueryEngineTool.from_defaults(Engine(name=name), name=name, description=text)
    for name, text in DESCRIPTIONS.items()
]
numbers = itertools.count()
with build(settings, ids=lambda: f"decision-{next(numbers)}") as engine:
    router = RouterQueryEngine(SLSSelector(engine), tools, llm=MockLLM())
    print("before any grade, comparisons go to:", router.query("How do models 1 and 2 compare?"))

    chosen: dict[str, list[str]] = {"compare": [], "hours": []}
    for day in range(80):
        for kind, question in (
            ("compare", f"How do models {day} and {day + 1} compare?"),
            ("hours", f"What are the opening hours of your shops on day {day}?"),
        ):
            response = router.query(question)
            chosen[kind].append(str(response))
            decision_id = response.metadata["selector_result"].decision_id
            engine.feedback(decision_id, grade(kind, str(response)), source="grader")

print("of the last 20 comparisons,", habit(chosen["compare"][-20:]))
print("of the last 20 questions about opening hours,", habit(chosen["hours"][-20:]))
