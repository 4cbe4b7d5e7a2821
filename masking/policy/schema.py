"""The JSON Schema of a masking policy, for editors and for ``load``; ``policies/masking-policy.schema.json`` is its
copy.

One file holds the policy of one table (``attributes:``) or of several (``tables:``). Names of techniques, their
parameters, types and descriptions come from the registry, so a new technique needs no change here: below its name a
rule takes exactly the parameters of that technique. Intervals are checked by the technique itself (``check``).
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Final

from masking import techniques
from masking.disclosure.rules import COSTS, METHODS
from masking.limits import DISTANCES, ESTIMATORS
from masking.policy.model import KEEP, VERSION
from masking.taxonomy import DataLevel, Role
from masking.techniques.conditions import COMPARISONS

IDENTIFIER: Final = "https://json-schema.org/draft/2020-12/schema"
RULE_WORDS: Final = (
    "role",
    "technique",
    "key",
    "data_level",
    "title",
    "reason",
    "codes",
    "practice",
    "invented",
    "when",
    "otherwise",
)
"""Words of an attribute's rule; every other word in it is a parameter of its technique."""
BRANCH_WORDS: Final = ("technique", "key")
"""Words of what holds ``otherwise``; every other word in it is a parameter of its technique."""
_TEXT: Final = {"type": "string"}
_TITLE: Final = {
    "description": "shown to people, Chinese and English",
    "type": "object",
    "properties": {"zh": _TEXT, "en": _TEXT},
    "required": ["zh", "en"],
    "additionalProperties": False,
}
_NAME: Final = {"type": "string", "minLength": 1}
_NAMES: Final = {"type": "array", "items": _NAME, "uniqueItems": True}
_SIMPLE: Final = {bool: "boolean", int: "integer", float: "number", str: "string", types.NoneType: "null"}


def json_schema() -> Mapping[str, Any]:
    """JSON Schema (2020-12) of the policy YAML, made once for the techniques that are registered; only read it."""
    return _of_registered(tuple((name, techniques.get(name)) for name in techniques.names()))


@functools.lru_cache(maxsize=1)
def _of_registered(_: tuple[tuple[str, type[techniques.Technique]], ...]) -> Mapping[str, Any]:
    return {
        "$schema": IDENTIFIER,
        "title": "脱敏策略 masking policy",
        "type": "object",
        "if": {"required": ["tables"]},
        "then": {"$ref": "#/$defs/policies"},
        "else": {"$ref": "#/$defs/policy"},
        "$defs": {
            "policy": _policy(),
            "policies": _policies(),
            "rule": _rule(),
            "branch": _branch(),
            "condition": _condition(),
            "limits": _limits(),
            "aggregate": _aggregate(),
            "sandbox": _sandbox(),
        },
    }


def parameters_of(technique: str) -> dict[str, dict[str, Any]]:
    """The schema of each parameter that a rule with this technique may give."""
    return {
        parameter.name: {
            **_of_type(parameter.type),
            **({} if parameter.default is None or parameter.required else {"default": _plain(parameter.default)}),
        }
        for parameter in techniques.get(technique).parameters()
    }


def _policy() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**_head(), **_table()},
        "required": ["version", "dataset", "attributes"],
        "additionalProperties": False,
    }


def _policies() -> dict[str, Any]:
    """Several tables with the keys between them."""
    end = {"type": "string", "pattern": r"^[^.]+\..+$"}
    key = {
        "type": "object",
        "properties": {
            "from": {"description": "table.column that refers to another table", **end},
            "to": {"description": "table.column that it refers to", **end},
        },
        "required": ["from", "to"],
        "additionalProperties": False,
    }
    table = {
        "type": "object",
        "properties": {"title": _TITLE, **_table()},
        "required": ["attributes"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            **_head(),
            "tables": {
                "description": "the policy of each table, by the name of its file",
                "type": "object",
                "minProperties": 1,
                "additionalProperties": table,
            },
            "foreign_keys": {
                "description": "columns that join tables, before and after; both must be masked alike",
                "type": "array",
                "items": key,
            },
        },
        "required": ["version", "dataset", "tables"],
        "additionalProperties": False,
    }


