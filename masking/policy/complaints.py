"""What is wrong with the shape of a policy, in one sentence: line and column and, for a near miss, the right word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from masking import techniques
from masking.errors import PolicyError, UnknownTechnique, suggestion
from masking.policy.model import KEEP
from masking.policy.schema import BRANCH_WORDS, RULE_WORDS, parameters_of
from masking.policy.shape import Violation
from masking.policy.unkeyed import is_hash, refusal

_KINDS: Final = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}
_BOUNDS: Final = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "text of at least length {}",
    "minProperties": "of at least size {}",
    "maxProperties": "of at most size {}",
    "minItems": "a list of at least length {}",
    "maxItems": "a list of at most length {}",
}


def complaint(document: CommentedMap, found: Violation) -> PolicyError:
    """The schema's complaint in words."""
    path = [str(step) for step in found.path]
    where = ".".join(path) or "the policy"
    line, column = place(document, found.path, None)
    wanted = found.wanted
    if found.keyword == "additionalProperties":
        return _unknown_word(document, found, where)
    if found.keyword == "enum":
        given = str(found.value)
        if path[-1:] == ["technique"]:
            wrong = refusal(given, _attribute(path)) if is_hash(given) else UnknownTechnique.from_name(given, wanted)
            return wrong.at(line, column)
        return PolicyError(
            f"{where}: {given!r} is not one of {wanted}{suggestion(given, map(str, wanted))}", line=line, column=column
        )
    if found.keyword == "required":
        missing = [name for name in wanted if name not in found.value]
        technique = f" ({_technique(found)})" if "patternProperties" in found.schema else ""
        sentence = f"{where}{technique} needs {missing}"
    elif found.keyword == "const":
        sentence = f"{where}: this program reads version {wanted}"
    elif found.keyword == "type":
        sentence = f"{where} must be {_kind(wanted)}"
    elif found.keyword == "uniqueItems":
        sentence = f"{where} names something twice"
    elif found.keyword == "pattern":
        sentence = f"{where} must name a table and a column: table.column"
    else:
        sentence = f"{where} must be {_BOUNDS[found.keyword].format(wanted)}"
    return PolicyError(sentence, line=line, column=column)


def place(document: Any, path: Iterable[Any], key: str | None) -> tuple[int, int]:
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


def _unknown_word(document: CommentedMap, found: Violation, where: str) -> PolicyError:
    known = sorted(found.schema.get("properties", ()))
    if "patternProperties" in found.schema:  # a rule: what may stand in it depends on its technique
        words = BRANCH_WORDS if str(found.path[-1]) == "otherwise" else RULE_WORDS
        name = next(str(key) for key in found.value if key not in (*known, *words))
        named = found.value.get("technique")
        meant = _meant(name, known, words)
        sentence = (
            f"{where}: {named} has no parameter {name!r}{meant}" if named else f"{where} has no entry {name!r}{meant}"
        )
    else:
        name = next(str(key) for key in found.value if key not in known)
        sentence = f"{where} has no entry {name!r}{suggestion(name, known) or f'; known: {known}'}"
    line, column = place(document, found.path, name)
    return PolicyError(sentence, line=line, column=column)


def _meant(name: str, own: Sequence[str], words: Sequence[str]) -> str:
    """The nearest word of this technique, or of a rule, or of other techniques."""
    near = suggestion(name, own) or suggestion(name, words)
    if near:
        return near
    has = f"; it has {list(own)}" if own else ""
    of_others = {parameter: each for each in techniques.names() for parameter in parameters_of(each)}
    elsewhere = suggestion(name, of_others)
    if name in of_others:
        names = [each for each in techniques.names() if name in parameters_of(each)]
        return f"{has}; {name!r} belongs to {', '.join(names[:3])}{' …' if names[3:] else ''}"
    return f"{has}{elsewhere}" if elsewhere else has


def _technique(found: Violation) -> str:
    return str(found.value.get("technique", KEEP))


def _attribute(path: Sequence[str]) -> str:
    """The attribute whose rule ``path`` leads through."""
    return path[path.index("attributes") + 1]


def _kind(names: str | Sequence[str]) -> str:
    return " or ".join(_KINDS.get(name, name) for name in ([names] if isinstance(names, str) else names))
