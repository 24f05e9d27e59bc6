"""The one tree of errors: who is at fault, whether a retry may help, what to do next.

::

    SLSError
    ├── ConfigurationError        what you configured; fix it and start again
    │   ├── SettingsError         a setting: carries the source (file), the key and a hint
    │   ├── PluginError           a plugin: carries its name
    │   ├── MissingExtraError     a part needs a package of an extra that is not installed
    │   ├── EncoderMismatchError  stored vectors or learnt state belong to another encoder
    │   └── PriceUnknownError     a candidate without a price
    ├── InputError                what you passed in; fix the call
    │   ├── InvalidQueryError     an empty query, or one with impossible limits
    │   ├── InvalidFeedbackError  a quality outside 0…1, or a weight that is not positive
    │   ├── UnknownDecisionError  feedback for a decision nobody knows
    │   ├── UnknownCandidateError a candidate that was never declared
    │   └── TraceError            a line of a trace: carries the file and line number
    ├── NoCandidateLeft      nothing can answer this query: carries the cause for each candidate
    ├── BudgetExhausted      the budget is spent; carries when money is free again (retry then)
    ├── ProviderError             a candidate failed to answer (the flow tries the next one)
    │   └── UnusableAnswerError   it answered in a form that cannot be used: carries the answer
    └── StorageError              the database failed: carries its URL, and if a retry may help
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "BudgetExhausted",
    "ConfigurationError",
    "EncoderMismatchError",
    "InputError",
    "InvalidFeedbackError",
    "InvalidQueryError",
    "MissingExtraError",
    "NoCandidateLeft",
    "PluginError",
    "PriceUnknownError",
    "ProviderError",
    "SLSError",
    "SettingsError",
    "StorageError",
    "TraceError",
    "UnknownCandidateError",
    "UnknownDecisionError",
    "UnusableAnswerError",
]


class SLSError(Exception):
    """Root of every error that this project raises on purpose."""


class ConfigurationError(SLSError):
    """What was configured cannot work; nothing was started."""


class SettingsError(ConfigurationError):
    """A setting is wrong: names the source (a file, or the keywords), the key and a hint."""

    def __init__(self, source: str, key: str, problem: str, hint: str) -> None:
        """Keep all four so that a program can show them apart."""
        super().__init__(f"{source}: {key}: {problem}. {hint}")
        self.source = source
        self.key = key
        self.problem = problem
        self.hint = hint


class PluginError(ConfigurationError):
    """A plugin could not be taken in: names the plugin."""

    def __init__(self, plugin: str, problem: str) -> None:
        """Keep the plugin's name beside the message."""
        super().__init__(f"plugin {plugin!r}: {problem}")
        self.plugin = plugin


class MissingExtraError(ConfigurationError):
    """A part was asked for whose library is not installed: names the extra to install."""

    def __init__(self, part: str, library: str, extra: str) -> None:
        """Say which command brings the library."""
        super().__init__(
            f"{part} needs the package {library!r}, which is not installed. "
            f'Install it with: pip install "sls-plugins[{extra}]"'
        )
        self.part = part
        self.library = library
        self.extra = extra


class EncoderMismatchError(ConfigurationError):
    """What is stored was made with another encoder than the one configured now."""

    def __init__(self, place: str, stored: str, configured: str, hint: str) -> None:
        """Keep both fingerprints and the place where they met."""
        super().__init__(
            f"{place} holds vectors of encoder {stored!r}, "
            f"but the configured encoder is {configured!r}. {hint}"
        )
        self.place = place
        self.stored = stored
        self.configured = configured


class PriceUnknownError(ConfigurationError):
    """A candidate has no price, neither in the settings nor in the price table."""

    def __init__(self, candidate: str, reason: str) -> None:
        """Tell how to give a price."""
        super().__init__(
            f"candidate {candidate!r} has no price: {reason}. Give one with "
            f"Candidate(name={candidate!r}, input_usd_per_mtok=…, output_usd_per_mtok=…)"
        )
        self.candidate = candidate