def _head() -> dict[str, Any]:
    return {
        "version": {"description": "of this format", "const": VERSION},
        "dataset": {"description": "name of the dataset in the catalogue", **_NAME},
        "title": _TITLE,
        "level": {"description": "level of the raw table", "enum": [level.value for level in DataLevel]},
        "origin": {
            "description": "where the table comes from: source, licence",
            "type": "object",
            "additionalProperties": _TEXT,
        },
        "test_data": {
            "description": "only for tests: pseudonyms may look valid, and no edition is ever made of it",
            "type": "boolean",
        },
        "key_domains": {
            "description": "what each named key joins: datasets, attributes, period, version",
            "type": "object",
            "additionalProperties": _domain(),
        },
    }


def _table() -> dict[str, Any]:
    return {
        "unit": {"description": "the column that identifies a person; without it each record is one person", **_NAME},
        "record": {
            "description": "columns that tell records apart; whatever is random is drawn once for each record",
            **_NAMES,
            "minItems": 1,
        },
        "suppress": {
            "description": "records that meet one of these leave the table",
            "type": "array",
            "items": {"$ref": "#/$defs/condition"},
        },
        "sample": {
            "description": "only a share of the records stays, drawn once for each record or person under a key",
            "type": "object",
            "properties": {"share": {"description": "in (0, 1)", "type": "number"}, "key": _NAME},
            "required": ["share", "key"],
            "additionalProperties": False,
        },
        "attributes": {
            "description": "every column of the table with its role and technique; an unnamed one is an error",
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"$ref": "#/$defs/rule"},
        },
        "limits": {"$ref": "#/$defs/limits"},
        "recoding": {
            "description": "how generalization.recoding works: each class by itself (local) or whole columns (global)",
            "enum": ["local", "global"],
        },
        "aggregate": {"$ref": "#/$defs/aggregate"},
        "sandbox": {"$ref": "#/$defs/sandbox"},
    }


def _rule() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "role": {"enum": [role.value for role in Role]},
            "technique": _technique(),
            "key": {"description": "name of a key, never the key", **_NAME},
            "data_level": {"description": "level of the attribute", "enum": [level.value for level in DataLevel]},
            "title": _TITLE,
            "reason": {"description": "why this role or technique", **_TEXT},
            "codes": {"description": "the code list of the attribute, for practice data", "type": "array"},
            "practice": {"description": "how practice data of the attribute is made", "type": "object"},
            "invented": {"description": "the column holds invented test data", "type": "boolean"},
            "when": {
                "description": "the technique applies to records that meet this, `otherwise` to all others",
                "$ref": "#/$defs/condition",
            },
            "otherwise": {"description": "the technique for all other records", "$ref": "#/$defs/branch"},
        },
        "required": ["role"],
        "allOf": _by_technique(RULE_WORDS),
    }


def _branch() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"technique": _technique(), "key": {"description": "name of a key, never the key", **_NAME}},
        "required": ["technique"],
        "allOf": _by_technique(BRANCH_WORDS),
    }


def _technique() -> dict[str, Any]:
    """``enumDescriptions`` is no keyword of JSON Schema: editors show it, validators leave it alone."""
    names = techniques.names()
    return {"enum": list(names), "enumDescriptions": [sentence_of(name) for name in names]}


def _by_technique(words: Sequence[str]) -> list[dict[str, Any]]:
    """For each technique: exactly its parameters may stand beside ``words``. No technique means ``keep``."""
    others: dict[str, Any] = {f"^({'|'.join(words)})$": {}}
    return [
        {
            "if": {
                "properties": {"technique": {"const": name}},
                **({} if name == KEEP else {"required": ["technique"]}),
            },
            "then": {
                "description": sentence_of(name),
                "properties": parameters_of(name),
                "patternProperties": others,
                "required": [each.name for each in techniques.get(name).parameters() if each.required],
                "additionalProperties": False,
            },
        }
        for name in techniques.names()
    ]


