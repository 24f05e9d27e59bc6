"""Drives requests: blocking, async, and streaming."""

from sls_plugins.engine.asynchronous import AsyncEngine
from sls_plugins.engine.beside import Beside
from sls_plugins.engine.blocking import Engine
from sls_plugins.engine.stream_hosts import (
    AsyncStreamHost,
    ResumingHost,
    StreamHost,
    StreamPolicy,
)
from sls_plugins.engine.streams import AnswerStream, AsyncAnswerStream

__all__ = [
    "AnswerStream",
    "AsyncAnswerStream",
    "AsyncEngine",
    "AsyncStreamHost",
    "Beside",
    "Engine",
    "ResumingHost",
    "StreamHost",
    "StreamPolicy",
]
