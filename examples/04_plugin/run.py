"""Runs a few queries through an engine that found the plugin by its entry point."""

from __future__ import annotations

import logging
import sys

from sls_plugins import Answer, Candidate, Query, Settings, Usage, build


def call(candidate: Candidate, query: Query) -> Answer:  # noqa: ARG001 -- there is only one candidate
    """Stand in for a model: brief or long-winded, as it is asked."""
    words = 5 if "briefly" in query.text else 50
    return Answer(text="word " * words, usage=Usage(input_tokens=10, output_tokens=words))


def main() -> None:
    """Ask each question twice: what the judge finds too long is not served again."""
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    logging.getLogger("sls_concise").setLevel(logging.INFO)
    settings = Settings(
        candidates=[Candidate(name="small", input_usd_per_mtok=1.0, output_usd_per_mtok=5.0)],
        encoder="hashing",
        index="memory",
        judges=[{"name": "concise", "options": {"max_words": 9}}],
        plugins=["concise"],
    )
    with build(settings) as engine:
        for text in ("Tell me briefly.", "Tell me everything."):
            engine.answer(Query(text=text), call)
            engine.answer(Query(text=text), call)


if __name__ == "__main__":
    main()
