"""Reads masking policies from YAML; every error names line and column and, for a near miss, the right word.

A policy is plain data: no tags, no anchors and aliases (which could grow without bound), at most 1 MiB.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent

from masking.disclosure.rules import read_rules
from masking.errors import InvalidParameter, PolicyError
from masking.limits import Limits
from masking.policy.complaints import complaint, place
from masking.policy.fixed_tables import read_fixed_tables
from masking.policy.model import (
    KEEP,
    Aggregate,
    AttributeRule,
    ForeignKey,
    KeyDomain,
    MaskingPolicy,
    PolicySet,
    Sample,
    SandboxRules,
)
from masking.policy.schema import RULE_WORDS, json_schema
from masking.policy.shape import violations
from masking.taxonomy import DataLevel, Role
from masking.techniques.conditions import Condition, condition

LARGEST: Final = 1 << 20
"""Bytes of a policy text; the largest real one is some tens of kilobytes."""
_UNPROTECTED: Final = ("threshold", "rounding", "clamp", "dominance")
"""Words of an aggregate that say how a table without margins is protected."""
_MARKED: Final = re.compile(r"[&*!]")
"""An anchor, an alias or a tag has one of these; a text without them need not be looked through for one."""


def load(source: str | Path) -> MaskingPolicy:
    """The policy in ``source``: a path, or YAML text (a string with a line break is text).

    Raises:
        PolicyError: the text is not a policy; ``line`` and ``column`` (from 1) say where.
    """
    text = _text(source)
    document = _parse(text)
    _check_shape(document)
    if "tables" in document:
        raise PolicyError("this file holds the policies of several tables (`tables:`); one is expected here")
    return _policy(document, text)


def load_set(source: str | Path) -> PolicySet:
    """The policies of several tables in ``source``: a path, or YAML text.

    Raises:
        PolicyError: as ``load``; or it is the policy of one table.
    """
    text = _text(source)
    document = _parse(text)
    _check_shape(document)
    if "tables" not in document:
        raise PolicyError("this is the policy of one table; several stand below `tables:`", line=1, column=1)
    return _policies(document, text)


def holds_several(source: str | Path) -> bool:
    """True if the file holds the policies of several tables (``load_set`` reads it) and not of one (``load``)."""
    return "tables" in _parse(_text(source))


def _text(source: str | Path) -> str:
    if isinstance(source, str) and "\n" in source:
        text = source
    else:
        try:
            with Path(source).open("rb") as file:
                raw = file.read(LARGEST + 1)
            text = raw[: LARGEST + 1].decode("utf-8-sig")
        except OSError as error:
            raise PolicyError(f"the policy file {Path(source).name!r} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise PolicyError("the policy file is not UTF-8") from None
    if len(text.encode("utf-8", "replace")) > LARGEST:
        raise PolicyError(f"a policy holds at most {LARGEST} bytes")
    return text


def _parse(text: str) -> CommentedMap:
    try:
        for event in YAML(typ="safe", pure=True).parse(text) if _MARKED.search(text) else ():
            tag = getattr(event, "tag", None)
            if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
                raise PolicyError("a policy has no anchors and aliases", **_mark(event.start_mark))
            if tag is not None and str(tag) not in {"!", "None"}:
                raise PolicyError("a policy has no tags", **_mark(event.start_mark))
        document = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        place = _mark(error.problem_mark) if error.problem_mark else {}
        problem = str(error.problem or "not YAML").split("\n", maxsplit=1)[0].split(" with value", maxsplit=1)[0]
        raise PolicyError(f"not YAML: {problem}", **place) from None
    except (YAMLError, ValueError, RecursionError):
        raise PolicyError("not YAML") from None
    if not isinstance(document, CommentedMap):
        raise PolicyError("a policy is a mapping that begins with `version:`", line=1, column=1)
    return document


def _mark(mark: Any) -> dict[str, int]:
    return {"line": mark.line + 1, "column": mark.column + 1}


def _check_shape(document: CommentedMap) -> None:
    found = sorted(
        violations(_plain(document), json_schema()),
        key=lambda v: (v.keyword != "additionalProperties", *place(document, v.path, None)),
    )
    if found:
        raise complaint(document, found[0])
    rules = [(["attributes", name], rule) for name, rule in document.get("attributes", {}).items()]
    rules += [
        (["tables", table, "attributes", name], rule)
        for table, words in document.get("tables", {}).items()
        for name, rule in words["attributes"].items()
    ]
    for path, rule in rules:
        if "technique" not in rule and rule["role"] in (Role.DIRECT_IDENTIFIER, Role.QUASI_IDENTIFIER):
            line, column = place(document, path, None)
            raise PolicyError(
                f"attribute {str(path[-1])!r}: a {rule['role']} needs a technique "
                "(to keep it as it is, `technique: keep`)",
                line=line,
                column=column,
            )


def _policy(document: CommentedMap, text: str) -> MaskingPolicy:
    plain = _plain(document)
    return MaskingPolicy(
        version=plain["version"],
        dataset=plain["dataset"],
        title=plain.get("title", {}),
        origin=plain.get("origin", {}),
        level=DataLevel(plain["level"]) if "level" in plain else None,
        key_domains=_domains(plain),
        test_data=plain.get("test_data", False),
        source_text=text,
        **_table(document, plain, []),
    )


def _table(document: CommentedMap, plain: Mapping[str, Any], path: list[str]) -> dict[str, Any]:
    """What a policy says of one table; ``path`` leads to it in the document."""
    return {
        "unit": plain.get("unit"),
        "attributes": {
            name: _rule(document, name, words, [*path, "attributes", name])
            for name, words in plain["attributes"].items()
        },
        "limits": _limits(document, plain.get("limits", {}), [*path, "limits"]),
        "recoding": plain.get("recoding", "local"),
        "aggregate": _aggregate(document, plain["aggregate"], [*path, "aggregate"]) if "aggregate" in plain else None,
        "sandbox": _sandbox(document, plain.get("sandbox", {}), [*path, "sandbox"]),
        "record": tuple(plain.get("record", ())),
        "suppress": tuple(
            _condition(document, words, [*path, "suppress", at]) for at, words in enumerate(plain.get("suppress", ()))
        ),
        "sample": Sample(**plain["sample"]) if "sample" in plain else None,
    }


def _policies(document: CommentedMap, text: str) -> PolicySet:
    plain = _plain(document)
    dataset, domains = plain["dataset"], _domains(plain)
    shared = {
        "version": plain["version"],
        "origin": plain.get("origin", {}),
        "level": DataLevel(plain["level"]) if "level" in plain else None,
        "test_data": plain.get("test_data", False),
    }
    tables = {}
    for name, words in plain["tables"].items():
        made = MaskingPolicy(
            dataset=f"{dataset}.{name}",
            title=words.get("title", {}),
            **_table(document, words, ["tables", name]),
            **shared,
        )
        tables[name] = replace(made, key_domains=_of_table(domains, made))
    return PolicySet(
        dataset=dataset,
        tables=tables,
        foreign_keys=tuple(
            _foreign_key(each, place(document, ["foreign_keys", at], None)[0])
            for at, each in enumerate(plain.get("foreign_keys", ()))
        ),
        title=plain.get("title", {}),
        key_domains=domains,
        source_text=text,
        **shared,
    )


def _foreign_key(words: Mapping[str, str], line: int) -> ForeignKey:
    table, column = words["from"].split(".", maxsplit=1)
    to_table, to_column = words["to"].split(".", maxsplit=1)
    return ForeignKey(table, column, to_table, to_column, line)


def _of_table(domains: Mapping[str, KeyDomain], policy: MaskingPolicy) -> dict[str, KeyDomain]:
    """The domains of the keys that the table uses; which datasets may use them is the set's to check."""
    return {
        name: replace(
            domain,
            datasets=(),
            joins=None if domain.joins is None else tuple(n for n in domain.joins if n in policy.attributes),
        )
        for name, domain in domains.items()
        if name in policy.key_names
    }


