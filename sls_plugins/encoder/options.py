"""Checks the options of an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from sls_plugins.errors import SettingsError

__all__ = ["Options", "read_options"]


class Options(BaseModel):
    """Base of every encoder's options: frozen, and nothing unknown is let through."""

    model_config = ConfigDict(frozen=True, extra="forbid")


OptionsT = TypeVar("OptionsT", bound=Options)


def read_options(model: type[OptionsT], options: Mapping[str, object], part: str) -> OptionsT:
    """The checked options. Raises SettingsError naming the first wrong key."""
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(place) for place in first["loc"])
        known = ", ".join(model.model_fields) or "none"
        hint = f"Options of the encoder {part!r} are: {known}"
        raise SettingsError(f"encoder {part!r}", key, first["msg"], hint) from error
