"""Reads and writes masking policies as YAML; every error names line and column and, for a near miss, the right word.

A policy is plain data: no tags, no anchors and aliases (which could grow without bound), at most 1 MiB.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from masking.errors import PolicyError, UnknownTechnique, suggestion
from masking.policy.model import KEEP, Aggregate, AttributeRule, KeyDomain, Limits, MaskingPolicy, Sample, SandboxRules
from masking.policy.schema import RULE_WORDS, json_schema
from masking.policy.shape import Violation, violations
from masking.taxonomy import DataLevel, Role
from masking.techniques.conditions import Condition, condition

LARGEST: Final = 1 << 20
"""Bytes of a policy text; the largest real one is some tens of kilobytes."""
_PLAIN: Final = re.compile(r"[0-9A-Za-z_\u4e00-\u9fff][0-9A-Za-z_ ./*()\u4e00-\u9fff，。；：、“”（）→-]*")
"""Text that is surely one plain scalar, also inside a flow mapping; words like ``yes`` the writer quotes itself."""


def load(source: str | Path) -> MaskingPolicy:
    """The policy in ``source``: a path, or YAML text (a string with a line break is text).

    Raises:
        PolicyError: the text is not a policy; ``line`` and ``column`` (from 1) say where.
    """
    text = _text(source)
    document = _parse(text)
    _check_shape(document)
    return _policy(document, text)


def dump(policy: MaskingPolicy) -> str:
    """YAML text that ``load`` reads back to an equal policy (line numbers aside)."""
    plain: dict[str, Any] = {"version": policy.version, "dataset": policy.dataset}
    for name in ("title", "origin"):
        if getattr(policy, name):
            plain[name] = _flow(getattr(policy, name))
    if policy.level:
        plain["level"] = policy.level.value
    if policy.test_data:
        plain["test_data"] = True
    if policy.unit:
        plain["unit"] = policy.unit
    if policy.record:
        plain["record"] = _flow(list(policy.record))
    if policy.key_domains:
        plain["key_domains"] = {name: _flow(_domain_words(domain)) for name, domain in policy.key_domains.items()}
    if policy.suppress:
        plain["suppress"] = [_flow(each.to_words()) for each in policy.suppress]
    if policy.sample:
        plain["sample"] = _flow({"share": policy.sample.share, "key": policy.sample.key})
    plain["attributes"] = {name: _flow(_rule_words(rule)) for name, rule in policy.attributes.items()}
    limits = {name: getattr(policy.limits, name) for name in Limits.__slots__ if getattr(policy.limits, name)}
    if limits:
        plain["limits"] = _flow(limits)
    if policy.aggregate:
        plain["aggregate"] = _aggregate_words(policy.aggregate)
    if policy.sandbox != SandboxRules():
        plain["sandbox"] = _flow({name: getattr(policy.sandbox, name) for name in SandboxRules.__slots__})
    stream = io.StringIO()
    yaml = YAML()
    yaml.width = 4096
    yaml.allow_unicode = True
    yaml.dump(_commented(plain), stream)
    return stream.getvalue()


# Reading.


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
        for event in YAML(typ="safe", pure=True).parse(text):
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
        key=lambda v: (v.keyword != "additionalProperties", *_place(document, v.path, None)),
    )
    if found:
        raise _in_words(document, found[0])
    for name, rule in document["attributes"].items():
        if "technique" not in rule and rule["role"] in (Role.DIRECT_IDENTIFIER, Role.QUASI_IDENTIFIER):
            line, column = _place(document, ["attributes", name], None)
            raise PolicyError(
                f"attribute {str(name)!r}: a {rule['role']} needs a technique (to keep it as it is, `technique: keep`)",
                line=line,
                column=column,
            )


def _in_words(document: CommentedMap, found: Violation) -> PolicyError:
    """The schema's complaint as one sentence with a place and, for a near miss, the right word."""
    path = [str(step) for step in found.path]
    where = ".".join(path) or "the policy"
    line, column = _place(document, found.path, None)
    wanted = found.wanted
    if found.keyword == "additionalProperties":
        known = sorted(found.schema.get("properties", ()))
        name = next(str(key) for key in found.value if key not in known)
        line, column = _place(document, found.path, name)
        return PolicyError(
            f"{where} has no entry {name!r}{suggestion(name, known) or f'; known: {known}'}", line=line, column=column
        )
    if found.keyword == "enum":
        given = str(found.value)
        if path[-1:] == ["technique"]:
            return UnknownTechnique.from_name(given, wanted).at(line, column)
        return PolicyError(
            f"{where}: {given!r} is not one of {wanted}{suggestion(given, wanted)}", line=line, column=column
        )
    if found.keyword == "required":
        sentence = f"{where} needs {[name for name in wanted if name not in found.value]}"
    elif found.keyword == "const":
        sentence = f"{where}: this program reads version {wanted}"
    elif found.keyword == "type":
        sentence = f"{where} must be {_kind(wanted)}"
    elif found.keyword == "uniqueItems":
        sentence = f"{where} names something twice"
    else:
        sentence = f"{where} must be {_BOUNDS[found.keyword]} {wanted}"
    return PolicyError(sentence, line=line, column=column)


_BOUNDS: Final = {
    "minimum": "at least",
    "exclusiveMaximum": "less than",
    "minLength": "text of at least length",
    "minProperties": "of at least size",
    "maxProperties": "of at most size",
    "minItems": "a list of at least length",
    "maxItems": "a list of at most length",
}


