"""Earlier editions as ``masking.anonymize`` is given them, read into histories that a new edition composes with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from masking import Masked
from masking.errors import InvalidParameter
from masking.hierarchies import Hierarchy
from masking.limits import Limits
from masking.measures.classes import k_anonymity
from masking.measures.joint_classes import JointClasses, prove_joint
from masking.recoding.composition import compose, split_history
from masking.recoding.find import Kind, find
from masking.recoding.history import HISTORY, Earlier, History, check_lattice, history_of
from masking.recoding.items import Items
from masking.recoding.result import Recoding
from masking.recoding.search import Watch, Wishes
from masking.table import as_reader

_KNOWN = ("table", "limits", "quasi_identifiers", "shown")


def histories(
    table: pa.Table,
    earlier: Sequence[Any],
    hierarchies: Mapping[str, Hierarchy],
    limits: Limits,
    unit: str | None,
) -> History:
    """
    The histories of a table's records; ``earlier`` as in ``masking.anonymize``.

    Raises:
        InvalidParameter: an edition is given in another form, cannot be linked, or shows what no hierarchy holds.
        UnknownAttribute: an edition lacks a column.

    """
    editions = [_edition(given, number, list(hierarchies), limits, unit) for number, given in enumerate(earlier, 1)]
    check_lattice(editions, hierarchies)
    persons = None
    if unit is not None:
        column = pl.from_arrow(table.column(unit))
        assert isinstance(column, pl.Series)
        persons = column
    return history_of(persons, table.num_rows, editions, limits, company=True)


def find_composed(
    items: Items, history: History, limits: Limits, wishes: Wishes, watch: Watch, kind: Kind = "local"
) -> Recoding:
    """
    The recoding of items that were coded with ``HISTORY``, so that it composes.

    Raises:
        InvalidParameter: ``kind`` is not local.
        LimitsNotMet: too many records would have to leave so that nobody stands out.

    """
    if kind != "local":
        raise InvalidParameter(
            "beside earlier editions a table is recoded locally only (recoding: local)", parameter="recoding"
        )
    plain, atom = split_history(items)
    search: Callable[[Items, Limits, Wishes, Watch], Recoding] = partial(find, kind=kind)
    return replace(compose(_by_records(plain), atom, history, limits, wishes, watch, search), items=items)


def proved(
    released: pa.Table,
    names: Sequence[str],
    history: History,
    *,
    unit: str | None,
    sensitive: Sequence[str],
    hierarchies: Mapping[str, Hierarchy],
) -> JointClasses:
    """
    Check the joint classes of a released table that still has ``HISTORY``, by code that shares nothing with the search.

    Raises:
        LimitsNotMet: persons stand out; says how many.

    """
    return prove_joint(
        released,
        list(names),
        HISTORY,
        history.limits,
        totals=history.present + history.away,
        unit=unit,
        sensitive=sensitive,
        hierarchies=hierarchies,
    )


def _by_records(items: Items) -> Items:
    """Without persons where each has one record: then records are counted, which is faster."""
    if items.pairs is None:
        return items
    person = items.pairs[1]
    alone = len(person) == items.records and len(np.unique(person)) == len(person)
    return replace(items, pairs=None) if alone else items


def _edition(given: Any, number: int, quasi: Sequence[str], limits: Limits, unit: str | None) -> Earlier:
    options: Mapping[str, Any] = given if isinstance(given, Mapping) else {"table": given}
    if "table" not in options or set(options) - set(_KNOWN):
        raise InvalidParameter(f"an earlier edition is a table, or a mapping of {list(_KNOWN)}", parameter="earlier")
    held = options["table"]
    table = as_reader(held.table if isinstance(held, Masked) else held)[0].read_all()
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    names = list(options.get("quasi_identifiers") or [name for name in quasi if name in frame.columns])
    if not names:
        raise InvalidParameter(f"earlier edition {number} has no quasi-identifier of the table", parameter="earlier")
    if unit is not None and options.get("shown") is None:
        made = Earlier.of_persons(frame, names, unit, limits)
    else:
        made = Earlier.of_records(frame, names, limits, _shown(options.get("shown"), frame, names, number))
    asked = options.get("limits")
    return replace(made, limits=_met(made, limits) if asked is None else Limits.of(asked))


def _shown(given: Any, frame: pl.DataFrame, names: Sequence[str], number: int) -> "np.typing.NDArray[np.bool_]":
    """Who was in an aligned edition: as ``shown`` says, else who has a value in a quasi-identifier."""
    if given is None:
        return frame.select(~pl.all_horizontal(pl.col(name).is_null() for name in names)).to_series().to_numpy()
    shown = np.asarray(given)
    if shown.dtype != np.bool_ or shown.shape != (frame.height,):
        raise InvalidParameter(
            f"earlier edition {number}: `shown` holds true or false for each of its {frame.height} records",
            parameter="earlier",
        )
    return shown


def _met(edition: Earlier, limits: Limits) -> Limits:
    """The limits of an edition that does not say them: the k that it is measured to have, and no weaker others."""
    frame = edition.frame if edition.shown is None else edition.frame.filter(pl.Series(edition.shown))
    person = [name for name in frame.columns if name not in edition.names]
    if not frame.height:
        return limits
    measured = k_anonymity(frame, list(edition.names), person[0] if person else None)
    return replace(limits, k_anonymity=measured, max_risk=None)
