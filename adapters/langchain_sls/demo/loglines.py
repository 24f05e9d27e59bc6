"""Log lines of a made-up service, each made from a template."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["LINES", "LogTemplate", "filled", "masked"]

_FIELD = re.compile(r"\{(\w+)\}")
_TOKEN = re.compile(r"(?P<key>\w+=)?(?P<value>'[^']*'|/\S*?|\S*\d\S*?|\S+?)(?P<end>[,:;]?)(?=\s|$)")


@dataclass(frozen=True, slots=True)
class LogTemplate:
    """A line with named fields; a tricky one varies in words as well as in numbers."""

    text: str
    tricky: bool = False

    @property
    def answer(self) -> str:
        """The template as it should be given back."""
        return _FIELD.sub("<*>", self.text)


LINES = tuple(
    LogTemplate(text, tricky=any(field in text for field in ("{user}", "{state}", "{path}")))
    for text in (
        "Accepted connection from {ip} on port {number}",
        "Closed connection from {ip} after {ms}",
        "Request {hex} took {ms} and returned {number} rows",
        "Worker {number} picked up job {hex}",
        "Job {hex} finished: state={state}, retries={number}",
        "Login of user={user} refused, {number} attempts left",
        "Login of user={user} from {ip} accepted",
        "Wrote {number} bytes to {path} in {ms}",
        "Cannot open {path}: errno={number}",
        "Rotated {path}, kept {number} files",
        "Cache holds {number} entries, {number} were dropped",
        "Heartbeat of node={user} is {ms} late",
        "Node {ip} joined, cluster has {number} members",
        "Node {ip} left: reason={state}",
        "Replica {number} lags by {number} records behind leader {number}",
        "Leader moved from {number} to {number} in term {number}",
        "Snapshot {hex} loaded: {number} segments, {number} bytes, {ms}",
        "Disk {path} is {number} percent full",
        "Mail to {user} queued as {hex}",
        "Retry {number} of {number} for call {hex} to {ip}",
        "Configuration reloaded from {path} by user={user}",
        "Session {hex} of user={user} expired after {ms}",
        "Queue {user} has {number} messages, oldest is {ms} old",
        "Health of {ip}: state={state}, load={number}, latency={ms}",
    )
)

_NAMES = ("ada", "grace", "edsger", "barbara", "donald", "frances", "tony", "leslie", "radia")

_FILL: Mapping[str, Callable[[random.Random], str]] = {
    "hex": lambda rng: f"{rng.randrange(16**7):07x}{rng.randrange(10)}",
    "ip": lambda rng: f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}",
    "ms": lambda rng: f"{rng.randrange(1, 9000)}ms",
    "number": lambda rng: str(rng.randrange(10_000)),
    "path": lambda rng: f"/{rng.choice(('srv', 'var', 'data'))}/{rng.choice(_NAMES)}",
    "state": lambda rng: f"'{rng.choice(('ok', 'failed', 'cancelled', 'timed out'))}'",
    "user": lambda rng: f"'{rng.choice(_NAMES)}'",
}


def filled(template: LogTemplate, rng: random.Random) -> str:
    """A line of this template."""
    return _FIELD.sub(lambda field: _FILL[field.group(1)](rng), template.text)


def masked(line: str) -> str:
    """The template of any line: values of keys, quotes, paths and whatever has a digit vary."""
    return _TOKEN.sub(_mask, line)


def _mask(token: re.Match[str]) -> str:
    key, value, end = token["key"] or "", token["value"], token["end"]
    varies = key or value[0] in "'/" or any(letter.isdigit() for letter in value)
    return f"{key}<*>{end}" if varies else token[0]
