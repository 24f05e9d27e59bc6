"""Puts an engine together: the one place that picks concrete parts."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock
from typing import Any

from sls_plugins.cache import CachePolicy, SemanticCache
from sls_plugins.cache.witnesses import Witnesses
from sls_plugins.encoder.memo import MemoEncoder
from sls_plugins.encoder.shelf import ShelfEncoder
from sls_plugins.engine import Engine
from sls_plugins.errors import SettingsError
from sls_plugins.flow import Flights, Offered, Parts
from sls_plugins.plugins import Kind, Plugins
from sls_plugins.predictor.masked import MaskedPredictor
from sls_plugins.protocols import Cache, Clock, Context, Encoder, Index, Judge, Predictor
from sls_plugins.scheduler import Health, HealthRules, Sessions
from sls_plugins.scheduler.ledger import BudgetLedger, Cap
from sls_plugins.settings import PartSettings, Settings, load_settings
from sls_plugins.storage import Stores, reencoding
from sls_plugins.tokens import TiktokenCounter, cost_usd, priced
from sls_plugins.types import Candidate
from sls_plugins.updater import warm_start
from sls_plugins.updates import Learning, Updates

__all__ = ["build", "encode_anew"]


def build(
    source: Settings | str | Path,
    *,
    clock: Clock = time.time,
    ids: Callable[[], str] | None = None,
    plugins: Sequence[object] = (),
) -> Engine:
    """An engine from settings, or from a TOML file.

    `clock` gives seconds since the epoch, `ids` decision ids (unique in the database), `plugins`
    are taken in besides the installed ones. Raises ConfigurationError or StorageError, which say
    what to mend.
    """
    settings = load_settings(source)
    found = Plugins.load(settings.plugins, plugins)
    candidates = _candidates(settings, found)
    return _Assembly(settings, found, candidates, clock).engine(
        ids or (lambda: os.urandom(16).hex())
    )


def encode_anew(settings: Settings, advance: Callable[[int], None]) -> int:
    """Have the configured encoder encode what another one has; returns how many texts.

    No engine may run meanwhile. `advance` is told how many are done. Raises SLSError.
    """
    assembly = _Assembly(settings, Plugins.load(settings.plugins), (), time.time)
    return assembly.encode_anew(advance)


def _candidates(settings: Settings, plugins: Plugins) -> tuple[Candidate, ...]:
    """Those of the settings, then those of plugins, each with its prices."""
    declared = (*settings.candidates, *plugins.candidates())
    if not declared:
        raise SettingsError(
            "settings",
            "candidates",
            "there are none",
            "Declare at least one: Settings(candidates=[Candidate(name=…)])",
        )
    names = [candidate.name for candidate in declared]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(
                "plugins", "candidates", f"{name!r} is declared twice", "Rename one of them"
            )
    return tuple(priced(candidate) for candidate in declared)


@dataclass(frozen=True, slots=True)
class _Assembly:
    """One engine in the making."""

    settings: Settings
    plugins: Plugins
    candidates: tuple[Candidate, ...]
    clock: Clock

    def engine(self, ids: Callable[[], str]) -> Engine:
        """All parts, wired; what was learnt before is restored."""
        base = self._context()
        encoder, shelf = self._encoder(base)
        context = replace(base, dimension=encoder.dimension, fingerprint=encoder.fingerprint)
        stores = self._stores(base)
        predictor = _masked(self._warm(stores, context), stores)
        scheduler = self._scheduler(context)
        cache, index = self._cache(context, stores, encoder)
        witnesses = None if cache is None else Witnesses()
        updates = self._updates(stores, encoder.fingerprint)
        candidates = Offered(self.candidates)
        learner, manager = updates.made(
            Learning(predictor=predictor, scheduler=scheduler, cache=cache, witnesses=witnesses),
            lambda: _masked(self._make("predictor", self.settings.predictor, context), stores),
            candidates,
        )
        parts = Parts(
            candidates=candidates,
            encoder=encoder,
            tokens=TiktokenCounter(folder=self.settings.folder),
            cost_usd=cost_usd,
            cache=cache,
            predictor=predictor,
            scheduler=scheduler,
            ledger=self._ledger(stores),
            log=stores.log,
            opinions=stores.feedback,
            learner=learner,
            manager=manager,
            judges=tuple(self._judges(context)),
            plugins=self.plugins,
            clock=self.clock,
            ids=ids,
            seed=self.settings.seed,
            lock=updates.lock,
            flights=self._flights(),
            eraser=stores.eraser,
            reports=stores.reports,
            forget_texts=None if shelf is None else shelf.forget,
            health=Health(HealthRules(**self.settings.health.model_dump()), self.clock),
            sessions=Sessions(self.clock),
            cache_at_cap=self.settings.budget.cache_at_cap,
            audit_later=self.settings.cache.audit_later,
            witnesses=witnesses,
            keeps_tool_calls=self.settings.cache.tool_calls,
        )
        closing = (updates.background(manager, learner), index, stores.database, shelf)
        return Engine(parts, tuple(part.close for part in closing if part is not None))

    def encode_anew(self, advance: Callable[[int], None]) -> int:
        """Texts of the rows that another encoder has encoded."""
        context = self._context()
        (encoder, shelf), stores = self._encoder(context), self._stores(context)
        try:
            return reencoding.encode_anew(
                stores.database, encoder.fingerprint, encoder.encode, advance
            )
        finally:
            stores.database.close()
            if shelf is not None:
                shelf.close()

    def _scheduler(self, context: Context) -> Any:
        aim = self.settings.budget.model_dump(exclude={"usd", "window", "cache_at_cap"})
        return self._make("scheduler", self.settings.scheduler, context, aim)

    def _updates(self, stores: Stores, fingerprint: str) -> Updates:
        return Updates(
            stores=stores,
            plugins=self.plugins,
            settings=self.settings.learning,
            fingerprint=fingerprint,
            clock=self.clock,
            lock=RLock(),
        )

    def _encoder(self, context: Context) -> tuple[Encoder, ShelfEncoder | None]:
        """The encoder behind its memo, and the shelf between them, if there is one."""
        encoder: Encoder = self._make("encoder", self.settings.encoder, context)
        if self.settings.embeddings is None:
            return MemoEncoder(encoder), None
        shelf = ShelfEncoder(encoder, self.settings.embeddings)
        return MemoEncoder(shelf), shelf

    def _context(self) -> Context:
        folder = self.settings.folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        return Context(
            candidates=self.candidates,
            seed=self.settings.seed,
            clock=self.clock,
            folder=str(folder) if folder else None,
        )

    def _make(
        self,
        kind: Kind,
        part: PartSettings,
        context: Context,
        defaults: Mapping[str, object] | None = None,
    ) -> Any:
        return self.plugins.make(kind, part.name, context, {**(defaults or {}), **part.options})

    def _warm(self, stores: Stores, context: Context) -> Any:
        """The predictor, which starts from what another engine has learnt if that is wanted."""
        predictor = self._make("predictor", self.settings.predictor, context)
        source = self.settings.warm_start
        if source is None:
            return predictor
        url = source if "://" in source else f"sqlite:///{_database_in(source)}"
        other = self._stores_at(url, context)
        try:
            warm_start(
                predictor,
                own=stores.snapshots,
                other=other.snapshots,
                fingerprint=context.fingerprint,
                source=source,
            )
        finally:
            other.database.close()
        return predictor

    def _stores(self, context: Context) -> Stores:
        url = self.settings.database
        if url is None and self.settings.folder is not None:
            url = f"sqlite:///{self.settings.folder / 'sls.db'}"
        return self._stores_at(url, context)

    def _stores_at(self, url: str | None, context: Context) -> Stores:
        options: dict[str, object] = {"url": url}
        if self.settings.store_text != "full":
            options["store_text"] = self.settings.store_text
        scheme = (url or "sqlite").split(":", 1)[0].split("+", 1)[0]
        stores = self.plugins.make("store", scheme, context, options)
        assert isinstance(stores, Stores)
        return stores

    def _cache(
        self, context: Context, stores: Stores, encoder: Encoder
    ) -> tuple[Cache | None, Index | None]:
        wanted = self.settings.cache
        if not wanted.enabled:
            return None, None
        index: Index = self._make("index", self._index_part(), context)
        policy = self._policy(context, encoder)
        if stores.texts.mode == "hash":  # a guard reads words
            policy = replace(policy, near=False)
        cache = SemanticCache(
            entries=stores.entries,
            index=index,
            policy=policy,
            fingerprint=context.fingerprint,
            clock=self.clock,
        )
        return cache, index

    def _flights(self) -> Flights | None:
        wanted = self.settings.cache
        if not wanted.enabled or not wanted.single_flight_s:
            return None
        return Flights(wanted.single_flight_s)

    def _policy(self, context: Context, encoder: Encoder) -> CachePolicy:
        """The cache's settings, with guards and the comparison of answers from plugins."""
        wanted, known = self.settings.cache, self.plugins.parts["guard"]
        for name in (name for names in wanted.guards_off.values() for name in names):
            if name not in known:
                hint = f"There are {', '.join(known)}"
                raise SettingsError("settings", "cache.guards_off", f"no guard {name!r}", hint)
        resources = replace(context, resources={**context.resources, "encoder": encoder})
        return CachePolicy(
            max_error=wanted.max_error,
            near=wanted.near,
            capacity=wanted.capacity,
            capacity_bytes=wanted.capacity_bytes,
            ttl_s=wanted.ttl_s,
            ttl_by_task=wanted.ttl_by_task,
            volatile_ttl_s=wanted.volatile_ttl_s,
            audit=wanted.audit,
            seed=self.settings.seed,
            same_answer=self._make("same_answer", wanted.same_answer, resources),
            guards={name: self._make("guard", PartSettings(name=name), context) for name in known},
            guards_off={task: frozenset(names) for task, names in wanted.guards_off.items()},
        )

    def _index_part(self) -> PartSettings:
        """Chroma where files are kept and Chroma is installed; else vectors stay in memory."""
        if self.settings.store_text == "none":
            return PartSettings(name="memory")
        if self.settings.index.name != "auto":
            return self.settings.index
        durable = self.settings.folder is not None and importlib.util.find_spec("chromadb")
        return PartSettings(name="chroma" if durable else "memory")

    def _ledger(self, stores: Stores) -> BudgetLedger:
        budget = self.settings.budget
        cap = Cap(usd=budget.usd, window=budget.window) if budget.usd is not None else None
        return BudgetLedger(
            stores.accounts, cap=cap, clock=self.clock, hold_s=self.settings.reservation_s
        )

    def _judges(self, context: Context) -> Sequence[Judge]:
        return [self._make("judge", part, context) for part in self.settings.judges]


def _database_in(folder: str) -> Path:
    """The database that an engine keeps in its folder. Raises SettingsError if there is none."""
    path = Path(folder) / "sls.db"
    if not path.is_file():
        problem = f"there is no {path}"
        raise SettingsError(
            "settings", "warm_start", problem, "Name another engine's folder or URL"
        )
    return path


def _masked(predictor: Predictor, stores: Stores) -> Predictor:
    """The predictor, kept from seeing a text that must not be kept."""
    return predictor if stores.texts.mode == "full" else MaskedPredictor(predictor, stores.texts)
