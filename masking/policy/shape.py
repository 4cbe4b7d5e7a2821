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
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Violation:
    """``keyword`` of ``schema`` does not hold for ``value`` at ``path``."""

    path: Path
    keyword: str
    schema: Schema
    value: Any

    @property
    def wanted(self) -> Any:
        """What the schema says under the keyword."""
        return self.schema[self.keyword]


def violations(value: Any, schema: Schema) -> Iterator[Violation]:
    """Everything in ``value`` that breaks ``schema``; below a value of the wrong type nothing more is said.

    A ``$ref`` points into the ``$defs`` of ``schema``.

    >>> [v.keyword for v in violations({"a": 0}, {"type": "object", "properties": {"a": {"minimum": 1}}})]
    ['minimum']
    """
    yield from _Document(schema).violations(value, schema, ())


@dataclass(frozen=True, slots=True)
class _Document:
    """The whole schema, which references point into."""

    root: Schema

    def violations(self, value: Any, schema: Schema, path: Path) -> Iterator[Violation]:
        if unknown := set(schema) - _HANDLED:
            raise NotImplementedError(f"schema keywords {sorted(unknown)}")
        if "$ref" in schema:
            yield from self.violations(value, self._referred(schema["$ref"]), path)
        if "type" in schema and not any(_TYPES[name](value) for name in _listed(schema["type"])):
            yield Violation(path, "type", schema, value)
            return
        for keyword, holds in _KEYWORDS.items():
            if keyword in schema and not holds(value, schema[keyword]):
                yield Violation(path, keyword, schema, value)
        if isinstance(value, Mapping):
            yield from self._of_object(value, schema, path)
        if isinstance(value, list) and "items" in schema:
            for place, item in enumerate(value):
                yield from self.violations(item, schema["items"], (*path, place))
        for part in schema.get("allOf", ()):
            yield from self.violations(value, part, path)
        if "if" in schema:
            met = next(self.violations(value, schema["if"], path), None) is None
            yield from self.violations(value, schema.get("then" if met else "else", {}), path)

    def _of_object(self, value: Mapping[str, Any], schema: Schema, path: Path) -> Iterator[Violation]:
        known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        others = schema.get("additionalProperties", True)
        unnamed = [name for name in value if name not in known and not any(re.search(each, name) for each in patterns)]
        if others is False and unnamed:
            yield Violation(path, "additionalProperties", schema, value)
        for name, item in value.items():
            if name in known:
                yield from self.violations(item, known[name], (*path, name))
            for pattern, inner in patterns.items():
                if re.search(pattern, name):
                    yield from self.violations(item, inner, (*path, name))
            if name in unnamed and isinstance(others, Mapping):
                yield from self.violations(item, others, (*path, name))

    def _referred(self, reference: str) -> Schema:
        place, name = reference.rsplit("/", maxsplit=1)
        if place != "#/$defs":
            raise NotImplementedError(f"schema reference {reference!r}")
        found: Schema = self.root["$defs"][name]
        return found


def _listed(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return _number(value) and (isinstance(value, int) or value.is_integer())


def _same(value: Any, other: Any) -> bool:
    """JSON equality: 1 is 1.0, but true is not 1."""
    return isinstance(value, bool) == isinstance(other, bool) and value == other


def _unique(value: list[Any]) -> bool:
    return not any(_same(a, b) for i, a in enumerate(value) for b in value[:i])


_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": _whole,
    "number": _number,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
_KEYWORDS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "const": _same,
    "enum": lambda value, choices: any(_same(value, choice) for choice in choices),
    "minimum": lambda value, least: not _number(value) or value >= least,
    "exclusiveMinimum": lambda value, limit: not _number(value) or value > limit,
    "maximum": lambda value, most: not _number(value) or value <= most,
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
_INNER: Final = {"properties", "patternProperties", "additionalProperties", "items", "allOf", "if", "then", "else"}
_SAID: Final = {"$schema", "$ref", "$defs", "type", "title", "description", "default", "enumDescriptions"}
_HANDLED: Final = frozenset({*_KEYWORDS, *_INNER, *_SAID})
