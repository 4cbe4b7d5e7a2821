"""What earlier editions of a table showed of each person: the memory that a new edition has to compose with.

Everyone is assumed to hold all earlier editions still, withdrawn ones too. The history of a person is the tuple of the
classes that the person had in each of them; who was not in an edition, or left it because of its limits, is absent
there. Persons of one history cannot be told apart by the earlier editions together. Source: PRIVACY.md 4; Xiao and Tao
2007 (m-invariance).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from masking.errors import InvalidParameter, UnknownAttribute
from masking.hierarchies import Hierarchy
from masking.limits import Closeness, Limits

Ints = npt.NDArray[np.int64]
HISTORY: Final = "\x01history"
"""A column of history codes beside a table's own."""
NEVER: Final = 0
"""The history of persons whom no earlier edition showed."""
_PERSON: Final = "\x01person"
_CLASS: Final = "\x01class"
_HERE: Final = "\x01here"
_PRESENT: Final = "\x01present"
_AWAY: Final = "\x01away"
_OWN: Final = "\x01own"
_ORDER: Final = "\x01order"
_SEEDS: Final = (61, 62, 63, 64)


@dataclass(frozen=True, eq=False)
class Earlier:
    """An earlier edition: its released quasi-identifiers, and who was in it.

    ``frame``: the columns ``names`` and, where ``linked``, the persons in ``_PERSON``; else it is aligned with the
    records of the new table, and ``shown`` (None: all) says which of them were in the edition.
    ``limits``: those that it met.
    """

    frame: pl.DataFrame = field(repr=False)
    names: tuple[str, ...]
    limits: Limits
    linked: bool
    shown: npt.NDArray[np.bool_] | None = field(default=None, repr=False)

    @classmethod
    def of_persons(cls, frame: pl.DataFrame, names: Sequence[str], person: str, limits: Limits) -> Earlier:
        """From an edition's records with the column that tells persons apart.

        Raises:
            UnknownAttribute: a column is missing.
        """
        missing = {*names, person} - set(frame.columns)
        if missing:
            raise UnknownAttribute.from_missing(missing, frame.columns)
        columns = [*(pl.col(name) for name in names), pl.col(person).cast(pl.String).alias(_PERSON)]
        return cls(frame.select(columns), tuple(names), limits, linked=True)

    @classmethod
    def of_records(
        cls, frame: pl.DataFrame, names: Sequence[str], limits: Limits, shown: npt.NDArray[np.bool_] | None = None
    ) -> Earlier:
        """From an edition that is aligned with the new table's records; ``shown`` says who was in it.

        Raises:
            UnknownAttribute: a column is missing.
        """
        missing = set(names) - set(frame.columns)
        if missing:
            raise UnknownAttribute.from_missing(missing, frame.columns)
        return cls(frame.select(names), tuple(names), limits, linked=False, shown=shown)


@dataclass(frozen=True, eq=False)
class History:
    """The histories of a table's records.

    ``codes[record]``: its history, ``NEVER`` for a newcomer. ``present[history]``, ``away[history]``: persons that are,
    or are not, in the new table. ``limits``: what every joint class must meet. ``editions``: how many there were.
    """

    codes: Ints = field(repr=False)
    present: Ints = field(repr=False)
    away: Ints = field(repr=False)
    limits: Limits
    editions: int
    by_records: bool = False
    """True if records, not persons, were followed through editions of one table: a person may have several histories,
    and ``present`` and ``away`` count records."""

    @property
    def k(self) -> int:
        """Persons that every joint class must hold."""
        return self.limits.least_class


