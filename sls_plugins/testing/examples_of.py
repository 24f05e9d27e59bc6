"""Makes a value that a JSON schema allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["example_of"]

_PLAIN: Mapping[str, Any] = {"integer": 3, "number": 3, "boolean": True, "null": None}


def example_of(schema: Mapping[str, Any], text: str) -> Any:
    """A value of this schema, the same every time; its texts are `text`."""
    return _example(schema, schema, text)


def _example(schema: Mapping[str, Any], root: Mapping[str, Any], text: str) -> Any:
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        return _example(root["$defs"][name], root, text)
    for key in ("anyOf", "allOf", "oneOf"):
        if key in schema:
            return _example(schema[key][0], root, text)
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" in schema:
        return {name: _example(part, root, text) for name, part in schema["properties"].items()}
    kind = str(schema.get("type"))
    if kind == "array":
        return [_example(schema.get("items", {}), root, text)]
    return text if kind == "string" else _PLAIN.get(kind, {})
