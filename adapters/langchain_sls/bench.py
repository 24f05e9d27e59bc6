"""Times what ChatSLS adds to a call of the model behind it: ``python -m langchain_sls.bench``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from langchain_sls.chat import ChatSLS
from langchain_sls.testing import ScriptedChatModel
from sls_plugins.assembly import build
from sls_plugins.settings import Budget, PartSettings, Settings
from sls_plugins.types import Candidate

__all__ = ["Step", "main", "measure"]


@dataclass(frozen=True, slots=True)
class Step:
    """Median and 99th percentile of a step, in milliseconds, over `count` times.

    A difference of medians has no percentile.
    """

    name: str
    p50_ms: float
    p99_ms: float | None
    count: int


def measure(encoder: str, *, calls: int, candidates: int = 3, seed: int = 0) -> tuple[Step, ...]:
    """Bare model, ChatSLS on new questions, the encoder alone, and ChatSLS on old questions.

    The first three take turns, so that a noisy machine is noisy for all. The differences that are
    told besides are differences of medians.
    """
    names = [f"model-{n}" for n in range(candidates)]
    settings = Settings(
        candidates=tuple(
            Candidate(name=name, input_usd_per_mtok=2.0**n, output_usd_per_mtok=4.0 * 2**n)
            for n, name in enumerate(names)
        ),
        budget=Budget(price=1.0),
        encoder=PartSettings(name=encoder),
        index=PartSettings(name="memory"),
        seed=seed,
    )
    models = {
        name: ScriptedChatModel(model_name=name, reply=lambda said: f"{said[-1].text} It is so.")
        for name in names
    }  # no answer serves another question
    with build(settings) as engine:
        chat = ChatSLS(engine, models)
        bare, ours, encodings = [], [], []
        for number in range(calls):
            bare.append(_timed(lambda n=number: models[names[0]].invoke(_text(n))))  # type: ignore[misc]
            ours.append(_timed(lambda n=number: chat.invoke(_text(n))))  # type: ignore[misc]
            fresh = [f"{_text(number)} Anew."]
            encodings.append(_timed(lambda fresh=fresh: engine.parts.encoder.encode(fresh)))  # type: ignore[misc]
        hits = [_timed(lambda n=number: chat.invoke(_text(n))) for number in range(calls)]  # type: ignore[misc]
    steps = (
        _step("the model alone", bare),
        _step("ChatSLS, a new question", ours),
        _step(f"the encoder alone ({encoder})", encodings),
        _step("ChatSLS, an exact hit", hits),
    )
    added = steps[1].p50_ms - steps[0].p50_ms
    return (
        *steps,
        Step("added to a call", added, None, calls),
        Step("added, less the encoder", added - steps[2].p50_ms, None, calls),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table; with --json, write it."""
    parser = argparse.ArgumentParser(prog="python -m langchain_sls.bench", description=__doc__)
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    steps = measure(given.encoder, calls=given.calls)
    heading = f"{'step':36}{'p50 ms':>10}{'p99 ms':>10}{'times':>8}"
    lines = ["", "Overhead of ChatSLS.invoke", heading, *map(_line, steps)]
    sys.stdout.write("\n".join([*lines, ""]))
    if given.json is not None:
        facts = [asdict(each) for each in steps]
        given.json.write_text(json.dumps(facts, indent=2), encoding="utf-8")


def _line(step: Step) -> str:
    p99 = "" if step.p99_ms is None else f"{step.p99_ms:.3f}"
    return f"{step.name:36}{step.p50_ms:10.3f}{p99:>10}{step.count:8}"


def _text(number: int) -> str:
    return f"Could you tell me what I should know about topic number {number}, and why?"


def _timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    start_s = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start_s)


def _step(name: str, sample_ms: Sequence[float]) -> Step:
    p50, p99 = np.percentile(sample_ms, [50, 99])
    return Step(name, float(p50), float(p99), len(sample_ms))


if __name__ == "__main__":
    main()
