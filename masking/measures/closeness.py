"""t-closeness: the values of a sensitive attribute in each class are distributed nearly as in the released table.

Source: Li, Li and Venkatasubramanian, 2007. The distribution of the whole table is the published one, suppressed
records included (PRIVACY 3): that is what everyone knows. Null is a value of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, InvalidValue
from masking.hierarchies import as_hierarchy
from masking.measures.distances import Floats, Whole, equal_distances, hierarchical_distances, ordered_distances
from masking.measures.diversity import check_sensitive
from masking.measures.histograms import Histogram, histograms

Distance = Literal["equal", "ordered", "hierarchical"]


def t_closeness(
    table: Any,
    quasi_identifiers: Sequence[str],
    sensitive: str | Sequence[str],
    distance: Distance = "equal",
    hierarchy: Any = None,
    *,
    order: Sequence[Any] | Mapping[str, Sequence[Any]] | None = None,
    unit: Any = None,
) -> float:
    """The greatest earth mover's distance of a class to the whole table, over all sensitive attributes; in [0, 1].

    ``equal``: all values are equally far apart. ``ordered``: numbers, dates, or text in ``order``, in the order of the
    leaves of ``hierarchy``, or that reads as numbers throughout; null comes last. ``hierarchical``: by the lowest
    common node in ``hierarchy`` (whatever ``as_hierarchy`` reads). With several sensitive attributes both are mappings
    by attribute, and each attribute is measured with the others among the quasi-identifiers. Empty table: 0.

    Raises:
        InvalidParameter: an unknown distance, no sensitive attribute, an order or hierarchy that is missing.
        InvalidValue: values that the order or the hierarchy does not hold.
        UnknownAttribute: the table lacks a column.

    >>> t_closeness(pa.table({"age": [1, 1, 2, 2], "ill": ["a", "b", "a", "a"]}), ["age"], "ill")
    0.25
    """
    if distance not in ("equal", "ordered", "hierarchical"):
        raise InvalidParameter("distance must be equal, ordered or hierarchical", parameter="distance")
    attributes = check_sensitive(sensitive)
    greatest = 0.0
    for name, histogram in histograms(table, quasi_identifiers, attributes, unit):
        own, own_order = _of(hierarchy, name, attributes), _of(order, name, attributes)
        found = class_distances(name, histogram, distance, own, own_order)
        greatest = max(greatest, float(found.max(initial=0.0)))
    return min(greatest, 1.0)


def class_distances(
    attribute: str, histogram: Histogram, distance: Distance, hierarchy: Any = None, order: Sequence[Any] | None = None
) -> Floats:
    """For each class its distance to the whole table. Raises as ``t_closeness``."""
    if distance == "equal":
        return equal_distances(histogram)
    if distance == "ordered":
        return ordered_distances(histogram, ranks(attribute, histogram.values, hierarchy, order))
    if hierarchy is None:
        raise InvalidParameter("hierarchical distance needs a hierarchy of the attribute").of(attribute)
    tree = as_hierarchy(hierarchy).with_null()
    leaves, unknown = tree.find(histogram.values)
    if unknown:
        raise InvalidValue("not in the hierarchy", count=unknown).of(attribute)
    return hierarchical_distances(histogram, [codes[leaves] for codes in tree.codes])


def ranks(attribute: str, values: pa.Array, hierarchy: Any = None, order: Sequence[Any] | None = None) -> Whole:
    """The place of each value in its order, from 0 without a gap; equal numbers share one, null comes last."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if order is None and hierarchy is not None:
        order = [leaf for leaf in as_hierarchy(hierarchy).leaves if leaf is not None]
    if order is not None:
        places = pc.index_in(values.cast(pa.string()), value_set=pa.array([str(each) for each in order], pa.string()))
        unknown = places.null_count - values.null_count
        if unknown:
            raise InvalidValue("not in the order", count=unknown).of(attribute)
    elif (
        pa.types.is_string(values.type) or pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type)
    ):
        try:
            places = values.cast(pa.string()).cast(pa.float64())
        except pa.ArrowInvalid:
            raise InvalidParameter("ordered distance needs numbers, dates or an order", parameter="order").of(
                attribute
            ) from None
    else:
        places = values
    # A rank says nothing of how far apart values are, so the order of the distinct ones is enough.
    distinct = pc.unique(places.drop_null())
    try:
        distinct = distinct.take(pc.sort_indices(distinct))
    except pa.ArrowNotImplementedError:
        raise InvalidParameter("ordered distance needs numbers, dates or an order", parameter="order").of(
            attribute
        ) from None
    found = pc.fill_null(pc.index_in(places, value_set=distinct), len(distinct))
    return np.asarray(found.to_numpy(zero_copy_only=False)).astype(np.int64)


def _of(given: Any, attribute: str, attributes: Sequence[str]) -> Any:
    """What is given for one attribute: by name where the keys are attributes, else the same for the only one."""
    if isinstance(given, Mapping) and set(given) <= set(attributes):
        return given.get(attribute)
    if given is not None and len(attributes) > 1:
        raise InvalidParameter("with several sensitive attributes, give orders and hierarchies by attribute")
    return given
