"""Waits for somebody else's call, in a thread or in an event loop."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import wait

from sls_plugins.flow import Flight, Landed, Landing

__all__ = ["follow", "follow_async", "landed", "landed_async"]


def follow(flight: Flight, wait_s: float) -> Landed:
    """What became of a call, after `wait_s` seconds at the latest."""
    until_s = time.monotonic() + wait_s
    landing: Landing | None = None
    while landing is None:
        version, _, landing = flight.look()
        landing = landing or landed(flight, version, until_s)
    return Landed(landing)


async def follow_async(flight: Flight, wait_s: float) -> Landed:
    """`follow` without blocking."""
    until_s = time.monotonic() + wait_s
    landing: Landing | None = None
    while landing is None:
        version, _, landing = flight.look()
        landing = landing or await landed_async(flight, version, until_s)
    return Landed(landing)


def landed(flight: Flight, version: int, until_s: float) -> Landing | None:
    """Wait for news: LATE if there are none in time, None if there is something to see."""
    left_s = until_s - time.monotonic()
    if left_s > 0 and wait([flight.news(version)], left_s).done:
        return None
    return Landing.LATE


async def landed_async(flight: Flight, version: int, until_s: float) -> Landing | None:
    """`landed` without blocking."""
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        return Landing.LATE
    news = asyncio.wrap_future(flight.news(version))
    done, _ = await asyncio.wait([news], timeout=left_s)
    if not done:
        news.cancel()
        return Landing.LATE
    return None
