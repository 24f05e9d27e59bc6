"""Drives requests: blocking, async, and streaming."""

from sls_plugins.engine.asynchronous import AsyncEngine
from sls_plugins.engine.blocking import Engine
from sls_plugins.engine.streams import (
    AnswerStream,
    AsyncAnswerStream,
    AsyncStreamHost,
    StreamHost,
)

__all__ = [
    "AnswerStream",
    "AsyncAnswerStream",
    "AsyncEngine",
    "AsyncStreamHost",
    "Engine",
    "StreamHost",
]