def sentence_of(technique: str) -> str:
    """The first sentence of a technique's docstring."""
    first = inspect.cleandoc(techniques.get(technique).__doc__ or "").split("\n\n", maxsplit=1)[0]
    return " ".join(first.split()).replace("``", "`")


def _of_type(annotation: Any) -> dict[str, Any]:
    """What JSON values a parameter of this type takes; the same that ``Technique.build`` takes.

    >>> _of_type(tuple[str | int, ...] | None)
    {'type': ['array', 'null'], 'items': {'type': ['string', 'integer']}}
    """
    if annotation in _SIMPLE:
        return {"type": _SIMPLE[annotation]}
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return {"enum": list(inner)}
    if origin is tuple:
        return {"type": "array", "items": _of_type(inner[0])}
    if origin in (typing.Union, types.UnionType):
        schemas = [_of_type(each) for each in inner]
        if any("enum" in schema for schema in schemas):
            return {"enum": [value for schema in schemas for value in schema.get("enum", [None])]}
        names = [name for schema in schemas for name in _listed(schema["type"])]
        return {**{word: what for schema in schemas for word, what in schema.items()}, "type": names}
    return {"type": "object"}  # a mapping


def _listed(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value


def _condition() -> dict[str, Any]:
    """One column and one comparison, or others joined by ``all`` or ``any``."""
    value = {"type": ["string", "number", "boolean"]}
    ordered = {"type": ["string", "number"]}
    values = {"type": "array", "items": value, "minItems": 1}
    parts = {"type": "array", "items": {"$ref": "#/$defs/condition"}, "minItems": 1}
    known = {
        "equals": {"description": "is this value", **value},
        "in": {"description": "is one of these values", **values},
        "not_in": {"description": "is a value that is none of these", **values},
        "at_least": {"description": "a number or date, this or above", **ordered},
        "below": {"description": "a number or date below this", **ordered},
        "is_null": {"description": "the cell is empty (true) or not (false)", "type": "boolean"},
        "matches": {"description": "the whole value has the form of this regular expression (RE2)", "type": "string"},
    }
    return {
        "type": "object",
        "properties": {
            "column": {"description": "a raw column of the table", **_NAME},
            **{name: known[name] for name in COMPARISONS},
            "all": {"description": "all of these hold", **parts},
            "any": {"description": "one of these holds", **parts},
        },
        "additionalProperties": False,
    }


def _domain() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "datasets": {"description": "datasets that may use the key; none named: any", **_NAMES},
            "version": {"description": "rises when pseudonyms are renewed", "type": "integer", "minimum": 1},
            "period": {
                "description": "the period that the table covers; the next one gets fresh pseudonyms",
                **_NAME,
            },
            "joins": {"description": "attributes whose pseudonyms join; others are apart", **_NAMES},
        },
        "additionalProperties": False,
    }


