"""A judge of JSON: the answer must be valid by a JSON Schema (needs jsonschema)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for

from sls_plugins.errors import SettingsError
from sls_plugins.judges.fences import unfenced
from sls_plugins.judges.options import JudgeOptions
from sls_plugins.protocols import Context, Grade
from sls_plugins.types import Answer, Query

__all__ = ["SchemaOptions", "SchemaValid", "make"]


class SchemaOptions(JudgeOptions):
    """The JSON Schema itself; without one any JSON will do. Markdown fences are taken off."""

    json_schema: dict[str, Any] | bool = True


class SchemaValid:
    """1 if the answer is JSON that the schema allows, else 0.

    Raises SettingsError for a schema that is none.
    """

    def __init__(self, options: SchemaOptions) -> None:
        self._weight = options.weight
        self.name = options.name or "json-schema"
        kind: Any = validator_for(options.json_schema)
        try:
            kind.check_schema(options.json_schema)
        except SchemaError as error:
            raise SettingsError(
                "settings", "judge.options.json_schema", error.message, "Mend the schema"
            ) from error
        self._validator = kind(options.json_schema)

    def grade(self, query: Query, answer: Answer) -> Grade:  # noqa: ARG002 - the text alone counts
        """Parse and validate."""
        try:
            value = json.loads(unfenced(answer.text))
        except (ValueError, RecursionError):
            valid = False
        else:
            valid = self._validator.is_valid(value)
        return Grade(quality=float(valid), source=self.name, weight=self._weight)


def make(context: Context, options: Mapping[str, object]) -> SchemaValid:  # noqa: ARG001
    """The factory; options are those of `SchemaOptions`."""
    return SchemaValid(SchemaOptions.model_validate(options))
