"""Runs two queries through an engine that found the plugin by its entry point."""

from __future__ import annotations

import logging
import sys

from sls_plugins import Answer, Budget, Candidate, Query, Settings, Usage, build


def call(candidate: Candidate, query: Query) -> Answer:
    """Stand in for a model: answer at length, whatever was asked."""
    text = f"{candidate.name} thinks that this is a good question, " + "and so on " * 9
    return Answer(text=text, usage=Usage(input_tokens=len(query.text.split()), output_tokens=40))


def main() -> None:
    """Ask one question twice: the second answer comes from the cache."""
    logging.basicConfig(stream=sys.stdout, format="%(name)s | %(message)s")
    logging.getLogger("sls_concise").setLevel(logging.INFO)
    settings = Settings(
        candidates=[Candidate(name="small", input_usd_per_mtok=1.0, output_usd_per_mtok=5.0)],
        budget=Budget(usd_per_query=0.001),
        encoder="hashing",
        index="memory",
        judges=[{"name": "concise", "options": {"max_words": 9}}],
        plugins=["concise"],
    )
    with build(settings) as engine:
        answer = engine.answer(Query(text="What is a plugin?"), call)
        engine.answer(Query(text="What is a plugin?"), call)
        print("decided by", answer.candidate, "at", f"{answer.cost_usd:.6f}", "USD")


if __name__ == "__main__":
    main()
