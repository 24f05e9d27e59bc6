"""Takes code out of the Markdown that models like to wrap it in."""

from __future__ import annotations

import re

__all__ = ["unfenced"]

FENCED = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)


def unfenced(text: str) -> str:
    """What stands between the first fences; the whole text, stripped, where there are none."""
    found = FENCED.search(text)
    return (found.group(1) if found else text).strip()
