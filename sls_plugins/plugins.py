"""Finds plugins for one engine: the parts they bring, the observers they are.

Nothing here is global: every engine has its own `Plugins`, so that tests and tenants stay apart.
Everything is looked up once, at start; afterwards a `Plugins` only answers.
"""

from __future__ import annotations

import difflib
import inspect
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Literal, TypeAlias, TypeVar, get_args

import pluggy
from pydantic import ValidationError

from sls_plugins import hookspecs
from sls_plugins.errors import MissingExtraError, PluginError, SettingsError, SLSError
from sls_plugins.hookspecs import PROJECT
from sls_plugins.protocols import Context, Factory, Grade, Judge
from sls_plugins.types import Answer, CacheHit, Candidate, Decision, Event, Outcome, Query

__all__ = ["EXTRAS", "LOAD_VARIABLE", "Kind", "Plugins", "Registered", "ask_judge"]

logger = logging.getLogger(__name__)

LOAD_VARIABLE = "SLS_LOAD_PLUGINS"
"""Environment variable: names of the plugins to load, with commas; empty loads the built-in one."""

BUILTIN = EntryPoint(name="builtin", value="sls_plugins.defaults", group=PROJECT)

EXTRAS: Mapping[str, str] = {
    "chromadb": "chroma",
    "genai_prices": "prices",
    "huggingface_hub": "minilm",
    "jsonschema": "judges",
    "onnxruntime": "onnx",
    "psycopg": "postgres",
    "safetensors": "minilm",
    "sentence_transformers": "sentence-transformers",
    "sklearn": "ml",
    "threadpoolctl": "minilm",
    "tokenizers": "minilm",
}
"""Which extra brings the library of a built-in part, by the name under which it is imported."""

Kind: TypeAlias = Literal[
    "encoder", "store", "index", "predictor", "scheduler", "judge", "guard", "same_answer"
]
"""What a part is; "index" is registered by the hook `sls_indexes`, the others by `sls_<kind>s`."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Registered:
    """A part that exists: the plugin which brings it, and how it is made."""

    plugin: str
    factory: Factory | str


@dataclass(frozen=True, slots=True)
class _Function:
    """One plugin's function for a hook, with the arguments it takes."""

    plugin: str
    hook: str
    function: Callable[..., object]
    arguments: tuple[str, ...]

    def ask(self) -> object:
        """What a registry function returns; PluginError if it cannot."""
        return _named(self.plugin, self.hook, self.function)

    def tell(self, **facts: object) -> None:
        """Call an observer with the facts it takes; log what goes wrong."""
        chosen = [facts[name] for name in self.arguments]
        try:
            _named(self.plugin, self.hook, lambda: self.function(*chosen))
        except SLSError:
            logger.exception("plugin %r: %s failed; nobody else notices", self.plugin, self.hook)


@dataclass(frozen=True, slots=True)
class _Events:
    """Tells observers what the updater noticed or did."""

    observers: tuple[_Function, ...]

    def __call__(self, event: Event) -> None:
        for observer in self.observers:
            observer.tell(event=event)


