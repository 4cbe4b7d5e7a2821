"""Models between diversity and closeness: alpha, beta-likeness, delta-disclosure.

All bound how far the values of a sensitive attribute in a class may differ from those of the whole released table.
Null is a value of its own; several sensitive attributes are tested one by one with the others among the
quasi-identifiers; an empty table gives 0. Values agree with pycanon (``gen=False``), which reads the models as said
below where the papers leave a choice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from masking.errors import InvalidParameter
from masking.measures.diversity import check_sensitive
from masking.measures.histograms import histograms


def alpha(table: Any, quasi_identifiers: Sequence[str], sensitive: str | Sequence[str], unit: Any = None) -> float:
    """The greatest share of a class's persons who have one sensitive value, in [0, 1].

    A table is (alpha,k)-anonymous for this alpha and its k. Source: Wong et al., 2006.

    Raises:
        InvalidParameter: no sensitive attribute.
        UnknownAttribute: the table lacks a column.

    >>> import pyarrow as pa
    >>> alpha(pa.table({"age": [1, 1, 2, 2], "ill": ["a", "b", "c", "c"]}), ["age"], "ill")
    1.0
    """
    greatest = 0.0
    for _, histogram in histograms(table, quasi_identifiers, check_sensitive(sensitive), unit):
        shares = histogram.counts / histogram.persons[histogram.class_of]
        greatest = max(greatest, float(shares.max(initial=0.0)))
    return greatest


def beta_likeness(
    table: Any,
    quasi_identifiers: Sequence[str],
    sensitive: str | Sequence[str],
    kind: Literal["basic", "enhanced"] = "basic",
    unit: Any = None,
) -> float:
    """The greatest relative gain (q - p) / p of a value's share in a class over its share in the table, in [0, inf).

    ``enhanced``: that, but at most -ln of the rarest value's share. Source: Cao and Karras, 2012; the paper bounds each
    value by min(beta, -ln p) on its own.

    Raises:
        InvalidParameter: an unknown kind, or no sensitive attribute.
        UnknownAttribute: the table lacks a column.
    """
    if kind not in ("basic", "enhanced"):
        raise InvalidParameter("kind must be basic or enhanced", parameter="kind")
    greatest = 0.0
    for _, histogram in histograms(table, quasi_identifiers, check_sensitive(sensitive), unit):
        overall = histogram.overall_shares
        if not len(overall):
            return 0.0
        # A value that a class lacks gains nothing, so the populated cells tell.
        gain = float((histogram.shares / overall[histogram.value_of] - 1).max(initial=0.0))
        greatest = max(greatest, min(gain, -math.log(overall.min())) if kind == "enhanced" else gain)
    return greatest


def delta_disclosure(
    table: Any, quasi_identifiers: Sequence[str], sensitive: str | Sequence[str], unit: Any = None
) -> float:
    """The greatest |ln(q / p)| over the values that a class holds, in [0, inf).

    Source: Brickell and Shmatikov, 2008. Taken strictly, a class that lacks a value has an infinite delta; as pycanon
    does, only values that it holds count.

    Raises:
        InvalidParameter: no sensitive attribute.
        UnknownAttribute: the table lacks a column.
    """
    greatest = 0.0
    for _, histogram in histograms(table, quasi_identifiers, check_sensitive(sensitive), unit):
        ratios = np.log(histogram.shares / histogram.overall_shares[histogram.value_of])
        greatest = max(greatest, float(np.abs(ratios).max(initial=0.0)))
    return greatest
