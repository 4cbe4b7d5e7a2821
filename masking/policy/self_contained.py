"""A policy text with the hierarchies that it names as files written into it.

Whoever keeps a policy keeps its hierarchies with it then: one digest covers both, and a file that changes later changes
no table. Comments and all other words stay, though not their alignment; a text that names no file stays byte for byte.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from masking import techniques
from masking.errors import InvalidParameter
from masking.policy.load import load

Rows = Sequence[Sequence[str]]
"""Of a hierarchy: each value, then its ancestors, nearest first."""
_ENDLESS: Final = 1 << 20
"""Columns of a line: nothing is folded."""


def self_contained(text: str, read: Callable[[str], Rows]) -> str:
    """The text, each named file replaced by what ``read`` finds under its name.

    Raises:
        PolicyError: the text is no policy, or too long with its hierarchies.
        InvalidParameter: a file names a value twice, with other ancestors; or what ``read`` raises.
    """
    load(text)
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = _ENDLESS
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(text)
    named = list(_named(document))
    if not named:
        return text
    for place, word, into in named:
        at = list(place).index(word)
        name = str(place.pop(word))
        place.insert(at, into, _mapping(name, read(name)))
    written = io.StringIO()
    yaml.dump(document, written)
    load(written.getvalue())
    return written.getvalue()


def _named(document: Mapping[str, Any]) -> Iterator[tuple[CommentedMap, str, str]]:
    """Where a file is named: the mapping, the word there, and the word that its content stands under."""
    for rule in document.get("attributes", {}).values():
        for words in (rule, rule.get("otherwise")):
            if words and words.get("file") is not None and _takes_either(words.get("technique")):
                yield words, "file", "mapping"
    closeness = document.get("limits", {}).get("t_closeness")
    trees = closeness.get("hierarchies", {}) if isinstance(closeness, Mapping) else {}
    dimensions = document.get("aggregate", {}).get("dimensions", {})
    for held in (trees, *dimensions.values()):
        for word, given in held.items():
            if isinstance(given, str) and (held is trees or word == "hierarchy"):
                yield held, word, word


def _takes_either(technique: Any) -> bool:
    """Whether the technique takes a hierarchy as a file or in the text."""
    return technique is not None and {"file", "mapping"} <= {
        each.name for each in techniques.get(technique).parameters()
    }


def _mapping(name: str, rows: Rows) -> MutableMapping[str, Any]:
    """The rows as flow style writes them; quoted, for 011 is no number."""
    made = CommentedMap()
    made.fa.set_flow_style()
    for leaf, *ancestors in rows:
        line = CommentedSeq(DoubleQuotedScalarString(each) for each in ancestors)
        line.fa.set_flow_style()
        if made.setdefault(DoubleQuotedScalarString(leaf), line) != line:
            raise InvalidParameter(f"the hierarchy file {name!r} names a value twice, differently", parameter="file")
    return made
