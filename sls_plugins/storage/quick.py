"""Runs a small statement without what SQLAlchemy does for every call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

__all__ = ["Quick"]


class Quick:
    """One `select`, compiled once for each kind of database; gives plain tuples.

    Its values must be ones that need no conversion: texts, numbers and bytes.
    """

    def __init__(self, statement: Select[Any]) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, tuple[str, ...] | None]] = {}

    def rows(self, sql: Connection, values: Mapping[str, object]) -> Sequence[tuple[Any, ...]]:
        """All rows. Raises DBAPIError, as SQLAlchemy does."""
        text, names = self._text(sql.dialect)
        raw: Any = sql.connection.driver_connection
        given = values if names is None else [values[name] for name in names]
        error_type = sql.dialect.loaded_dbapi.Error
        try:
            rows: Sequence[tuple[Any, ...]] = raw.execute(text, given).fetchall()
        except error_type as error:
            raise DBAPIError.instance(
                text, None, error, error_type, hide_parameters=True
            ) from error
        return rows

    def _text(self, dialect: Dialect) -> tuple[str, tuple[str, ...] | None]:
        known = self._compiled.get(dialect.name)
        if known is None:
            compiled = self._statement.compile(
                dialect=dialect, compile_kwargs={"render_postcompile": True}
            )
            names = compiled.positiontup if compiled.positional else None
            known = str(compiled), None if names is None else tuple(names)
            self._compiled[dialect.name] = known
        return known
