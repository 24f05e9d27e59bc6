"""Makes pairs of texts: flips, where a small change asks for another answer, and paraphrases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

__all__ = ["Pair", "made_flips", "made_paraphrases"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A stored text and one that is asked; `kind` says what was changed."""

    kind: str
    texts: tuple[str, str]


_FRAMES = (
    "How do I {}?",
    "Please tell me how to {}",
    "What is the best way to {}?",
    "I would like to {}, what do I do",
    "Can you explain how one can {}",
    "Show me the steps to {}",
)
_PAIRS: dict[str, tuple[tuple[str, str], ...]] = {
    "number": tuple(
        (f"{act} {one}", f"{act} {other}")
        for act in ("split a bill among", "cook rice for", "copy the first", "pay back")
        for one, other in (("3", "4"), ("12", "21"), ("two", "five"), ("1,500", "15,000"),
                           ("7.5", "75"), ("100", "1000"), ("once", "twice"), ("half", "double"))
    ),
    "unit": tuple(
        (f"{act} {count} {one}", f"{act} {count} {other}")
        for act, one, other in (
            ("run", "km", "miles"), ("wait", "minutes", "hours"), ("weigh out", "grams", "oz"),
            ("transfer", "USD", "EUR"), ("download", "MB", "GB"), ("fill in", "ml", "l"),
            ("heat the oven by", "degrees celsius", "degrees fahrenheit"),
            ("send", "dollars", "pounds"),
        )
        for count in (5, 20, 300)
    ),
    "date": tuple(
        (f"{act} {one}", f"{act} {other}")
        for act in ("book a table for", "see what happened in", "move my date to", "file taxes by")
        for one, other in (("Monday", "Tuesday"), ("March 3", "March 13"), ("2023", "2024"),
                           ("January", "June"), ("2024-05-01", "2024-06-01"), ("today", "tomorrow"),
                           ("spring", "autumn"), ("9 am", "9 pm"))
    ),
    "entity": tuple(
        (f"{act} {one}", f"{act} {other}")
        for act in ("get a visa for", "fly to", "call the embassy of", "find a flat in")
        for one, other in (("Paris", "London"), ("the US", "the UK"), ("Spain", "Portugal"),
                           ("Berlin", "Bonn"), ("Korea", "Japan"), ("New York", "New Orleans"),
                           ("Anna", "Maria"), ("Samsung", "Apple"))
    ),
    "negation": tuple(
        (f"{one} {what}", f"{other} {what}")
        for what in ("the old invoices", "gluten in bread", "my second card", "weekend shifts")
        for one, other in (("see", "not see"), ("eat with", "eat without"),
                           ("list everything including", "list everything except"),
                           ("always use", "never use"), ("allow", "not allow"),
                           ("keep", "no longer keep"),
                           ("work with", "work without"), ("include", "not include"))
    ),
    "on/off": tuple(
        (f"{one} {what}", f"{other} {what}")
        for what in ("the alarm", "dark mode", "my account", "push messages")
        for one, other in (("turn on", "turn off"), ("enable", "disable"), ("lock", "unlock"),
                           ("open", "close"), ("activate", "deactivate"), ("mute", "unmute"),
                           ("start", "stop"), ("show", "hide"))
    ),
    "identifier": tuple(
        (f"{act} {one}", f"{act} {other}")
        for act in ("use", "look up the manual of", "mock", "debug")
        for one, other in (("read_csv", "read_json"), ("--force", "--quiet"),
                           ("parseInt", "parseFloat"),
                           ("/etc/hosts", "/etc/passwd"), ("os.path.join", "os.path.split"),
                           ("'main'", "'dev'"), ("HTTP_404", "HTTP_405"), ("*.png", "*.jpg"))
    ),
    "language": tuple(
        (f"{act} {one}", f"{act} {other}")
        for act in ("say good night in", "sort a list in", "translate this letter to", "learn")
        for one, other in (("French", "Spanish"), ("German", "Dutch"), ("Python", "Java"),
                           ("English", "Italian"), ("Rust", "Go"), ("Polish", "Czech"),
                           ("Hindi", "Bengali"), ("JavaScript", "TypeScript"))
    ),
}  # fmt: skip
_ASKS = (
    ("How do I {}?", "how can I {}"),
    ("How do I {}?", "What should I do to {}?"),
    ("Please tell me how to {}", "Tell me how to {}, please"),
    ("What is the best way to {}?", "what's the best way to {}"),
    ("I want to {}", "I would like to {}"),
    ("Can you help me {}", "Could you help me to {}?"),
    ("how to {}", "How to {}?"),
    ("Show me the steps to {}", "show me the steps needed to {}"),
    ("I need to {}", "I have to {}"),
    ("Explain how to {}", "Please explain how to {}."),
)
_ACTS = (
    "reset my password", "cancel an order", "pay by card", "turn on the light", "enable dark mode",
    "split a bill among 3 people", "run 5 km", "book a table for Monday", "get a visa for Spain",
    "use read_csv", "list /etc/hosts", "eat bread without gluten", "see what happened in 2023",
    "find a flat in New York", "sort a list in Python", "say good night in French",
    "close my account", "send $20 to Anna", "change the delivery address", "track my parcel",
    "install the app on a new phone", "print a return label", "merge two branches", "weigh 300 g",
    "lower the volume", "download the first invoice", "learn to swim", "remove a stain",
)  # fmt: skip


def made_flips(seed: int) -> tuple[Pair, ...]:
    """Over 1,400 flips of eight kinds both ways round, shuffled: 2,900 pairs and more."""
    pairs = [
        Pair(kind, (frame.format(first), frame.format(second)))
        for kind, each in _PAIRS.items()
        for frame, (one, other) in product(_FRAMES, each)
        for first, second in ((one, other), (other, one))
    ]
    return tuple(_shuffled(pairs, seed))


def made_paraphrases(seed: int) -> tuple[Pair, ...]:
    """The same question in other words, both ways round, shuffled."""
    pairs = [
        Pair("paraphrase", (first.format(act), second.format(act)))
        for act, (one, other) in product(_ACTS, _ASKS)
        for first, second in ((one, other), (other, one))
    ]
    return tuple(_shuffled(pairs, seed))


def _shuffled(pairs: list[Pair], seed: int) -> Iterator[Pair]:
    for place in np.random.default_rng(seed).permutation(len(pairs)):
        yield pairs[place]
