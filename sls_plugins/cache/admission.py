"""Says which answers are worth keeping, for how long, which go first when room is short."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice

from sls_plugins.types import Answer, Query

__all__ = ["Residents", "is_storable", "is_volatile"]

_VOLATILE = re.compile(
    r"\b(?:today|tonight|tomorrow|yesterday|now|nowadays|currently|latest|newest|recent(?:ly)?|"
    r"at the moment|right now|this (?:morning|evening|week|month|year)|(?:last|next) "
    r"(?:week|month|year)|breaking news|weather|what time is it|stock price|exchange rate)\b",
    re.IGNORECASE,
)
_LOOKED_AT = 32


def is_volatile(text: str) -> bool:
    """The text speaks of the present, so that its answer may soon be wrong."""
    return _VOLATILE.search(text) is not None


def is_storable(query: Query, answer: Answer) -> bool:
    """Host and provider allow it to be kept, and there is something to keep."""
    return query.cacheable and answer.cacheable and bool(answer.text.strip())


class Residents:
    """Ids in the order of their last use, with how often each was of use. Threads may share it.

    When room is short the least used of those longest unused go: a cheap stand-in for the row
    with the worst expected value, which also never keeps a row for its fame of long ago alone.
    """

    def __init__(self, ids: Iterable[str], capacity: int) -> None:
        self._uses: OrderedDict[str, int] = OrderedDict.fromkeys(ids, 0)
        self._capacity = capacity
        self._lock = threading.Lock()

    def take_in(self, entry_id: str) -> tuple[str, ...]:
        """Add an id; returns those that must go."""
        with self._lock:
            self._uses[entry_id] = 0
            self._uses.move_to_end(entry_id)
            surplus = len(self._uses) - self._capacity
            return tuple(self._evict_one() for _ in range(surplus))

    def touch(self, entry_id: str) -> None:
        """This row was of use."""
        with self._lock:
            if entry_id in self._uses:
                self._uses[entry_id] += 1
                self._uses.move_to_end(entry_id)

    def drop(self, ids: Iterable[str]) -> None:
        """These rows are gone; unknown ids are ignored."""
        with self._lock:
            for entry_id in ids:
                self._uses.pop(entry_id, None)

    def __len__(self) -> int:
        return len(self._uses)

    def _evict_one(self) -> str:
        oldest = islice(self._uses, min(_LOOKED_AT, max(1, len(self._uses) // 2)))
        worst = min(oldest, key=self._uses.__getitem__)
        del self._uses[worst]
        return worst