class Plugins:
    """The plugins of one engine: registries of parts by name, and observers.

    Made from plugin objects by name; `load` finds the installed ones. `parts` has those of each
    kind by name, `names` are in the order in
    which they were taken in. Raises PluginError for a plugin that cannot be taken in, and for a
    part's name that is brought twice.
    """

    def __init__(self, plugins: Iterable[tuple[str, object]]) -> None:
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(hookspecs)
        for name, plugin in plugins:
            _register(manager, name, plugin)
        self.names = tuple(name for name, _ in manager.list_name_plugin())
        self.parts: Mapping[Kind, Mapping[str, Registered]] = {
            kind: _collect(manager, kind) for kind in get_args(Kind)
        }
        self._candidates = _collect_candidates(manager)
        self._decided = _functions(manager, "sls_decided")
        self._answered = _functions(manager, "sls_answered")
        self._learned = _functions(manager, "sls_learned")
        self.event = _Events(_functions(manager, "sls_event"))

    @classmethod
    def load(
        cls,
        names: Sequence[str] | None = None,
        extra: Sequence[object] = (),
        environ: Mapping[str, str] = os.environ,
    ) -> Plugins:
        """The built-in parts, installed plugins and `extra` objects.

        `names` are the entry points (group `sls_plugins`) to load besides the built-in one. None
        means those of `SLS_LOAD_PLUGINS` in `environ` or, where that is not set, all.
        Raises PluginError naming the plugin that is unknown, broken or there twice.
        """
        installed = _installed()
        wanted = _wanted(names, environ, installed)
        found = [(name, _named(name, "import", installed[name].load)) for name in wanted]
        for place, plugin in enumerate(extra, start=1):
            found.append((getattr(plugin, "__name__", f"{type(plugin).__name__}#{place}"), plugin))
        return cls(found)

    def encoders(self) -> Mapping[str, Registered]:
        """Encoders by name."""
        return self.parts["encoder"]

    def stores(self) -> Mapping[str, Registered]:
        """Stores by URL scheme."""
        return self.parts["store"]

    def indexes(self) -> Mapping[str, Registered]:
        """Indexes by name."""
        return self.parts["index"]

    def predictors(self) -> Mapping[str, Registered]:
        """Predictors by name."""
        return self.parts["predictor"]

    def schedulers(self) -> Mapping[str, Registered]:
        """Schedulers by name."""
        return self.parts["scheduler"]

    def judges(self) -> Mapping[str, Registered]:
        """Judges by name."""
        return self.parts["judge"]

    def candidates(self) -> tuple[Candidate, ...]:
        """Candidates that plugins add to those of the settings."""
        return self._candidates

    def make(
        self, kind: Kind, name: str, context: Context, options: Mapping[str, object]
    ) -> object:
        """A new part; one given as a text is imported now.

        Raises SettingsError for an unknown name or wrong options, MissingExtraError when the part's
        library is not installed, PluginError for whatever else goes wrong inside the plugin.
        """
        parts = self.parts[kind]
        if name not in parts:
            problem = f"there is no {kind} {name!r}"
            raise SettingsError("settings", kind, problem, _known(name, parts))
        part = parts[name]
        what = f"{kind} {name!r}"
        try:
            return _named(part.plugin, what, lambda: _factory(part, what)(context, options))
        except PluginError as error:
            raise _explain(error, kind, what) from error.__cause__

    def decided(self, query: Query, decision: Decision | CacheHit) -> None:
        """Tell observers what was chosen."""
        for observer in self._decided:
            observer.tell(query=query, decision=decision)

    def answered(self, query: Query, answer: Answer) -> None:
        """Tell observers which answer the caller got."""
        for observer in self._answered:
            observer.tell(query=query, answer=answer)

    def learned(self, outcome: Outcome) -> None:
        """Tell observers which line of the log was learnt."""
        for observer in self._learned:
            observer.tell(outcome=outcome)


def _named(plugin: str, what: str, work: Callable[[], T]) -> T:
    """Run a plugin's own code; whatever it raises becomes a PluginError that names it."""
    try:
        return work()
    except SLSError:
        raise
    except Exception as error:
        # A stranger's code may raise anything, and only here is it known whose code it was.
        raise PluginError(plugin, f"{what} failed: {type(error).__name__}: {error}") from error


def ask_judge(judge: Judge, query: Query, answer: Answer) -> Grade | None:
    """A judge's verdict; None, and a line in the log, if it fails."""
    try:
        return _named(judge.name, "grade", lambda: judge.grade(query, answer))
    except SLSError:
        logger.exception("judge %r failed; the answer goes without its grade", judge.name)
        return None


def _installed() -> dict[str, EntryPoint]:
    """Entry points by plugin name; the built-in one is there even when run from a source folder."""
    found = {BUILTIN.name: BUILTIN}
    for entry in entry_points(group=PROJECT):
        known = found.setdefault(entry.name, entry)
        if known.value != entry.value:
            problem = f"is the name of two plugins, {known.value} and {entry.value}: uninstall one"
            raise PluginError(entry.name, problem)
    return found


def _wanted(
    names: Sequence[str] | None, environ: Mapping[str, str], installed: Mapping[str, EntryPoint]
) -> Sequence[str]:
    """Names of the entry points to load, the built-in one first."""
    if names is None:
        listed = environ.get(LOAD_VARIABLE)
        if listed is None:
            return list(installed)
        names = [name.strip() for name in listed.split(",") if name.strip()]
    for name in names:
        if name not in installed:
            raise PluginError(name, f"is not installed. {_known(name, installed)}")
    return list(dict.fromkeys([BUILTIN.name, *names]))