class InputError(SLSError):
    """What was passed in cannot be used; nothing was called, stored or learnt."""


class InvalidQueryError(InputError):
    """A query is empty or contradicts itself."""


class InvalidFeedbackError(InputError):
    """A feedback value is out of range; it was not stored."""


class UnknownDecisionError(InputError):
    """Feedback names a decision that is not in the database."""

    def __init__(self, decision_id: str, *, kept: bool = False) -> None:
        """Keep the id that nobody knows; `kept`: what was said of it waits for it."""
        waits = "; what was said is kept, and counts once the decision is known" if kept else ""
        super().__init__(
            f"no decision {decision_id!r} is known: check the id, and that this engine uses the "
            f"database in which the decision was made{waits}"
        )
        self.decision_id = decision_id
        self.kept = kept


class UnknownCandidateError(InputError):
    """A name is not among the engine's candidates: lists those that are."""

    def __init__(self, name: str, known: tuple[str, ...], where: str) -> None:
        """Keep the name and what would have been right."""
        super().__init__(f"{where}: unknown candidate {name!r}; known are {', '.join(known)}")
        self.name = name
        self.known = known


class TraceError(InputError):
    """A line of a trace is broken: names the file and the line."""

    def __init__(self, path: str, line: int, problem: str) -> None:
        """Keep where it is (lines count from 1)."""
        super().__init__(f"{path}, line {line}: {problem}")
        self.path = path
        self.line = line


class NoCandidateLeft(SLSError):
    """No candidate can answer this query: `causes` tells why, by candidate name."""

    def __init__(self, query_id: str, causes: Mapping[str, str | Exception]) -> None:
        """Keep every cause; a text says why it was not eligible, an error why its call failed."""
        lines = "; ".join(f"{name}: {cause}" for name, cause in causes.items())
        super().__init__(f"no candidate left for query {query_id!r}: {lines or 'none declared'}")
        self.query_id = query_id
        self.causes = dict(causes)


class BudgetExhausted(SLSError):
    """The budget cannot pay for any eligible candidate."""

    def __init__(self, problem: str, available_s: float | None = None) -> None:
        """`available_s`: seconds since the epoch when money is free again, if known."""
        super().__init__(problem)
        self.available_s = available_s


class ProviderError(SLSError):
    """A candidate failed to answer; the host's error is its `__cause__`.

    `partial` is the `Answer` so far if its stream broke after the caller had seen a chunk. No other
    candidate is tried after an error that `stops`: by default one with a partial answer, for the
    caller cannot unsee it.

    `passing` says that the same call may well succeed soon (a full or slow provider),
    `query_at_fault` that it was refused for what was asked: then the candidate is well.
    """

    passing = False
    query_at_fault = False

    def __init__(
        self,
        candidate: str,
        problem: str,
        *,
        retry_after_s: float | None = None,
        partial: object | None = None,
        stops: bool | None = None,
    ) -> None:
        """Keep who failed, and the provider's word on when to come back."""
        super().__init__(f"{candidate}: {problem}")
        self.candidate = candidate
        self.retry_after_s = retry_after_s
        self.partial = partial
        self.stops = partial is not None if stops is None else stops


class UnusableAnswerError(ProviderError):
    """A candidate answered, but not in the form that was asked for: `answer` is what it said.

    It is charged, its quality is 0, and another candidate is asked, once.
    """

    def __init__(self, candidate: str, problem: str, answer: object) -> None:
        """Keep what cannot be used."""
        super().__init__(candidate, problem)
        self.answer = answer


class StorageError(SLSError):
    """The database could not be opened, read or written."""

    def __init__(self, url: str, problem: str, *, retryable: bool = False) -> None:
        """Keep the URL (without a password), what is wrong, and whether a retry may help."""
        super().__init__(f"database {url}: {problem}")
        self.url = url
        self.problem = problem
        self.retryable = retryable
