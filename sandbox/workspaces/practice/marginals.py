"""What a practice table may follow: shares of published figures, never anything that is read from a raw table.

Source: PRIVACY.md 19, "approved Exposure aggregates". A marginal is one attribute's published labels with their shares,
summed over the cells of a table that anybody may download. Suppressed cells count nothing; totals are left out.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from masking import techniques
from masking.errors import MaskingError
from masking.policy.fixed_bins import bins
from masking.policy.fixed_tables import OTHER, FixedDimension, spelled
from masking.policy.model import KEEP, AttributeRule, MaskingPolicy


@dataclass(frozen=True, slots=True)
class Marginal:
    """One attribute's published labels with their shares.

    ``dimension``: the labels are the categories of that dimension of fixed tables; None: they are masked values.
    """

    shares: Mapping[str, float]
    dimension: FixedDimension | None = None


Marginals = Mapping[str, Marginal]
"""By raw attribute."""


def shares(
    cells: pa.Table, by: Sequence[str], count: str, *, skip: Mapping[str, frozenset[str]] | None = None
) -> Marginals:
    """Marginals of a published table of cells: ``by`` its label columns, ``count`` its column of frequencies.

    ``skip`` names labels of a column that are totals. Columns that are not there are passed over.
    """
    if count not in cells.column_names or not cells.num_rows:
        return {}
    found = [name for name in by if name in cells.column_names]
    labels = {name: [None if v is None else str(v) for v in cells[name].to_pylist()] for name in found}
    counts = [_number(value) for value in cells[count].to_pylist()]
    kept = [
        row
        for row in range(cells.num_rows)
        if counts[row] > 0
        and not any(labels[name][row] is None or labels[name][row] in (skip or {}).get(name, ()) for name in found)
    ]
    sums: dict[str, dict[str, float]] = {name: {} for name in found}
    for row in kept:
        for name in found:
            label = str(labels[name][row])
            sums[name][label] = sums[name].get(label, 0.0) + counts[row]
    return {name: Marginal(_shares(of)) for name, of in sums.items() if of}


def shares_of_cube(policy: MaskingPolicy, figures: Mapping[str, Mapping[str, float]]) -> Marginals:
    """Marginals of a published cube (固定口径统计): for each dimension, the published count of each category.

    A dimension of a part of an attribute's characters is passed over where another one tells the whole.
    """
    tables = policy.sandbox.tables
    found: dict[str, Marginal] = {}
    for dimension in sorted(tables.dimensions if tables else (), key=lambda each: each.characters is None):
        counts = {code: _number(count) for code, count in figures.get(dimension.name, {}).items()}
        if any(counts.values()):
            found[dimension.column] = Marginal(_shares(counts), dimension)
    return found


def shares_of_edition(policy: MaskingPolicy, table: pa.Table) -> Marginals:
    """Marginals of a published edition of the policy's fixed table."""
    aggregate = policy.aggregate
    if aggregate is None:
        return {}
    count = next((name for name, measure in aggregate.measures.items() if set(measure.values()) == {"*"}), "")
    skip: dict[str, frozenset[str]] = {}
    for name in aggregate.by:
        totals = {aggregate.protect.total} if aggregate.protect is not None else set()
        levels = (aggregate.dimensions.get(name) or {}).get("hierarchy")
        if isinstance(levels, Sequence) and not isinstance(levels, str):
            totals |= {str(label) for line in levels if isinstance(line, Sequence) for label in line[1:]}
        if isinstance(levels, Mapping):
            totals |= {str(up) for line in levels.values() for up in (line if isinstance(line, list) else [line])}
        skip[name] = frozenset(totals)
    return shares(table, aggregate.by, count, skip=skip)


def weights(
    rule: AttributeRule | None, marginal: Marginal, values: pa.Array, files: Path | None
) -> npt.NDArray[np.float64] | None:
    """How likely each of ``values`` must be drawn so that the masked column has the published shares.

    None if the technique cannot say what label a value gets without a key, or if none has a published one.
    """
    labels = (
        _labels(rule, values, files) if marginal.dimension is None else _binned(rule, marginal.dimension, values, files)
    )
    if labels is None:
        return None
    encoded = labels.dictionary_encode()
    sizes = np.bincount(encoded.indices.fill_null(0).to_numpy(), minlength=max(1, len(encoded.dictionary)))
    known = encoded.dictionary.to_pylist()
    share = [marginal.shares.get(str(label), 0.0) / max(1, size) for label, size in zip(known, sizes, strict=False)]
    if not any(share):
        return None
    found = np.asarray(share)[encoded.indices.fill_null(0).to_numpy()]
    found[~np.asarray(encoded.indices.is_valid().to_numpy(zero_copy_only=False))] = 0.0
    return found


def _labels(rule: AttributeRule | None, values: pa.Array, files: Path | None) -> pa.Array | None:
    """The masked values as text, by the policy's own technique."""
    if rule is None or rule.when is not None:
        return None
    if rule.technique == KEEP:
        return values.cast(pa.string())
    try:
        technique = techniques.get(rule.technique)
        if technique.needs_key:
            return None
        made = technique.check(rule.parameters, attribute=rule.name, files=files).apply(values)
        return pa.array(made.to_pylist()).cast(pa.string())
    except (MaskingError, pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError):
        return None


def _binned(
    rule: AttributeRule | None, dimension: FixedDimension, values: pa.Array, files: Path | None
) -> pa.Array | None:
    """The category of each value; what none takes is ``other``."""
    if rule is None:
        return None
    try:
        of = bins(dimension, rule, files)
        dated = any(isinstance(edge, str) for edge in dimension.edges)
        if dimension.edges and not dated:
            edges = _open(dimension.edges, -np.inf, np.inf)
            places = np.searchsorted(np.asarray(edges, float), values.cast(pa.float64()), side="right")
            return _between(of.codes, edges, places)
    except (MaskingError, pa.ArrowInvalid, pa.ArrowNotImplementedError, TypeError):
        return None
    texts = [spelled(value) for value in values.to_pylist()]
    if dimension.characters is not None:
        first, last = dimension.characters
        texts = [text[first - 1 : last] for text in texts]
    if dimension.edges:
        days = _open(dimension.edges, "", "9")
        return _between(of.codes, days, np.array([bisect_right(days, text) for text in texts], dtype=np.int64))
    known = set(of.codes)
    codes = [of.groups.get(text, text) for text in texts]
    return pa.array([code if code in known else OTHER for code in codes], pa.string())


def _open(edges: Sequence[Any], least: Any, most: Any) -> list[Any]:
    """Edges with a number or a text where the first or the last bin has no end."""
    return [edge if edge is not None else least if place == 0 else most for place, edge in enumerate(edges)]


def _between(codes: Sequence[str], edges: Sequence[Any], places: npt.NDArray[Any]) -> pa.Array:
    """Codes of bins by the number of edges below a value, whether or not there are bins beyond the outer edges."""
    outer = (len(edges) + 1 - len(codes)) // 2
    padded = [OTHER] * outer + list(codes) + [OTHER] * outer
    return pa.array(padded, pa.string()).take(pa.array(places.astype(np.int64)))


def _shares(counts: Mapping[str, float]) -> dict[str, float]:
    total = sum(counts.values())
    return {label: count / total for label, count in sorted(counts.items())}


def _number(value: Any) -> float:
    try:
        return max(0.0, float(value)) if value is not None else 0.0
    except (TypeError, ValueError):
        return 0.0