def _limits() -> dict[str, Any]:
    pair = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    share = {"type": "number", "minimum": 0, "maximum": 1}
    return {
        "description": "what the masked table must satisfy before it may leave",
        "type": "object",
        "properties": {
            "k_anonymity": {"description": "persons in the smallest class", "type": "integer", "minimum": 2},
            "distinct_l_diversity": {"description": "values in each class", "type": "integer", "minimum": 2},
            "entropy_l_diversity": {"description": "exp of their entropy", "type": "number", "minimum": 1},
            "recursive_cl_diversity": {
                "description": "[c, l]: the most frequent value is rarer than c times all from the l-th on",
                **pair,
            },
            "t_closeness": {
                "description": "greatest distance of a class's sensitive values to the whole table's",
                "type": ["object", "number"],
                "properties": {
                    "t": share,
                    "distance": {"enum": list(DISTANCES)},
                    "hierarchies": {
                        "description": "for the hierarchical distance: sensitive attribute to file or mapping",
                        "type": "object",
                        "additionalProperties": {"type": ["string", "object"]},
                    },
                },
                "required": ["t"],
                "additionalProperties": False,
            },
            "max_risk": {"description": "highest risk of one person, 1 / class size", **share, "exclusiveMinimum": 0},
            "average_risk": {"description": "average risk: classes by persons", **share, "exclusiveMinimum": 0},
            "population_uniqueness": {
                "description": "greatest estimated share of persons who are alone in the population",
                "type": "object",
                "properties": {
                    "share": share,
                    "population": {"description": "persons in the population", "type": "integer", "minimum": 1},
                    "estimator": {"enum": list(ESTIMATORS)},
                },
                "required": ["share", "population"],
                "additionalProperties": False,
            },
            "k_map": {"description": "persons of the population in a class", "type": "integer", "minimum": 2},
            "delta_presence": {"description": "[least, greatest] share of a population class", **pair},
            "suppression": {"description": "share of rows that may be suppressed or left out", **share},
        },
        "additionalProperties": False,
    }


def _aggregate() -> dict[str, Any]:
    measure = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": False}
    measure["properties"] = dict.fromkeys(("count", "records", "sum", "mean"), _NAME)
    pair = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    return {
        "description": "a fixed table of cells leaves instead of records",
        "type": "object",
        "properties": {
            "by": {"type": "array", "items": _NAME, "minItems": 1, "uniqueItems": True},
            "measures": {"type": "object", "minProperties": 1, "additionalProperties": measure},
            "threshold": {"description": "least persons in a shown cell", "type": "integer", "minimum": 2},
            "rounding": {"description": "base that counts are rounded to", "type": "integer", "minimum": 1},
            "clamp": {"description": "bounds of summed attributes", "type": "object", "additionalProperties": pair},
            "dominance": {
                "description": "[n, share]: hide a sum of which n persons hold more; null: no such rule",
                **pair,
                "type": ["array", "null"],
            },
            "dimensions": {
                "description": "the categories of attributes of `by`, for a table with margins",
                "type": "object",
                "additionalProperties": _dimension(),
            },
            "protect": _protect(),
        },
        "required": ["by", "measures"],
        "additionalProperties": False,
    }


def _dimension() -> dict[str, Any]:
    label = {"type": ["string", "number"]}
    return {
        "type": "object",
        "properties": {
            "categories": {"description": "all of them, also those nobody has", "type": "array", "items": label},
            "hierarchy": {
                "description": "a file; rows from a category to its coarsest group; or each category's group",
                "type": ["string", "array", "object"],
            },
        },
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }


