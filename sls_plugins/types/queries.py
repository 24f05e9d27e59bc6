"""What is asked, and who could answer."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sls_plugins.errors import InvalidQueryError, SettingsError
from sls_plugins.types.vectors import Space

__all__ = ["Candidate", "Query", "Session"]


_WITH_CALLS = "+tool-calls"
"""Ends the scope of queries whose answers may call tools and be kept all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model that may be chosen: its name, list prices, limits and capabilities.

    Prices are USD per million tokens, `usd_per_query` is a fixed fee. Without prices they are
    looked up by `name` (or `price_name`) in the price table. Input read from the provider's cache
    and reasoning tokens cost what others of their kind cost, unless they have their own price.
    `capabilities` are free words such as "tools", "vision" and "json"; `tags` are the operator's
    own ("eu", "local"). `quality_prior` (0…1) is what you believe before any outcome is known.
    `rpm` and `tpm` are the calls and input tokens that the provider takes a minute,
    `max_concurrency` the calls at a time, in each process.
    """

    name: str
    input_usd_per_mtok: float | None = None
    output_usd_per_mtok: float | None = None
    cached_input_usd_per_mtok: float | None = None
    reasoning_usd_per_mtok: float | None = None
    usd_per_query: float = 0.0
    provider: str | None = None
    price_name: str | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    quality_prior: float | None = None
    rpm: int | None = None
    tpm: int | None = None
    max_concurrency: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no candidate can have."""
        if not self.name.strip():
            raise self._wrong("name", "is empty", "Give the model's name")
        for key in (
            "input_usd_per_mtok",
            "output_usd_per_mtok",
            "cached_input_usd_per_mtok",
            "reasoning_usd_per_mtok",
            "usd_per_query",
        ):
            price = getattr(self, key)
            if price is not None and not (math.isfinite(price) and price >= 0):
                raise self._wrong(key, f"{price} is no price", "Give 0 USD or more")
        for key in ("context_window", "max_output_tokens", "rpm", "tpm", "max_concurrency"):
            limit = getattr(self, key)
            if limit is not None and limit <= 0:
                raise self._wrong(key, f"{limit} is no limit", "Give 1 or more")
        if self.quality_prior is not None and not 0 <= self.quality_prior <= 1:
            raise self._wrong("quality_prior", f"{self.quality_prior} is outside 0…1", "Mend it")

    def _wrong(self, key: str, problem: str, hint: str) -> SettingsError:
        return SettingsError(f"Candidate {self.name!r}", key, problem, hint)


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation, whose beginning a provider may hold in its own cache: cheaper to read there.

    By its `name` the engine remembers who answered in it last, and how much was sent then. Where
    the host knows better, `held` tells the input tokens that candidates hold.
    """

    name: str = ""
    held: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        for candidate, tokens in self.held:
            if tokens < 0:
                raise InvalidQueryError(f"{candidate} cannot hold {tokens} tokens of a session")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What the user wants answered, and what limits the answer.

    `text` is what is embedded and compared: the last human turn, not the whole conversation.
    `tenant` and `scope` must be equal for two queries to share answers: the tenant is the outer
    wall (its own vectors, its own erasure), the scope is a digest of everything else that shapes
    the answer (system prompt, earlier turns, tools, model settings, epoch).
    `needs` are capabilities a candidate must have, `tags` what the operator must have said of it
    ("eu": where data may go). `input_tokens` is the host's own count of all
    that is sent, `max_output_tokens` the answer's limit. `max_usd` is a ceiling for this query,
    `deadline_s` the expected latency beyond which a candidate is asked only when nobody else is
    left. `session` is the conversation that the query belongs to.
    With `keeps_tool_calls` an answer that calls tools may be kept, and served to queries that say
    the same: its scope is another one. `payload` is the host's own object (messages, arguments); it
    is never stored or compared.
    """

    text: str
    id: str = ""
    task: str = ""
    tenant: str = ""
    scope: str = ""
    needs: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    input_tokens: int | None = None
    max_output_tokens: int | None = None
    max_usd: float | None = None
    deadline_s: float | None = None
    session: Session | None = None
    allow: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()
    cacheable: bool = True
    keeps_tool_calls: bool = False
    payload: object = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse an empty text and impossible limits; part who keeps tool calls from others."""
        if self.keeps_tool_calls and not self.scope.endswith(_WITH_CALLS):
            object.__setattr__(self, "scope", self.scope + _WITH_CALLS)
        if not isinstance(self.text, str) or not self.text.strip():
            raise InvalidQueryError(
                f"query {self.id or '(new)'} has an empty text: pass the user's words as text="
            )
        if self.input_tokens is not None and self.input_tokens < 0:
            raise InvalidQueryError(f"input_tokens must be 0 or more, not {self.input_tokens}")
        if self.max_output_tokens is not None and self.max_output_tokens <= 0:
            raise InvalidQueryError(
                f"max_output_tokens must be 1 or more, not {self.max_output_tokens}"
            )
        if self.max_usd is not None and not self.max_usd > 0:
            raise InvalidQueryError(f"max_usd must be more than 0 USD, not {self.max_usd}")
        if self.deadline_s is not None and not self.deadline_s > 0:
            raise InvalidQueryError(f"deadline_s must be more than 0 s, not {self.deadline_s}")

    @property
    def space(self) -> Space:
        """Where this query's neighbours may live."""
        return Space(tenant=self.tenant, scope=self.scope)
