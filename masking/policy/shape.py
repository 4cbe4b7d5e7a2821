"""Whether plain data has the shape that a JSON Schema asks for: the few keywords that ``schema`` uses.

A general validator takes seconds to import, which every command would pay. Its answers are compared with a general
one in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Violation:
    """``keyword`` of ``schema`` does not hold for ``value`` at ``path``."""

    path: tuple[str | int, ...]
    keyword: str
    schema: Schema
    value: Any

    @property
    def wanted(self) -> Any:
        """What the schema says under the keyword."""
        return self.schema[self.keyword]


def violations(value: Any, schema: Schema, path: tuple[str | int, ...] = ()) -> Iterator[Violation]:
    """Everything in ``value`` that breaks ``schema``; below a value of the wrong type nothing more is said.

    >>> [v.keyword for v in violations({"a": 0}, {"type": "object", "properties": {"a": {"minimum": 1}}})]
    ['minimum']
    """
    if unknown := set(schema) - _HANDLED:
        raise NotImplementedError(f"schema keywords {sorted(unknown)}")
    if "type" in schema and not any(_TYPES[name](value) for name in _listed(schema["type"])):
        yield Violation(path, "type", schema, value)
        return
    for keyword, holds in _KEYWORDS.items():
        if keyword in schema and not holds(value, schema[keyword]):
            yield Violation(path, keyword, schema, value)
    if isinstance(value, Mapping):
        yield from _of_object(value, schema, path)
    if isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            yield from violations(item, schema["items"], (*path, place))


def _of_object(value: Mapping[str, Any], schema: Schema, path: tuple[str | int, ...]) -> Iterator[Violation]:
    known = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    if others is False and any(name not in known for name in value):
        yield Violation(path, "additionalProperties", schema, value)
    for name, item in value.items():
        if name in known:
            yield from violations(item, known[name], (*path, name))
        elif isinstance(others, Mapping):
            yield from violations(item, others, (*path, name))


def _listed(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(value: Any, other: Any) -> bool:
    """JSON equality: 1 is 1.0, but true is not 1."""
    return isinstance(value, bool) == isinstance(other, bool) and value == other


def _unique(value: list[Any]) -> bool:
    return not any(_same(a, b) for i, a in enumerate(value) for b in value[:i])


_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: _number(value) and float(value).is_integer(),
    "number": _number,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
_KEYWORDS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "const": _same,
    "enum": lambda value, choices: any(_same(value, choice) for choice in choices),
    "minimum": lambda value, least: not _number(value) or value >= least,
    "exclusiveMaximum": lambda value, limit: not _number(value) or value < limit,
    "minLength": lambda value, least: not isinstance(value, str) or len(value) >= least,
    "pattern": lambda value, pattern: not isinstance(value, str) or re.search(pattern, value) is not None,
    "minProperties": lambda value, least: not isinstance(value, Mapping) or len(value) >= least,
    "maxProperties": lambda value, most: not isinstance(value, Mapping) or len(value) <= most,
    "minItems": lambda value, least: not isinstance(value, list) or len(value) >= least,
    "maxItems": lambda value, most: not isinstance(value, list) or len(value) <= most,
    "uniqueItems": lambda value, wanted: not (wanted and isinstance(value, list)) or _unique(value),
    "required": lambda value, names: not isinstance(value, Mapping) or all(name in value for name in names),
}
_HANDLED: Final = frozenset(
    {*_KEYWORDS, "type", "properties", "additionalProperties", "items", "$schema", "title", "description"}
)
