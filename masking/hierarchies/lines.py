"""Is this file a hierarchy? Every fault is told by its line, never by what stands there.

A line is a value, then what it becomes at each level, coarsest last. All lines are equally long and have no hole; a
value has one line, a node one node above it; nothing stands above ``*``, and no name is above itself, also not by way
of others. Source: ARX's hierarchy files; ISO/IEC 20889:2018, generalization.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from masking.errors import InvalidParameter
from masking.hierarchies.hierarchy import TOP

MOST_LEVELS: Final = 100
_Line = tuple[int, list[str]]


def checked_rows(raw: bytes, name: str) -> list[list[str]]:
    """The rows of the hierarchy file called ``name``, empty lines and repeated ones left out.

    Raises:
        InvalidParameter: it is no hierarchy; the message names file and line.
    """
    lines = list(_lines(raw, name))
    if not lines:
        raise InvalidParameter(f"the hierarchy file {name!r} is empty", parameter="file")
    _check_shape(lines, name)
    once = _check_values(lines, name)
    _check_nodes(once, name)
    _check_circles(once, name)
    return [row for _, row in once]


def _lines(raw: bytes, name: str) -> Iterator[_Line]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidParameter(
            f"the hierarchy file {name!r}, line {line}: not UTF-8; save it as CSV in UTF-8", parameter="file"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InvalidParameter(f"the hierarchy file {name!r}, line {line}: not text", parameter="file")
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    began = 1
    try:
        for row in reader:
            if row:
                yield began, row
            began = reader.line_num + 1
    except csv.Error:
        raise InvalidParameter(
            f"the hierarchy file {name!r}, line {began}: no CSV; a quotation mark is not closed or a field too long",
            parameter="file",
        ) from None


def _check_shape(lines: Sequence[_Line], name: str) -> None:
    first = len(lines[0][1])
    for line, row in lines:
        if len(row) != first:
            raise InvalidParameter(
                f"the hierarchy file {name!r}, line {line}: {len(row)} levels, the first line has {first}",
                parameter="file",
            )
        if not 1 < len(row) <= MOST_LEVELS:
            raise InvalidParameter(
                f"the hierarchy file {name!r}, line {line}: a value needs from 1 to {MOST_LEVELS - 1} levels above it",
                parameter="file",
            )
        hole = next((level for level, node in enumerate(row) if level and not node.strip()), 0)
        if hole:
            raise InvalidParameter(
                f"the hierarchy file {name!r}, line {line}: a hole at level {hole}", parameter="file"
            )
        if TOP in row and set(row[row.index(TOP) :]) != {TOP}:
            raise InvalidParameter(f"the hierarchy file {name!r}, line {line}: something above *", parameter="file")


def _check_values(lines: Iterable[_Line], name: str) -> list[_Line]:
    """Each line once."""
    known: dict[str, _Line] = {}
    for line, row in lines:
        before, same = known.setdefault(row[0], (line, row))
        if same != row:
            raise InvalidParameter(
                f"the hierarchy file {name!r}, line {line}: its value stands in line {before} already, differently",
                parameter="file",
            )
    return list(known.values())


def _check_nodes(lines: Sequence[_Line], name: str) -> None:
    for level in range(1, len(lines[0][1]) - 1):
        above: dict[str, _Line] = {}
        for line, row in lines:
            before, other = above.setdefault(row[level], (line, row))
            if other[level + 1] != row[level + 1]:
                raise InvalidParameter(
                    f"the hierarchy file {name!r}, line {line}: level {level} is what it is in line {before}, "
                    f"but level {level + 1} is not",
                    parameter="file",
                )


def _check_circles(lines: Sequence[_Line], name: str) -> None:
    """The same name at levels that follow one another is one node that nothing merges; any other return is a circle."""
    above: dict[str, dict[str, int]] = {}
    for line, row in lines:
        for lower, upper in itertools.pairwise(row):
            if lower != upper:
                above.setdefault(lower, {}).setdefault(upper, line)
    done: set[str] = set()
    for start in above:
        path: dict[str, None] = {}
        waiting: list[tuple[str, bool]] = [(start, False)]
        while waiting:
            node, left = waiting.pop()
            if left:
                path.pop(node)
                done.add(node)
                continue
            if node in done:
                continue
            path[node] = None
            waiting.append((node, True))
            for upper, line in above.get(node, {}).items():
                if upper in path:
                    raise InvalidParameter(
                        f"the hierarchy file {name!r}, line {line}: a circle, a name stands above itself",
                        parameter="file",
                    )
                waiting.append((upper, False))
