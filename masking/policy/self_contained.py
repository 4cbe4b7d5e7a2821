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
        InvalidParameter: a file names a value twice, with other ancestors; or what ``read`` raises, at its attribute.
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
    for place, word, into, attribute in named:
        at = list(place).index(word)
        name = str(place.pop(word))
        try:
            place.insert(at, into, _mapping(name, read(name)))
        except InvalidParameter as error:
            raise error.of(attribute) from None
    written = io.StringIO()
    yaml.dump(document, written)
    load(written.getvalue())
    return written.getvalue()


def _named(document: Mapping[str, Any]) -> Iterator[tuple[CommentedMap, str, str, str]]:
    """Where a file is named: the mapping, the word there, the word that its content stands under, and the attribute."""
    for attribute, rule in document.get("attributes", {}).items():
        for words in (rule, rule.get("otherwise")):
            if words and words.get("file") is not None and _takes_either(words.get("technique")):
                yield words, "file", "mapping", str(attribute)
    closeness = document.get("limits", {}).get("t_closeness")
    trees: Any = closeness.get("hierarchies", {}) if isinstance(closeness, Mapping) else {}
    dimensions = document.get("aggregate", {}).get("dimensions", {})
    for word, given in trees.items():
        if isinstance(given, str):
            yield trees, word, word, str(word)
    for attribute, dimension in dimensions.items():
        if isinstance(dimension.get("hierarchy"), str):
            yield dimension, "hierarchy", "hierarchy", str(attribute)


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