def history_of(
    persons: pl.Series | None,
    records: int,
    earlier: Sequence[Earlier],
    limits: Limits,
    *,
    company: bool = False,
) -> History:
    """The histories of ``records`` records of ``persons`` (None: each is one), and the limits of joint classes.

    A person of several records has the set of the classes of all of them. Independent of the order of records.

    ``company``: for a search. Where fewer than k persons of a history are no longer in the table, they would stand out
    as absent; if k and more can stay, as many as are missing to k get a history of their own together with them, so
    that they can leave instead of all. Who that is rests on a hash of the person.

    Raises:
        InvalidParameter: an edition is linked and the table has no persons, or is aligned and has other records.
    """
    here = (
        pl.DataFrame({_PERSON: pl.int_range(records, eager=True).cast(pl.String)})
        if persons is None
        else pl.DataFrame({_PERSON: persons.cast(pl.String)})
    )
    if not earlier:
        present = np.array([here[_PERSON].n_unique()], dtype=np.int64)
        return History(np.zeros(records, dtype=np.int64), present, np.zeros_like(present), joint_limits(limits, []), 0)
    columns = [f"e{number}" for number in range(len(earlier))]
    shown = [
        _by_person(each, here, number, column)
        for number, (each, column) in enumerate(zip(earlier, columns, strict=True))
    ]
    everyone = pl.concat([here, *(each.select(_PERSON) for each in shown)]).unique()
    for each in shown:
        everyone = everyone.join(each, on=_PERSON, how="left", nulls_equal=True)
    never = pl.DataFrame({column: pl.Series([None], dtype=pl.String) for column in columns})
    kinds = pl.concat([never, everyone.select(columns)]).unique().sort(columns, nulls_last=False)
    # Sorted with absence first, so that those whom no edition showed have the first number.
    kinds = kinds.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(HISTORY))
    everyone = everyone.join(kinds, on=columns, how="left", nulls_equal=True).select(_PERSON, HISTORY)
    asked = joint_limits(limits, [each.limits for each in earlier])
    everyone = everyone.join(
        here.unique().with_columns(pl.lit(1, pl.Int64).alias(_HERE)), on=_PERSON, how="left", nulls_equal=True
    ).with_columns(pl.col(_HERE).fill_null(0))
    if company and not asked.needs_sensitive:
        everyone = _with_company(everyone, asked.least_class, kinds.height)
    codes = here.join(everyone, on=_PERSON, how="left", nulls_equal=True, maintain_order="left")[HISTORY]
    numbers = everyone[HISTORY].to_numpy()
    total = np.bincount(numbers, minlength=kinds.height)
    present = np.bincount(numbers, weights=everyone[_HERE].to_numpy(), minlength=kinds.height)
    return History(
        codes=codes.to_numpy().astype(np.int64),
        present=present.astype(np.int64),
        away=(total - present).astype(np.int64),
        limits=asked,
        editions=len(earlier),
    )


def joint_limits(new: Limits, earlier: Sequence[Limits]) -> Limits:
    """What joint classes must meet: of each limit on classes the weakest, and none that an edition does not have.

    An edition without ``k_anonymity`` and ``max_risk`` asks for no size, and lowers none. Different distances cannot be
    compared: then that of the new edition holds.
    """
    every = [new, *earlier]
    sizes = [each.least_class for each in every if each.k is not None]
    close = [each.t_closeness for each in every]
    return Limits(
        k_anonymity=min(sizes) if sizes else None,
        distinct_l_diversity=_least([each.distinct_l_diversity for each in every]),
        entropy_l_diversity=_least([each.entropy_l_diversity for each in every]),
        recursive_cl_diversity=_recursive([each.recursive_cl_diversity for each in every]),
        t_closeness=_closeness(close),
    )


def check_lattice(earlier: Sequence[Earlier], hierarchies: Mapping[str, Hierarchy]) -> None:
    """One table has one lattice: what an earlier edition shows of an attribute is a node of its hierarchy.

    Raises:
        InvalidParameter: it shows values that are none; says how many, never which.
    """
    for number, each in enumerate(earlier, start=1):
        frame = each.frame if each.shown is None else each.frame.filter(pl.Series(each.shown))
        for name in each.names:
            if name not in hierarchies:
                continue
            nodes = {node for level in hierarchies[name].labels for node in level}
            known = pl.Series([node for node in nodes if node is not None], dtype=pl.String)
            values = frame[name].cast(pl.String).unique().drop_nulls()
            strange = int((~values.is_in(known.implode())).sum())
            if strange:
                raise InvalidParameter(
                    f"attribute {name!r}: earlier edition {number} shows {strange} values that are no node of its "
                    "hierarchy; one table has one hierarchy for each attribute",
                    parameter="earlier",
                )


