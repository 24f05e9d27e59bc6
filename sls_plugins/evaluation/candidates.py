"""Finds the list prices of a trace's candidates.

They stand beside the trace (`NAME.models.json`: one object per model) or in a settings file (TOML)
with a `[[candidates]]` table per model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sls_plugins.errors import SettingsError
from sls_plugins.settings import load_settings
from sls_plugins.types import Candidate

__all__ = ["find_candidates", "models_path"]

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ListedModel(BaseModel):
    """What a price list tells of a model; its notes and other fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    input_usd_per_mtok: Price | None = None
    output_usd_per_mtok: Price | None = None
    usd_per_query: Price = 0.0
    provider: str | None = None
    context_window: Annotated[int, Field(gt=0)] | None = None

    def candidate(self, name: str) -> Candidate:
        """The same as a candidate."""
        return Candidate(
            name=name,
            input_usd_per_mtok=self.input_usd_per_mtok,
            output_usd_per_mtok=self.output_usd_per_mtok,
            usd_per_query=self.usd_per_query,
            provider=self.provider,
            context_window=self.context_window,
        )


_LISTED = TypeAdapter(dict[str, ListedModel])

_HOW = (
    'Pass --candidates FILE.toml with a [[candidates]] table for each model: name = "…", '
    "input_usd_per_mtok = …, output_usd_per_mtok = …"
)


def models_path(trace: Path) -> Path:
    """Where the list prices of a trace are looked for: `NAME.models.json` beside it."""
    stem = trace.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json")
    return trace.with_name(f"{stem}.models.json")


def find_candidates(
    trace: Path, names: Iterable[str], given: Path | None = None
) -> tuple[Candidate, ...]:
    """The candidates called `names`, in that order, from `given` (TOML) or from beside the trace.

    Raises SettingsError that says what to write where.
    """
    path = given or models_path(trace)
    known = _settings(path) if given else _listed(path)
    wanted = tuple(names)
    missing = [name for name in wanted if name not in known]
    if missing:
        problem = f"the trace has models without an entry: {', '.join(missing)}"
        raise SettingsError(str(path), "candidates", problem, _HOW)
    return tuple(known[name] for name in wanted)


def _settings(path: Path) -> Mapping[str, Candidate]:
    return {candidate.name: candidate for candidate in load_settings(path).candidates}


def _listed(path: Path) -> Mapping[str, Candidate]:
    if not path.exists():
        problem = "there is no such file, so the list prices of the trace's models are unknown"
        raise SettingsError(str(path), "candidates", problem, _HOW)
    try:
        listed = _LISTED.validate_python(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingsError(str(path), key, str(first["msg"]), _HOW) from error
    except (OSError, ValueError) as error:
        raise SettingsError(str(path), "candidates", f"cannot be read: {error}", _HOW) from error
    return {name: model.candidate(name) for name, model in listed.items()}
