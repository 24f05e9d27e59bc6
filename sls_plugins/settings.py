"""What a user configures, from keywords or a TOML file."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from sls_plugins.errors import SettingsError
from sls_plugins.types import Candidate, StoreText

__all__ = [
    "Budget",
    "CacheSettings",
    "HealthSettings",
    "LearningSettings",
    "PartSettings",
    "Settings",
    "load_settings",
]


class _Frozen(BaseModel):
    """Equal by content, keyword-only, refuses unknown keys with an error that names them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _named_errors(
        cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            if info.context is not None:  # a file is being read: its reader knows the whole key
                raise
            raise _settings_error(cls, f"{cls.__name__}(…)", error) from error


class Budget(_Frozen):
    """What to aim at: one of `usd_per_query`, `price`, `target_quality`, or none (thrift).

    `usd_per_query`: mean spend per query, paced. `price`: λ, the quality (0…1) that a dollar must
    buy. `target_quality`: the mean quality to reach at the least cost. Besides any of them:
    `max_usd_per_query`, a ceiling for every single query, and `usd`, a hard cap per `window`. A cap
    per hour, day or month is also paced so that it lasts; with it alone all of it may be spent.
    Without an aim the price of money is such that little quality is given away.

    `latency_weight` is the quality that a second of waiting is worth, `deadline_s` the expected
    latency beyond which a candidate is asked only when nobody else is left, `exploration` the share
    of what is spent that exploring may cost. Where the cap pays for nobody any more, the nearest
    stored answer is served if it is right with a probability of `cache_at_cap` at least.
    """

    usd_per_query: Annotated[float, Field(gt=0)] | None = None
    price: Annotated[float, Field(ge=0)] | None = None
    target_quality: Annotated[float, Field(gt=0, le=1)] | None = None
    max_usd_per_query: Annotated[float, Field(gt=0)] | None = None
    latency_weight: Annotated[float, Field(ge=0)] = 0.0
    deadline_s: Annotated[float, Field(gt=0)] | None = None
    exploration: Annotated[float, Field(ge=0, le=1)] = 0.05
    usd: Annotated[float, Field(gt=0)] | None = None
    window: Literal["total", "hour", "day", "month"] = "total"
    cache_at_cap: Annotated[float, Field(gt=0, le=1)] = 0.9

    @model_validator(mode="after")
    def _one_aim(self) -> Self:
        aims = {
            "usd_per_query": self.usd_per_query,
            "price": self.price,
            "target_quality": self.target_quality,
        }
        given = [name for name, value in aims.items() if value is not None]
        if len(given) > 1:
            problem = "contradict each other"
            raise SettingsError("Budget(…)", " and ".join(given), problem, "Give one of them")
        return self


class LearningSettings(_Frozen):
    """Learning beside requests, in a background thread (for a database that outlives the process).

    `every_s`: seconds between its rounds (0: none; 2 for a file or a server). `refit_every`: lines
    of the log between refits (0: never). `per_alarm`: outcomes between two false alarms of drift,
    at least, on average. `keep_days`: how long lines are kept. `sources`: how reliable (0…1)
    sources of feedback are. `busy`: share of a processor that the background may take, about.
    """

    every_s: Annotated[float, Field(ge=0)] = 2.0
    refit_every: Annotated[int, Field(ge=0)] = 10_000
    refit_window: Annotated[int, Field(gt=0)] = 4000
    per_alarm: Annotated[float, Field(ge=100)] = 100_000.0
    keep_days: Annotated[float, Field(gt=0)] | None = None
    sources: dict[str, Annotated[float, Field(gt=0.5, le=1)]] = Field(default_factory=dict)
    busy: Annotated[float, Field(gt=0, lt=1)] = 0.3


class HealthSettings(_Frozen):
    """When a failing candidate is left alone, and how often a call is tried again.

    After `failures` failed calls in a row it is left alone for `cooldown_s`, twice as long each
    time, up to `longest_cooldown_s`. Passing errors are tried again up to `retries` times, after
    `wait_s` or the provider's Retry-After, if that is no more than `longest_wait_s`. With `hedge` a
    second candidate is called, within the budget, when the first has not answered by the 95 %
    quantile of its latency; the first good answer is used, both are paid for.
    """

    failures: Annotated[int, Field(gt=0)] = 5
    cooldown_s: Annotated[float, Field(ge=0)] = 30.0
    longest_cooldown_s: Annotated[float, Field(ge=0)] = 600.0
    retries: Annotated[int, Field(ge=0)] = 1
    wait_s: Annotated[float, Field(ge=0)] = 0.5
    longest_wait_s: Annotated[float, Field(ge=0)] = 5.0
    hedge: bool = False


class PartSettings(_Frozen):
    """A part by name, with its own options."""

    name: str
    options: dict[str, object] = Field(default_factory=dict)


def _named_part(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


Part = Annotated[PartSettings, BeforeValidator(_named_part)]


class CacheSettings(_Frozen):
    """The semantic cache: on or off, and how wrong it may be.

    `max_error` bounds the share of wrong hits among hits. `near=False` keeps to exact repeats.
    `capacity` is in rows, `capacity_bytes` in bytes of text and vectors. An answer is served for
    `ttl_s` seconds from when it was made, or as `ttl_by_task` says, and one to a query about the
    present ("today", "latest") for `volatile_ttl_s` at most (0: it is not kept). A query like one
    that is on its way waits for that answer, for `single_flight_s` seconds at most (0: never).
    `audit` is about the share of near hits that are answered afresh all the same, to check the
    bound; with `audit_later` the caller gets the stored answer, and the call is made behind his
    back. `same_answer` is the part that compares the fresh answer with the stored one. `guards_off`
    names guards that must not veto: by task, by family (what a task is named before its "/"), or
    for all ("*"). With `tool_calls` hosts keep answers that call tools, and answers to tools'
    results: say so only where all tools just look things up.
    """

    enabled: bool = True
    near: bool = True
    max_error: Annotated[float, Field(gt=0, lt=1)] = 0.02
    capacity: Annotated[int, Field(gt=0)] = 100_000
    capacity_bytes: Annotated[int, Field(gt=0)] | None = None
    ttl_s: Annotated[float, Field(gt=0)] | None = None
    ttl_by_task: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    volatile_ttl_s: Annotated[float, Field(ge=0)] | None = 3600.0
    single_flight_s: Annotated[float, Field(ge=0)] = 30.0
    audit: Annotated[float, Field(ge=0, lt=1)] = 0.01
    audit_later: bool = False
    same_answer: Part = PartSettings(name="text")
    guards_off: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    tool_calls: bool = False


class Settings(_Frozen):
    """Everything that can be set. Keys are the same as keywords and in TOML.

    `database` is an SQLAlchemy URL; without one it is a file in `folder`, or memory if there is no
    folder either. `embeddings` is a folder where embeddings are kept between runs, for those who
    replay a trace again and again. `warm_start` names the folder or database URL of another engine,
    from whose learnt predictor a new one starts. `plugins` names the entry points to load (all of
    them if None).
    """

    candidates: tuple[Candidate, ...] = ()
    budget: Budget = Budget()
    cache: CacheSettings = CacheSettings()
    health: HealthSettings = HealthSettings()
    encoder: Part = PartSettings(name="minilm")
    index: Part = PartSettings(name="auto")
    predictor: Part = PartSettings(name="online")
    scheduler: Part = PartSettings(name="lagrange")
    judges: tuple[Part, ...] = ()
    learning: LearningSettings = LearningSettings()
    store_text: StoreText = "full"
    database: str | None = None
    folder: Path | None = None
    embeddings: Path | None = None
    warm_start: str | None = None
    seed: int = 0
    reservation_s: Annotated[float, Field(gt=0)] = 600.0
    plugins: tuple[str, ...] | None = None

    @field_validator("candidates", mode="before")
    @classmethod
    def _known_keys(cls, value: object) -> object:
        """Name an unknown key of a candidate, which dataclasses would report without a hint."""
        if isinstance(value, list | tuple):
            return tuple(_candidate(item) if isinstance(item, dict) else item for item in value)
        return value

    @field_validator("candidates")
    @classmethod
    def _distinct(cls, value: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        names = [candidate.name for candidate in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            problem = f"{twice[0]!r} is declared twice"
            raise SettingsError("Settings(…)", "candidates", problem, "Names must be distinct")
        return value


_CANDIDATE = TypeAdapter(Candidate)


def _candidate(item: dict[str, object]) -> Candidate:
    known = tuple(Candidate.__dataclass_fields__)
    source = f"Candidate {item.get('name', '(without a name)')!r}"
    for key in item:
        if key not in known:
            raise SettingsError(source, key, "no such key", f"Keys{_near(key, known)}")
    try:
        return _CANDIDATE.validate_python(item)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingsError(source, key, first["msg"], "Mend the value") from error


def load_settings(source: Settings | str | Path) -> Settings:
    """Settings as they are, or from a TOML file. Raises SettingsError."""
    if isinstance(source, Settings):
        return source
    path = Path(source)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            str(path), "(file)", f"cannot be read: {error.strerror}", "Check the path"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(str(path), "(file)", str(error), "Mend the TOML syntax") from error
    try:
        return Settings.model_validate(data, context={"source": str(path)})
    except ValidationError as error:
        raise _settings_error(Settings, str(path), error) from error
    except SettingsError as error:
        source = f"{path}: {error.source}"
        raise SettingsError(source, error.key, error.problem, error.hint) from error


def _settings_error(model: type[BaseModel], source: str, error: ValidationError) -> SettingsError:
    """The first problem, with its key and what to do."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "(all)"
    hint = "docs/operations.md lists all settings"
    if first["type"] == "extra_forbidden":
        hint = f"No such key{_near(str(first['loc'][-1]), _fields(model, first['loc'][:-1]))}"
    return SettingsError(source, key, str(first["msg"]).removeprefix("Value error, "), hint)


def _fields(model: type[BaseModel], path: tuple[int | str, ...]) -> tuple[str, ...]:
    """The known keys at a place inside a model."""
    for name in path:
        field = model.model_fields.get(str(name))
        if field is None or not isinstance(field.annotation, type):
            return ()
        if not issubclass(field.annotation, BaseModel):
            return ()
        model = field.annotation
    return tuple(model.model_fields)


def _near(key: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known are {', '.join(known)}" if known else ""