def with_history(table: pa.Table, history: History) -> pa.Table:
    """The table with its history codes as the column ``HISTORY``."""
    return table.append_column(HISTORY, pa.array(history.codes))


def _by_person(each: Earlier, here: pl.DataFrame, number: int, column: str) -> pl.DataFrame:
    """One row for each person in an edition: the set of their classes, as text."""
    if each.linked:
        frame = each.frame
    else:
        if each.frame.height != here.height:
            raise InvalidParameter(
                f"earlier edition {number + 1} has {each.frame.height} records, the table {here.height}: name the "
                "person column (unit) in both, or align them record by record",
                parameter="earlier",
            )
        frame = each.frame.with_columns(here[_PERSON])
        if each.shown is not None:
            frame = frame.filter(pl.Series(each.shown))
    names = list(each.names)
    classes = frame.select(names).unique().sort(names).with_columns(pl.int_range(pl.len()).alias(_CLASS))
    joined = (
        frame.join(classes, on=names, how="left", nulls_equal=True)
        if names
        else frame.with_columns(pl.lit(0).alias(_CLASS))
    )
    held = joined.select(_PERSON, pl.col(_CLASS).cast(pl.String)).unique()
    if held[_PERSON].n_unique() == held.height:
        return held.rename({_CLASS: column})
    return held.group_by(_PERSON).agg(pl.col(_CLASS).sort().str.join(" ").alias(column))


def _with_company(everyone: pl.DataFrame, k: int, kinds: int) -> pl.DataFrame:
    """Persons who left with those who keep them company as a history of their own, numbered from ``kinds`` on."""
    counted = everyone.group_by(HISTORY).agg(
        pl.col(_HERE).sum().alias(_PRESENT), (1 - pl.col(_HERE)).sum().alias(_AWAY)
    )
    few = counted.filter(
        (pl.col(HISTORY) != NEVER)
        & (pl.col(_AWAY) > 0)
        & (pl.col(_AWAY) < k)
        & (pl.col(_PRESENT) + pl.col(_AWAY) >= 2 * k)
    ).sort(HISTORY)
    few = few.with_columns((kinds + pl.int_range(pl.len(), dtype=pl.Int64)).alias(_OWN))
    joined = everyone.join(few, on=HISTORY, how="left")
    order = joined.with_columns(pl.col(_PERSON).hash(*_SEEDS).alias(_ORDER)).sort(_HERE, _ORDER, _PERSON)
    # Those who are away come first, so the first k of a history are they and their company.
    first = pl.int_range(pl.len()).over(HISTORY) < k
    code = pl.when(pl.col(_OWN).is_not_null() & first).then(pl.col(_OWN)).otherwise(pl.col(HISTORY))
    return order.with_columns(code.alias(HISTORY)).select(_PERSON, HISTORY, _HERE)


def _least(values: Sequence[Any]) -> Any:
    return None if any(value is None for value in values) else min(values)


def _recursive(values: Sequence[tuple[float, int] | None]) -> tuple[float, int] | None:
    given = [value for value in values if value is not None]
    if len(given) < len(values):
        return None
    return max(c for c, _ in given), min(least for _, least in given)


def _closeness(values: Sequence[Closeness | None]) -> Closeness | None:
    given = [value for value in values if value is not None]
    if len(given) < len(values):
        return None
    new = given[0]
    like = [each.t for each in given if each.distance == new.distance]
    return Closeness(max(like), new.distance, new.hierarchies)
