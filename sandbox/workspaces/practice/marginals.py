"""What a practice table may follow: shares of published figures, never anything that is read from a raw table.

Source: PRIVACY.md 19, "approved Exposure aggregates". A marginal is one attribute's published labels with their shares,
summed over the cells of a table that anybody may download. Suppressed cells count nothing; totals are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from masking import techniques
from masking.errors import MaskingError
from masking.policy.model import KEEP, AttributeRule, MaskingPolicy

Marginals = Mapping[str, Mapping[str, float]]
"""For each attribute, its published label and that label's share."""


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
    return {
        name: {label: value / sum(of.values()) for label, value in sorted(of.items())}
        for name, of in sums.items()
        if of
    }


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
    rule: AttributeRule | None, marginal: Mapping[str, float], values: pa.Array, files: Path | None
) -> npt.NDArray[np.float64] | None:
    """How likely each of ``values`` must be drawn so that the masked column has the published shares.

    None if the technique cannot say what label a value gets without a key, or if none has a published one.
    """
    labels = _labels(rule, values, files)
    if labels is None:
        return None
    encoded = labels.dictionary_encode()
    sizes = np.bincount(encoded.indices.fill_null(0).to_numpy(), minlength=max(1, len(encoded.dictionary)))
    known = encoded.dictionary.to_pylist()
    share = [marginal.get(str(label), 0.0) / max(1, size) for label, size in zip(known, sizes, strict=False)]
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


def _number(value: Any) -> float:
    try:
        return max(0.0, float(value)) if value is not None else 0.0
    except (TypeError, ValueError):
        return 0.0
