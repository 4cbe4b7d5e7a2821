"""l-diversity: each class holds at least l well-represented values of a sensitive attribute.

Source: Machanavajjhala et al., 2007; listed in ISO/IEC 20889:2018. Null is a value of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import polars as pl

from masking.measures.classes import as_frame


def l_diversity(
    table: Any,
    quasi_identifiers: Sequence[str],
    sensitive: str,
    kind: Literal["distinct", "entropy"] = "distinct",
) -> float:
    """The least l over all classes: number of distinct values, or exp of the entropy; 0 for an empty table.

    >>> import pyarrow as pa
    >>> l_diversity(pa.table({"age": [1, 1, 2, 2], "ill": ["a", "b", "c", "c"]}), ["age"], "ill")
    1.0
    """
    frame = as_frame(table, list(dict.fromkeys([*quasi_identifiers, sensitive])), None)
    if not frame.height:
        return 0.0
    value = pl.col(sensitive)
    measure = value.n_unique().cast(pl.Float64) if kind == "distinct" else _entropy(value)
    # The sensitive attribute may be a quasi-identifier as well: then every class holds one value.
    grouped = frame.select(
        [pl.col(name).alias(f"\0{name}") for name in quasi_identifiers] + [value],
    )
    per_class = grouped.group_by([f"\0{name}" for name in quasi_identifiers]) if quasi_identifiers else None
    least = (per_class.agg(measure.alias("\0l")) if per_class is not None else grouped.select(measure.alias("\0l")))[
        "\0l"
    ].min()
    assert isinstance(least, float)
    return math.exp(least) if kind == "entropy" else least


def _entropy(value: pl.Expr) -> pl.Expr:
    counts = value.unique_counts()
    return counts.entropy(math.e, normalize=True)