def _protect() -> dict[str, Any]:
    """The words of ``masking.disclosure.rules``, which says what they mean and which method takes which."""
    pair = {"type": ["array", "null"], "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    above = {"type": "number", "exclusiveMinimum": 0}
    return {
        "description": "the table has margins, and this protects them; the audit must pass before it leaves",
        "type": "object",
        "properties": {
            "method": {"description": "of protection; only suppression protects sums", "enum": list(METHODS)},
            "threshold": {"description": "least persons in a shown cell", "type": "integer", "minimum": 2},
            "dominance": {
                "description": "[n, share]: n persons may not hold more of a cell; null: no such rule",
                **pair,
            },
            "p_percent": {
                "description": "the largest is not known to within p % to the second largest",
                **above,
                "type": ["number", "null"],
                "maximum": 100,
            },
            "prior_posterior": {"description": "[p, q]: nor to within p % if all were known to within q %", **pair},
            "safety_range": {"description": "share of a hidden figure that stays open", **above, "maximum": 1},
            "cost": {"description": "what to hide least of", "enum": list(COSTS)},
            "base": {"description": "counts are rounded to its multiples", "type": "integer", "minimum": 2},
            "deviation": {"description": "most that noise moves a count", "type": "integer", "minimum": 1},
            "variance": {"description": "of the noise", **above},
            "smallest": {"description": "counts 1 to this never appear", "type": "integer", "minimum": 0},
            "zeros": {"description": "empty cells get noise too", "type": "boolean"},
            "key": {"description": "name of the key that noise is drawn under, never the key", **_NAME},
            "decimals": {"description": "of sums, which are exact to these", "type": "integer"},
            "total": {"description": "label of the totals", **_NAME},
            "tables": {
                "description": "sets of dimensions that are published together; none: all dimensions crossed",
                "type": "array",
                "items": {**_NAMES, "minItems": 1},
                "minItems": 1,
            },
        },
        "additionalProperties": False,
    }


def _sandbox() -> dict[str, Any]:
    whole = {"type": "integer", "minimum": 1}
    return {
        "description": "what a sealed job on the raw table may release",
        "type": "object",
        "properties": {
            "threshold": {"description": "least persons behind a released figure", "type": "integer", "minimum": 2},
            "rounding": whole,
            "kinds": {"type": "array", "items": {"enum": ["frequency", "magnitude", "model"]}, "uniqueItems": True},
            "max_cells": whole,
            "practice_rows": whole,
            "tables": _fixed_tables(),
        },
        "additionalProperties": False,
    }


def _fixed_tables() -> dict[str, Any]:
    """The words of ``masking.policy.fixed_tables``, which says what they mean."""
    place = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}
    dimension = {
        "type": "object",
        "properties": {
            "from": {"description": "the attribute, if it is not the dimension's own name", **_NAME},
            "title": _TITLE,
            "characters": {"description": "[first, last] characters of its text, from 1", **place},
            "codes": {"description": "the categories, or each one's title", "type": ["array", "object"]},
            "edges": {
                "description": "ascending bounds of bins, numbers or dates; null at an end: no bound",
                "type": "array",
                "items": {"type": ["number", "string", "null"]},
                "minItems": 2,
            },
            "lower": {"description": "first edge of bands", "type": "number"},
            "upper": {"description": "last edge of bands", "type": "number"},
            "width": {"description": "of each band", "type": "number"},
            "titles": {
                "description": "what each bin or band is called, in order: text, or zh and en",
                "type": "array",
                "items": {"type": ["string", "object"]},
                "minItems": 1,
            },
            "other": {
                "description": "what no category takes is counted as one more (true) or nowhere (false)",
                "type": "boolean",
            },
        },
        "additionalProperties": False,
    }
    measure = {
        "type": "object",
        "properties": {
            "lower": {"description": "what a person adds to a cell is at least this", "type": "number"},
            "upper": {"description": "what a person adds to a cell is at most this", "type": "number"},
            "title": _TITLE,
        },
        "required": ["lower", "upper"],
        "additionalProperties": False,
    }
    return {
        "description": "fixed tables that are computed once for each intake and asked by anybody who may",
        "type": "object",
        "properties": {
            "dimensions": {
                "description": "with categories that the policy fixes; three at most are asked together",
                "type": "object",
                "minProperties": 1,
                "maxProperties": 6,
                "additionalProperties": dimension,
            },
            "measures": {
                "description": "attributes that are summed, with their bounds",
                "type": "object",
                "maxProperties": 4,
                "additionalProperties": measure,
            },
            "contribution": {
                "description": "cells that a person counts in at most, all dimensions crossed",
                "type": "integer",
                "minimum": 1,
                "maximum": 10,
            },
            "threshold": {"description": "the least figure that is shown", "type": "integer", "minimum": 2},
            "renew_days": {
                "description": "days until another intake may get tables of its own",
                "type": "integer",
                "minimum": 365,
            },
        },
        "required": ["dimensions"],
        "additionalProperties": False,
    }
