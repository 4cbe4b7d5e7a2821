"""The JSON Schema of a masking policy, for editors and for ``load``; ``policies/masking-policy.schema.json`` is its
copy.

Names of techniques and of their parameters come from the registry, so a new technique needs no change here. Which
parameter belongs to which technique, and its interval, is checked by the technique itself (``check``).
"""

from __future__ import annotations

from typing import Any, Final

from masking import techniques
from masking.policy.model import VERSION
from masking.taxonomy import DataLevel, Role

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
_TEXT: Final = {"type": "string"}
_TITLE: Final = {
    "description": "shown to people, Chinese and English",
    "type": "object",
    "properties": {"zh": _TEXT, "en": _TEXT},
    "required": ["zh", "en"],
    "additionalProperties": False,
}
_NAME: Final = {"type": "string", "minLength": 1}
_PARAMETER: Final = {"description": "parameter of a technique"}


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the policy YAML."""
    return {
        "$schema": IDENTIFIER,
        "title": "脱敏策略 masking policy",
        "type": "object",
        "properties": {
            "version": {"const": VERSION},
            "dataset": _NAME,
            "title": _TITLE,
            "level": {"description": "level of the raw table", "enum": [level.value for level in DataLevel]},
            "origin": {
                "description": "where the table comes from: source, licence",
                "type": "object",
                "additionalProperties": _TEXT,
            },
            "unit": {"description": "the column that identifies a person; without it each row is one person", **_NAME},
            "record": {
                "description": "columns that tell records apart; randomness is drawn once for each",
                "type": "array",
                "items": _NAME,
                "minItems": 1,
                "uniqueItems": True,
            },
            "test_data": {"description": "surrogates look valid; never published", "type": "boolean"},
            "key_domains": {"type": "object", "additionalProperties": _domain()},
            "suppress": {"description": "records that leave", "type": "array", "items": {"type": "object"}},
            "sample": {
                "description": "only a share of the records is kept",
                "type": "object",
                "properties": {"share": {"type": "number"}, "key": _NAME},
                "required": ["share", "key"],
                "additionalProperties": False,
            },
            "attributes": {"type": "object", "minProperties": 1, "additionalProperties": _rule()},
            "limits": _limits(),
            "aggregate": _aggregate(),
            "sandbox": _sandbox(),
        },
        "required": ["version", "dataset", "attributes"],
        "additionalProperties": False,
    }


def _rule() -> dict[str, Any]:
    parameters = sorted(
        {parameter.name for name in techniques.names() for parameter in techniques.get(name).parameters()}
    )
    return {
        "type": "object",
        "properties": {
            "role": {"enum": [role.value for role in Role]},
            "technique": {"enum": list(techniques.names())},
            "key": {"description": "name of a key, never the key", **_NAME},
            "data_level": {"description": "level of the attribute", "enum": [level.value for level in DataLevel]},
            "title": _TITLE,
            "reason": {"description": "why this role or technique", **_TEXT},
            "codes": {"description": "the code list of the attribute, for practice data", "type": "array"},
            "practice": {"description": "how practice data of the attribute is made", "type": "object"},
            "invented": {"description": "the column holds invented test data", "type": "boolean"},
            "when": {"description": "the technique applies to records that meet this", "type": "object"},
            "otherwise": {
                "description": "the technique for all other records",
                "type": "object",
                "properties": {
                    "technique": {"enum": list(techniques.names())},
                    "key": _NAME,
                    **dict.fromkeys(parameters, _PARAMETER),
                },
                "required": ["technique"],
                "additionalProperties": False,
            },
            **dict.fromkeys(parameters, _PARAMETER),
        },
        "required": ["role"],
        "additionalProperties": False,
    }


def _domain() -> dict[str, Any]:
    names = {"type": "array", "items": _NAME, "uniqueItems": True}
    return {
        "type": "object",
        "properties": {
            "datasets": {"description": "datasets that may use the key; none named: any", **names},
            "version": {"description": "rises when pseudonyms are renewed", "type": "integer", "minimum": 1},
            "joins": {"description": "attributes whose pseudonyms join; others are apart", **names},
        },
        "additionalProperties": False,
    }


def _limits() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "k_anonymity": {"description": "persons in the smallest class", "type": "integer", "minimum": 2},
            "distinct_l_diversity": {"description": "values in each class", "type": "integer", "minimum": 2},
            "suppression": {
                "description": "share of rows that may be left out",
                "type": "number",
                "minimum": 0,
                "exclusiveMaximum": 1,
            },
        },
        "additionalProperties": False,
    }


def _aggregate() -> dict[str, Any]:
    measure = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": False}
    measure["properties"] = dict.fromkeys(("count", "sum", "mean"), _NAME)
    pair = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    return {
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
        },
        "required": ["by", "measures"],
        "additionalProperties": False,
    }


def _sandbox() -> dict[str, Any]:
    whole = {"type": "integer", "minimum": 1}
    return {
        "type": "object",
        "properties": {
            "threshold": {"description": "least persons behind a released figure", "type": "integer", "minimum": 2},
            "rounding": whole,
            "kinds": {"type": "array", "items": {"enum": ["frequency", "magnitude", "model"]}, "uniqueItems": True},
            "max_cells": whole,
            "practice_rows": whole,
        },
        "additionalProperties": False,
    }
