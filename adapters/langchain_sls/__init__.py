"""SLS for LangChain: a chat model, a router of whole chains, a cache, a handler for feedback.

`SLSMiddleware` (extra `agents`) and `SLSDecisionModel` (langchain-core 1.8 or later) are imported
when they are first asked for.
"""

import importlib
import importlib.util
from typing import Any

from langchain_sls.cache import SLSCache
from langchain_sls.chat import ChatSLS
from langchain_sls.feedback import SLSFeedbackHandler
from langchain_sls.router import SLSRouter
from sls_plugins.errors import MissingExtraError

_LATER = {
    "SLSDecisionModel": ("decisions", "langchain_core.decisions", "langchain"),
    "SLSMiddleware": ("middleware", "langchain.agents", "agents"),
}
"""Where a name lives, what it needs, and which extra brings that."""

__all__ = [
    "ChatSLS",
    "SLSCache",
    "SLSDecisionModel",
    "SLSFeedbackHandler",
    "SLSMiddleware",
    "SLSRouter",
]


def __getattr__(name: str) -> Any:
    """Import a name that needs more. Raises AttributeError for unknown ones, MissingExtraError."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, library, extra = _LATER[name]
    top = library.partition(".")[0]
    if importlib.util.find_spec(top) is None or importlib.util.find_spec(library) is None:
        raise MissingExtraError(name, library, extra)
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
