"""Which classes of an edition a raw record may be in: each of its values lies below the edition's value.

Local recoding mixes levels inside a column, so values are compared by what they cover: an edition's text stands for the
leaves below every node of that name. Raw records that are equal count once (a combination), edition records too (a
class); a bit says whether the one fits the other. Combinations and classes are in the order of the hierarchies and of
the texts, so nothing depends on the order of records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, InvalidValue
from masking.hierarchies import Hierarchy, as_hierarchy, flat
from masking.measures.coding import columns_of

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.uint8]
MAX_PAIRS: Final = 8_000_000_000
"""Pairs of combination and class that are compared at most: a gigabyte of bits."""
COMBINATIONS: Final = 4096
CLASSES: Final = 4096
CELLS: Final = 4_000_000
"""How many of each, and how many pairs, are looked at together."""


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute: its hierarchy, the leaf of each raw record, and the text of each edition record as a number.

    ``nodes[level][node]`` is the number of the text that the node has in the edition, ``texts`` where it has none.
    """

    hierarchy: Hierarchy
    leaves: Integers
    cells: Integers
    texts: int
    nodes: tuple[Integers, ...]


@dataclass(frozen=True, slots=True)
class Compatibility:
    """``combination[record]`` and ``group[edition record]`` number what is equal; ``bits`` joins the two.

    ``counts`` are raw records of a combination, ``sizes`` edition records of a class.
    """

    combination: Integers
    counts: Integers
    group: Integers
    sizes: Integers
    bits: Bits

    def chunks(self, of: Integers) -> Iterator[tuple[Integers, npt.NDArray[np.bool_]]]:
        """Runs of the combinations ``of``, with a row each of ``fits[combination, class]``."""
        height = max(1, CELLS // max(len(self.sizes), 1))
        for start in range(0, len(of), height):
            run = of[start : start + height]
            yield run, np.unpackbits(self.bits[run], axis=1, count=len(self.sizes)).view(np.bool_)


def read_columns(
    raw: Any, edition: Any, quasi_identifiers: Sequence[str], hierarchies: Mapping[str, Any]
) -> dict[str, Column]:
    """The quasi-identifiers of both tables; one without a hierarchy is released as it is or as ``*``.

    Raises:
        UnknownAttribute: a table lacks a quasi-identifier.
        InvalidValue: a raw value is no leaf, or an edition's value no node of the hierarchy.
    """
    ours, _ = columns_of(raw, quasi_identifiers)
    theirs, _ = columns_of(edition, quasi_identifiers)
    return {name: _read(name, ours[name], theirs[name], hierarchies.get(name)) for name in quasi_identifiers}


def compatibility(
    columns: Mapping[str, Column], names: Sequence[str], records: int, released: int, *, compare: bool = True
) -> Compatibility:
    """Compare every combination of raw values with every class of the edition, on the named attributes.

    Without ``compare`` both are only numbered and counted, and nothing is said to fit.

    Raises:
        InvalidParameter: they are too many pairs; attack fewer records.
    """
    chosen = [columns[name] for name in names]
    combination, leaves, counts = _grouped([column.leaves for column in chosen], records)
    group, cells, sizes = _grouped([column.cells for column in chosen], released)
    if not compare:
        return Compatibility(combination, counts, group, sizes, np.zeros((len(counts), 0), dtype=np.uint8))
    if len(counts) * len(sizes) > MAX_PAIRS:
        raise InvalidParameter(
            f"{len(counts)} combinations and {len(sizes)} classes are too many pairs to compare; "
            "attack fewer records, by containment",
            parameter="targets",
        )
    bits = np.full((len(counts), (len(sizes) + 7) // 8), 255, dtype=np.uint8)
    for place, column in enumerate(chosen):
        for start in range(0, len(sizes), CLASSES):
            run = slice(start, min(start + CLASSES, len(sizes)))
            _narrow(bits[:, start // 8 : (run.stop + 7) // 8], column, leaves[place], cells[place][run])
    if len(sizes) % 8:  # the unused bits of the last byte fit nothing
        bits[:, -1] &= np.uint8(0xFF << (8 - len(sizes) % 8) & 0xFF)
    return Compatibility(combination, counts, group, sizes, bits)


def edition_classes(columns: Mapping[str, Column], names: Sequence[str], released: int) -> Integers:
    """The class of each edition record on the named attributes, numbered as ``compatibility`` does."""
    return _grouped([columns[name].cells for name in names], released)[0]


def _read(name: str, raw: Any, edition: Any, given: Any) -> Column:
    raw, edition = _text(raw), _text(edition)
    hierarchy = _released_as_it_is(raw) if given is None else as_hierarchy(given)
    if raw.null_count or edition.null_count:
        hierarchy = hierarchy.with_null()
    leaves, strange = hierarchy.find(raw)
    if strange:
        raise InvalidValue("the hierarchy does not name them", attribute=name, count=strange)
    texts, cells = _sorted_texts(edition)
    nodes = tuple(_places(pa.array(labels, pa.string()), texts) for labels in hierarchy.labels)
    known = np.zeros(len(texts) + 1, dtype=bool)
    for places in nodes:
        known[places] = True
    outside = int((~known[cells]).sum())
    if outside:
        raise InvalidValue("no level of the hierarchy has them", attribute=name, count=outside)
    return Column(hierarchy, leaves.astype(np.int64), cells, len(texts), nodes)


def _released_as_it_is(raw: pa.Array) -> Hierarchy:
    values = pc.unique(pc.drop_null(raw))
    return flat(values.take(pc.sort_indices(values)) if len(values) else pa.array([""]))


def _narrow(bits: Bits, column: Column, leaves: Integers, cells: Integers) -> None:
    """Clear the bits of classes whose text does not cover the leaf of a combination."""
    present, place = np.unique(cells, return_inverse=True)
    of_text = np.zeros((len(present) + 1, len(cells)), dtype=bool)
    of_text[place, np.arange(len(cells))] = True
    packed = np.packbits(of_text, axis=1)
    row = np.full(column.texts + 1, len(present), dtype=np.int64)  # a text that no class has: the row of zeros
    row[present] = np.arange(len(present))
    for start in range(0, len(leaves), COMBINATIONS):
        run = slice(start, start + COMBINATIONS)
        few, where = np.unique(leaves[run], return_inverse=True)
        covers = np.zeros((len(few), packed.shape[1]), dtype=np.uint8)
        for codes, nodes in zip(column.hierarchy.codes, column.nodes, strict=True):
            covers |= packed[row[nodes[codes[few]]]]
        bits[run] &= covers[where]


def _grouped(columns: Sequence[Integers], rows: int) -> tuple[Integers, list[Integers], Integers]:
    """The number of each record's group in the order of the columns, the columns' values by group, and the sizes."""
    if not columns:
        some = min(rows, 1)
        return np.zeros(rows, dtype=np.int64), [], np.full(some, rows, dtype=np.int64)
    order = np.lexsort(columns[::-1])
    changes = np.zeros(rows, dtype=bool)
    changes[:1] = True
    for column in columns:
        values = column[order]
        changes[1:] |= values[1:] != values[:-1]
    number = np.cumsum(changes) - 1
    numbers = np.empty(rows, dtype=np.int64)
    numbers[order] = number
    first = order[changes]
    return numbers, [column[first] for column in columns], np.bincount(number, minlength=len(first)).astype(np.int64)


def _sorted_texts(column: pa.Array) -> tuple[list[str | None], Integers]:
    """The distinct texts in their own order, null last, and the place of each cell's text among them."""
    encoded = column.dictionary_encode()
    values = encoded.dictionary
    order = pc.sort_indices(values).to_numpy(zero_copy_only=False)
    rank = np.empty(len(values) + 1, dtype=np.int64)
    rank[order] = np.arange(len(values))
    rank[-1] = len(values)
    indices = encoded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    texts: list[str | None] = values.take(pa.array(order)).to_pylist()
    return [*texts, None] if column.null_count else texts, rank[indices]


def _places(labels: pa.Array, texts: Sequence[str | None]) -> Integers:
    """For each node the place of its text, ``len(texts)`` where the edition has none such."""
    found = pc.index_in(labels, value_set=pa.array(texts, pa.string()))
    return np.asarray(found.fill_null(len(texts)).to_numpy(zero_copy_only=False), dtype=np.int64)


def _text(column: Any) -> pa.Array:
    """A column as one array of text; numbers read as they are written in a hierarchy."""
    made = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    if pa.types.is_dictionary(made.type):
        made = made.cast(made.type.value_type)
    cast = made.cast(pa.string())
    return cast.combine_chunks() if cast.num_chunks != 1 else cast.chunk(0)
