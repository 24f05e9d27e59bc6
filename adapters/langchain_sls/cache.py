"""LangChain's cache interface on the engine's guarded cache, for any chat model or LLM."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from langchain_core.caches import BaseCache
from langchain_core.messages import BaseMessage, HumanMessage, messages_from_dict
from langchain_core.outputs import Generation

from langchain_sls.generations import answer_of_generations, generations_of
from langchain_sls.messages import Labels, Turn, query_of
from sls_plugins.cache.admission import is_storable
from sls_plugins.cache.keys import scope_of
from sls_plugins.engine import Engine
from sls_plugins.errors import InvalidQueryError, StorageError
from sls_plugins.types import CacheHit, CacheMiss, Query

__all__ = ["SLSCache"]

_log = logging.getLogger(__name__)

_DUMPED = '[{"lc":'
"""How LangChain's dump of a list of messages begins."""


class SLSCache(BaseCache):
    """The engine's cache alone: ``set_llm_cache(SLSCache(engine))``. The model stays your own.

    What is compared is the last human turn, which is found in LangChain's dump of the messages.
    System prompt, earlier turns and the model with all its settings and tools (`llm_string`) are
    walls. Served messages are new each time, with no tokens used, and tell their decision under
    ``response_metadata["sls"]`` for `engine.feedback`. Answers that were cut off or refused, and
    answers of a ChatSLS (whose engine keeps them) are not kept; tool calls, and answers to tools'
    results, only with `cache_tool_calls` (or `cache.tool_calls` in the engine's settings): do that
    where tools only look things up.

    LangChain tells a cache nothing of who asks: `tenant` and `task` are those of this cache. It
    does not ask its cache when it streams; ChatSLS answers streams from the cache, too. Where the
    database fails, the model is called: the failure is logged.
    """

    def __init__(
        self, engine: Engine, *, tenant: str = "", task: str = "", cache_tool_calls: bool = False
    ) -> None:
        """`tenant` and `task` are walls, as everywhere in the engine."""
        self._engine = engine
        self._keeps_calls = cache_tool_calls or engine.parts.keeps_tool_calls
        self._labels = Labels(tenant=tenant, task=task)
        self._prefix = f"langchain-cache/{scope_of({'task': task})}/"

    def lookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        """New copies of the stored generations, or None."""
        query = self._query(prompt, llm_string)
        if query is None:
            return None
        try:
            return _served(self._engine.cache.look_up(query))
        except StorageError:
            _log.exception("the cache could not be read; the model is called")
            return None

    async def alookup(self, prompt: str, llm_string: str) -> list[Generation] | None:
        """`lookup` without blocking."""
        work = partial(self.lookup, prompt, llm_string)
        return await self._engine.as_async().beside.run(work)

    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """Keep generations, if they are worth it."""
        query, answer = self._query(prompt, llm_string), answer_of_generations(return_val)
        if query is None or not is_storable(query, answer):
            return
        try:
            self._engine.cache.keep(query, answer)
        except StorageError:
            _log.exception("an answer could not be kept")

    async def aupdate(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """`update` without blocking."""
        work = partial(self.update, prompt, llm_string, return_val)
        await self._engine.as_async().beside.run(work)

    def clear(self, **kwargs: Any) -> None:  # noqa: ARG002 - LangChain's
        """Never again serve what caches like this one (same tenant, same task) have kept.

        That holds in every process and after a restart. What was learnt from the answers stays, and
        so do the log and answers of ChatSLS. It reads all rows of the cache: no call for each user.
        """
        self._engine.cache.clear(self._labels.tenant, self._prefix)

    def _query(self, prompt: str, llm_string: str) -> Query | None:
        """What is asked, inside its walls; None if it must not be answered from a cache."""
        messages = _messages(prompt)
        if messages is None:
            return None
        extra = {"llm": llm_string, "dumped": prompt.startswith(_DUMPED)}
        try:
            query = query_of(
                Turn(messages=messages, keeps_calls=self._keeps_calls),
                self._labels,
                self._engine.count_tokens,
                extra,
            )
        except InvalidQueryError:
            return None
        if not query.cacheable:
            return None
        scope = self._prefix + query.scope
        return replace(query, scope=scope, keeps_tool_calls=self._keeps_calls)


def _served(found: CacheHit | CacheMiss) -> list[Generation] | None:
    """LangChain takes nothing but a list for a hit, and changes what is in it."""
    return generations_of(found.answer) if isinstance(found, CacheHit) else None


def _messages(prompt: str) -> list[BaseMessage] | None:
    """The messages in a prompt, which may be plain text; None for a dump that cannot be read."""
    if not prompt.startswith(_DUMPED):
        return [HumanMessage(prompt)]
    try:
        dumped = [each["kwargs"] for each in json.loads(prompt)]
        return messages_from_dict([{"type": each["type"], "data": each} for each in dumped])
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