def _register(manager: pluggy.PluginManager, name: str, plugin: object) -> None:
    """Take in one plugin; PluginError if it is there already or implements no hook rightly."""
    if manager.has_plugin(name):
        raise PluginError(name, "is there twice")
    if manager.is_registered(plugin):
        raise PluginError(name, f"is there already under the name {manager.get_name(plugin)!r}")
    _named(name, "registration", lambda: manager.register(plugin, name))
    callers = manager.get_hookcallers(plugin)
    if not callers:
        raise PluginError(name, "implements no hook: mark its functions with @hookimpl")
    hooks = [hook for hook in vars(manager.hook) if getattr(manager.hook, hook).has_spec()]
    for caller in callers:
        if not caller.has_spec():
            raise PluginError(name, f"there is no hook {caller.name}. {_known(caller.name, hooks)}")


def _known(name: str, known: Iterable[str]) -> str:
    """A hint: near names, if any, else all that exist."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return f"{hint}Those that exist: {', '.join(names) or 'none'}"


def _functions(manager: pluggy.PluginManager, hook: str) -> tuple[_Function, ...]:
    """A hook's plain functions in the order in which pluggy would call them."""
    found = []
    for each in reversed(getattr(manager.hook, hook).get_hookimpls()):
        if inspect.isgeneratorfunction(each.function) or inspect.iscoroutinefunction(each.function):
            raise PluginError(each.plugin_name, f"{hook} must be a plain function")
        found.append(_Function(each.plugin_name, hook, each.function, tuple(each.argnames)))
    return tuple(found)


def _collect(manager: pluggy.PluginManager, kind: Kind) -> Mapping[str, Registered]:
    """All parts of a kind by name, as the plugins register them."""
    hook = "sls_indexes" if kind == "index" else f"sls_{kind}s"
    parts: dict[str, Registered] = {}
    for each in reversed(_functions(manager, hook)):
        brought = each.ask()
        if not isinstance(brought, Mapping):
            raise PluginError(each.plugin, f"{hook} must return a mapping, not {brought!r}")
        for name, factory in brought.items():
            if name in parts:
                problem = f"brings the {kind} {name!r}, which {parts[name].plugin!r} brings too"
                raise PluginError(each.plugin, problem)
            if not (callable(factory) or (isinstance(factory, str) and ":" in factory)):
                problem = f"{hook}: {name!r} must be a callable or a text 'module:attribute'"
                raise PluginError(each.plugin, problem)
            parts[name] = Registered(each.plugin, factory)
    return parts


def _collect_candidates(manager: pluggy.PluginManager) -> tuple[Candidate, ...]:
    """All candidates that plugins add."""
    found: list[Candidate] = []
    for each in reversed(_functions(manager, "sls_candidates")):
        brought = each.ask()
        if not isinstance(brought, list | tuple):
            raise PluginError(each.plugin, f"{each.hook} must return a list, not {brought!r}")
        for candidate in brought:
            if not isinstance(candidate, Candidate):
                raise PluginError(each.plugin, f"{each.hook}: {candidate!r} is not a Candidate")
            found.append(candidate)
    return tuple(found)


def _factory(part: Registered, what: str) -> Factory:
    """The factory itself, imported if it was given as a text."""
    if not isinstance(part.factory, str):
        return part.factory
    made: Factory = EntryPoint(name=what, value=part.factory, group=PROJECT).load()
    return made


def _explain(error: PluginError, kind: Kind, what: str) -> SLSError:
    """The error as the user sees it: a library to install, an option to mend, or the plugin's."""
    cause = error.__cause__
    if isinstance(cause, ModuleNotFoundError) and cause.name is not None:
        library = cause.name.partition(".")[0]
        if library in EXTRAS:
            return MissingExtraError(what, library, EXTRAS[library])
    if isinstance(cause, ValidationError):
        first = cause.errors()[0]
        key = ".".join([kind, "options", *map(str, first["loc"])])
        return SettingsError("settings", key, first["msg"], f"It is an option of {what}")
    return error