def _kind(names: str | Sequence[str]) -> str:
    words = {
        "object": "a mapping",
        "array": "a list",
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "null": "nothing",
    }
    return " or ".join(words.get(name, name) for name in ([names] if isinstance(names, str) else names))


def _place(document: Any, path: Iterable[Any], key: str | None) -> tuple[int, int]:
    """Line and column, from 1, of the entry at ``path`` (of its word ``key`` if given)."""
    node, line, column = document, 1, 1
    for step in [*path, *([key] if key is not None else [])]:
        if isinstance(node, CommentedMap) and step in node:
            at = node.lc.key(step)
        elif isinstance(node, CommentedSeq) and isinstance(step, int):
            at = node.lc.item(step)
        else:
            break
        line, column = at[0] + 1, at[1] + 1
        node = node[step]
    return line, column


def _policy(document: CommentedMap, text: str) -> MaskingPolicy:
    plain = _plain(document)
    attributes = {
        name: _rule(name, rule, _place(document, ["attributes"], name)[0]) for name, rule in plain["attributes"].items()
    }
    return MaskingPolicy(
        version=plain["version"],
        dataset=plain["dataset"],
        title=plain.get("title", {}),
        origin=plain.get("origin", {}),
        level=DataLevel(plain["level"]) if "level" in plain else None,
        unit=plain.get("unit"),
        attributes=attributes,
        limits=Limits(**plain.get("limits", {})),
        aggregate=_aggregate(plain["aggregate"]) if "aggregate" in plain else None,
        sandbox=_sandbox(plain.get("sandbox", {})),
        record=tuple(plain.get("record", ())),
        suppress=tuple(
            _condition(words, _place(document, ["suppress", place], None))
            for place, words in enumerate(plain.get("suppress", ()))
        ),
        sample=Sample(**plain["sample"]) if "sample" in plain else None,
        key_domains={name: _domain(words) for name, words in plain.get("key_domains", {}).items()},
        test_data=plain.get("test_data", False),
        source_text=text,
    )


def _rule(name: str, words: Mapping[str, Any], line: int) -> AttributeRule:
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
        line=line,
        invented=words.get("invented", False),
        when=_condition(words["when"], (line, None)) if "when" in words else None,
        otherwise=_rule(name, {"role": words["role"], **words["otherwise"]}, line) if "otherwise" in words else None,
    )


def _condition(words: Any, place: tuple[int, int | None]) -> Condition:
    try:
        return condition(words)
    except PolicyError as error:
        raise error.at(*place) from None


def _domain(words: Mapping[str, Any]) -> KeyDomain:
    joins = words.get("joins")
    return KeyDomain(tuple(words.get("datasets", ())), words.get("version", 1), None if joins is None else tuple(joins))


def _domain_words(domain: KeyDomain) -> dict[str, Any]:
    words: dict[str, Any] = {"datasets": list(domain.datasets), "version": domain.version}
    return words if domain.joins is None else {**words, "joins": list(domain.joins)}


def _aggregate(words: Mapping[str, Any]) -> Aggregate:
    given = dict(words)
    given["by"] = tuple(given["by"])
    if "clamp" in given:
        given["clamp"] = {name: (bounds[0], bounds[1]) for name, bounds in given["clamp"].items()}
    if given.get("dominance"):
        given["dominance"] = (int(given["dominance"][0]), float(given["dominance"][1]))
    return Aggregate(**given)


def _sandbox(words: Mapping[str, Any]) -> SandboxRules:
    given = dict(words)
    if "kinds" in given:
        given["kinds"] = tuple(given["kinds"])
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


# Writing.


def _rule_words(rule: AttributeRule) -> dict[str, Any]:
    words: dict[str, Any] = {"role": rule.role.value, "technique": rule.technique, **rule.parameters}
    for name, value in (
        ("key", rule.key),
        ("data_level", rule.level.value if rule.level else None),
        ("title", dict(rule.title)),
        ("reason", rule.reason),
        ("codes", list(rule.codes) if rule.codes is not None else None),
        ("practice", rule.practice),
        ("invented", rule.invented),
        ("when", rule.when.to_words() if rule.when else None),
        ("otherwise", _branch_words(rule.otherwise) if rule.otherwise else None),
    ):
        if value not in (None, "", {}, False):
            words[name] = value  # noqa: PERF403
    return words


def _branch_words(rule: AttributeRule) -> dict[str, Any]:
    key = {"key": rule.key} if rule.key else {}
    return {"technique": rule.technique, **rule.parameters, **key}


def _aggregate_words(aggregate: Aggregate) -> dict[str, Any]:
    words: dict[str, Any] = {
        "by": _flow(list(aggregate.by)),
        "measures": {name: _flow(measure) for name, measure in aggregate.measures.items()},
        "threshold": aggregate.threshold,
        "rounding": aggregate.rounding,
    }
    if aggregate.clamp:
        words["clamp"] = {name: _flow(list(bounds)) for name, bounds in aggregate.clamp.items()}
    words["dominance"] = _flow(list(aggregate.dominance)) if aggregate.dominance else None
    return words


def _flow(value: Any) -> Any:
    node = _commented(value)
    node.fa.set_flow_style()
    return node


def _commented(value: Any) -> Any:
    if isinstance(value, CommentedMap | CommentedSeq):
        return value
    if isinstance(value, Mapping):
        return CommentedMap((_commented(name), _commented(item)) for name, item in value.items())
    if isinstance(value, list | tuple):
        return CommentedSeq(_commented(item) for item in value)
    if isinstance(value, str) and _PLAIN.fullmatch(value) is None:
        return DoubleQuotedScalarString(value)  # column names may hold anything
    return value
