"""Joint classes: the persons whom several editions of one table together cannot tell apart.

A joint class holds the persons of one history (their classes in all earlier editions) who are in one class of the new
edition, or in none. Source: PRIVACY.md 4. Plain group-by, shares no code with any search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from masking.errors import LimitsNotMet
from masking.limits import Limits
from masking.measures.classes import as_frame
from masking.measures.proof import prove

Ints = npt.NDArray[np.int64]
_HISTORY = "\0h"
_PERSON = "\0p"
_CLASS = "\0c"


@dataclass(frozen=True, slots=True)
class JointClasses:
    """``classes`` joint classes of persons whom an edition shows; the ``smallest`` of them, in persons; how many
    ``persons`` there are, and how many of them are ``below`` k.
    """

    classes: int
    smallest: int
    persons: int
    below: int


def joint_classes(
    released: Any,
    quasi_identifiers: Sequence[str],
    history: Any,
    *,
    k: int,
    totals: Sequence[int] | Ints | None = None,
    never: int | None = 0,
    unit: Any = None,
) -> JointClasses:
    """The joint classes of a released table; ``history``: a number for each record, alike for one history.

    ``totals[history]``: persons of each history, in the table or not: those that the table lacks are a joint class too,
    but for the history ``never``: nothing was shown of them. A person of several records has the set of their classes.
    """
    quasi = list(dict.fromkeys(quasi_identifiers))
    frame = as_frame(released, quasi, unit)
    person = [name for name in frame.columns if name not in quasi]
    frame = frame.with_columns(pl.Series(_HISTORY, np.asarray(history, dtype=np.int64)))
    classes = frame.select(quasi).unique().with_row_index(_CLASS) if quasi else None
    numbered = (
        frame.with_columns(pl.lit(0, pl.UInt32).alias(_CLASS))
        if classes is None
        else frame.join(classes, on=quasi, how="left", nulls_equal=True)
    )
    if person:
        held = numbered.group_by(_HISTORY, *person).agg(pl.col(_CLASS).unique().sort().alias(_CLASS))
    else:
        held = numbered.select(_HISTORY, _CLASS)
    sizes = held.group_by(_HISTORY, _CLASS).agg(pl.len().cast(pl.Int64).alias("n")).select(_HISTORY, "n")
    if totals is not None:
        everyone = pl.DataFrame({_HISTORY: np.arange(len(totals)), "all": np.asarray(totals, dtype=np.int64)})
        seen = sizes.group_by(_HISTORY).agg(pl.col("n").sum().alias("seen"))
        hidden = everyone.join(seen, on=_HISTORY, how="left").select(
            _HISTORY, (pl.col("all") - pl.col("seen").fill_null(0)).alias("n")
        )
        nobody = -1 if never is None else never
        sizes = pl.concat([sizes, hidden.filter((pl.col("n") > 0) & (pl.col(_HISTORY) != nobody))])
    counts = sizes["n"].to_numpy()
    return JointClasses(
        classes=len(counts),
        smallest=int(counts.min(initial=np.iinfo(np.int64).max)) if len(counts) else 0,
        persons=int(counts.sum()),
        below=int(counts[counts < k].sum()),
    )


def prove_joint(
    released: Any,
    quasi_identifiers: Sequence[str],
    history: str,
    limits: Limits,
    *,
    totals: Sequence[int] | Ints,
    unit: str | None = None,
    sensitive: Sequence[str] = (),
    hierarchies: Any = None,
) -> JointClasses:
    """Check that joint classes meet their limits; ``history``: the column of a record's history.

    Limits on sensitive attributes hold for joint classes that the table shows, against its own distribution: where it
    shows nobody of a history it adds nothing to what was known.

    Raises:
        LimitsNotMet: persons stand out together with earlier editions; says how many.
    """
    column = np.asarray(pl.from_arrow(released.column(history)).to_numpy())
    found = joint_classes(released, quasi_identifiers, column, k=limits.least_class, totals=totals, unit=unit)
    if found.below:
        raise stands_out(found.below, limits.least_class, found.smallest)
    if limits.needs_sensitive:
        prove(
            released,
            [history, *quasi_identifiers],
            Limits(
                distinct_l_diversity=limits.distinct_l_diversity,
                entropy_l_diversity=limits.entropy_l_diversity,
                recursive_cl_diversity=limits.recursive_cl_diversity,
                t_closeness=limits.t_closeness,
                suppression=1.0,
            ),
            sensitive=sensitive,
            unit=unit,
            hierarchies=hierarchies,
        )
    return found


def stands_out(persons: int, k: int, smallest: int) -> LimitsNotMet:
    """The refusal: how many persons would be in joint classes of fewer than k."""
    return LimitsNotMet(
        f"together with the earlier editions {persons} persons would stand out in joint classes of fewer than {k} "
        f"(the smallest: {smallest})",
        limits={"k_anonymity": float(k)},
        measured={"persons": float(persons), "smallest": float(smallest)},
    )
