"""Made-up questions in many wordings, and an engine to ask them, for studies of the cache."""

from __future__ import annotations

from pathlib import Path

from sls_plugins.evaluation.study import StudySetup
from sls_plugins.settings import CacheSettings, PartSettings, Settings
from sls_plugins.types import Candidate

__all__ = ["TOPICS", "desk_settings", "question", "wordings"]

TOPICS = (
    "a heap", "a hash table", "a red-black tree", "a bloom filter", "a linked list", "a queue",
    "a semaphore", "a mutex", "a deadlock", "a compiler", "an interpreter", "a linker",
    "a page table", "a file system", "a socket", "a router", "a firewall", "a load balancer",
    "a transaction", "an index", "a view", "a trigger", "a foreign key", "a checksum",
    "a digital signature", "a public key", "a certificate", "a container", "a virtual machine",
    "a scheduler", "a garbage collector", "a closure", "a generator", "a coroutine", "a decorator",
    "a monad", "a type class", "a regular expression", "a parser", "a grammar",
)  # fmt: skip

_BEGINNINGS = (
    "What is", "Tell me what is", "Please explain", "Can you explain", "Could you explain",
    "I want to know what is", "Explain to me", "Please tell me about", "Describe",
    "Give me an explanation of",
)  # fmt: skip
_ENDS = ("", "?", "!", " please", ", please", " to me", " in short", " in brief", " now", " again")


def wordings(topic: str, count: int) -> list[str]:
    """Up to a hundred different ways to ask the same, in a fixed order."""
    pairs = [(begin, end) for end in _ENDS for begin in _BEGINNINGS]
    return [f"{begin} {topic}{end}" for begin, end in pairs[:count]]


def question(number: int) -> str:
    """A question of its own for every number."""
    return f"{_BEGINNINGS[number % 10]} {TOPICS[number % len(TOPICS)]} of kind {number}"


def desk_settings(
    setup: StudySetup, folder: Path, index: PartSettings, cache: CacheSettings | None = None
) -> Settings:
    """An engine of one candidate that keeps its rows in `folder`."""
    return Settings(
        candidates=(Candidate(name="model", input_usd_per_mtok=1.0, output_usd_per_mtok=4.0),),
        cache=cache or CacheSettings(),
        encoder=PartSettings(name=setup.encoder),
        index=index,
        folder=folder,
    )