def _rule(document: CommentedMap, name: str, words: Mapping[str, Any], path: list[Any]) -> AttributeRule:
    otherwise = words.get("otherwise")
    return AttributeRule(
        name=name,
        role=Role(words["role"]),
        technique=words.get("technique", KEEP),
        parameters={word: value for word, value in words.items() if word not in RULE_WORDS},
        key=words.get("key"),
        level=DataLevel(words["data_level"]) if "data_level" in words else None,
        title=words.get("title", {}),
        reason=words.get("reason", ""),
        codes=tuple(words["codes"]) if "codes" in words else None,
        practice=words.get("practice"),
        line=place(document, path, None)[0],
        invented=words.get("invented", False),
        when=_condition(document, words["when"], [*path, "when"]) if "when" in words else None,
        otherwise=_rule(document, name, {"role": words["role"], **otherwise}, path) if otherwise else None,
    )


def _condition(document: CommentedMap, words: Any, path: list[Any]) -> Condition:
    try:
        return condition(words)
    except PolicyError as error:
        raise error.at(*place(document, path, None)) from None


def _domains(plain: Mapping[str, Any]) -> dict[str, KeyDomain]:
    return {name: _domain(words) for name, words in plain.get("key_domains", {}).items()}


def _domain(words: Mapping[str, Any]) -> KeyDomain:
    joins = words.get("joins")
    return KeyDomain(
        datasets=tuple(words.get("datasets", ())),
        version=words.get("version", 1),
        joins=None if joins is None else tuple(joins),
        period=words.get("period", ""),
    )


def _limits(document: CommentedMap, words: Mapping[str, Any], path: list[Any]) -> Limits:
    try:
        return Limits.of(words)
    except PolicyError as error:
        raise error.at(*place(document, path, None)) from None


def _aggregate(document: CommentedMap, words: Mapping[str, Any], path: list[Any]) -> Aggregate:
    given = dict(words)
    given["by"] = tuple(given["by"])
    if "clamp" in given:
        given["clamp"] = {name: (bounds[0], bounds[1]) for name, bounds in given["clamp"].items()}
    if given.get("dominance"):
        given["dominance"] = (int(given["dominance"][0]), float(given["dominance"][1]))
    if "protect" in given:
        for name in _UNPROTECTED:
            if name in given:
                line, column = place(document, path, name)
                raise PolicyError(
                    f"aggregate: {name!r} is for a table without `protect`; with it, say below `protect` how the table "
                    "is protected, and limit values by the technique of their attribute",
                    line=line,
                    column=column,
                )
        try:
            given["protect"] = read_rules(given["protect"])
        except InvalidParameter as error:
            raise error.at(*place(document, [*path, "protect"], error.parameter)) from None
    elif "dimensions" in given:
        line, column = place(document, path, "dimensions")
        raise PolicyError(
            "aggregate: `dimensions` give a table its margins, which need `protect`", line=line, column=column
        )
    return Aggregate(**given)


def _sandbox(document: CommentedMap, words: Mapping[str, Any], path: list[Any]) -> SandboxRules:
    given = dict(words)
    if "kinds" in given:
        given["kinds"] = tuple(given["kinds"])
    if "tables" in given:
        given["tables"] = read_fixed_tables(
            given["tables"], lambda inner: place(document, [*path, "tables", *inner], None)
        )
    return SandboxRules(**given)


def _plain(node: Any) -> Any:
    """Python values without ruamel's types; keys become text."""
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(item) for item in node]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return str(node)  # dates and times stay as written
