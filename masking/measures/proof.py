"""The check of a finished table: each limit again, by plain group-bys, before anything leaves.

Shares no code with the searches nor with the other measures of diversity and closeness: a mistake there is found here.
The suppressed records (``*`` in every quasi-identifier) are a class like any other (PRIVACY 3). Closeness is measured
against the whole released table. Each sensitive attribute is tested with the others among the quasi-identifiers
(PRIVACY 6). Shares and distances may exceed a limit by rounding, at most ``TOLERANCE``; counts may not. Null is a value
of its own. Sources: those of ``masking.limits``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from masking.errors import InvalidParameter, LimitsNotMet
from masking.hierarchies import TOP
from masking.limits import Limits
from masking.measures.proof_of_limits import (
    Broken,
    Counterexample,
    Given,
    class_sizes,
    findings,
    neutral_frame,
    persons_of,
)


@dataclass(frozen=True, slots=True)
class Proof:
    """What was asked of a table and what it has. ``measured`` holds, for each limit, the worst figure of a class."""

    records: int
    persons: int
    classes: int
    suppressed: int
    asked: Mapping[str, Any]
    measured: Mapping[str, float]
    broken: tuple[Broken, ...] = ()
    counterexamples: tuple[Counterexample, ...] = ()

    @property
    def holds(self) -> bool:
        """True if every limit is met."""
        return not self.broken

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; a figure that is infinite is None."""
        plain = {**asdict(self), "holds": self.holds}
        for each in (plain["measured"], *plain["counterexamples"]):
            each.update({name: None for name, value in each.items() if value == math.inf})
        return plain


def prove(table: Any, quasi_identifiers: Sequence[str], limits: Mapping[str, Any] | Limits, **given: Any) -> Proof:
    """Check a finished table and return the proof; what does not hold is an error. Arguments as ``examine``.

    Raises:
        LimitsNotMet: a limit is broken; says which, in how many classes, and how large the worst is.
        InvalidParameter, UnknownAttribute: as ``examine``.
    """
    proof = examine(table, quasi_identifiers, limits, **given)
    if proof.holds:
        return proof
    names = [f"{each.limit} ({each.attribute})" if each.attribute else each.limit for each in proof.broken]
    classes, smallest = sum(each.classes for each in proof.broken), min(each.smallest for each in proof.broken)
    raise LimitsNotMet(
        f"the finished table does not meet {names}: {classes} class(es) fail, the smallest has {smallest} person(s)",
        limits={each.limit: each.asked for each in proof.counterexamples},
        measured={each.limit: proof.measured[each.limit] for each in proof.broken},
    )


def examine(
    table: Any,
    quasi_identifiers: Sequence[str],
    limits: Mapping[str, Any] | Limits,
    *,
    sensitive: str | Sequence[str] = (),
    unit: Any = None,
    hierarchies: Mapping[str, Any] | None = None,
    orders: Mapping[str, Sequence[Any]] | None = None,
    population: Any = None,
    population_unit: Any = None,
    rows: int | None = None,
    suppressed: str = TOP,
) -> Proof:
    """Check a finished table against ``limits`` (a mapping as in policies, or ``Limits``); an empty table meets all.

    ``unit``: person column or array beside the records. ``hierarchies``, ``orders``: of sensitive attributes, for the
    distances that need them. ``population``: a table of everyone with the same quasi-identifiers, generalized alike,
    for ``k_map`` and ``delta_presence``. ``rows``: records that came in; if given, the share of those that are
    suppressed or left out is held to ``suppression``.

    Raises:
        InvalidParameter: an unknown limit, or one that lacks its sensitive attribute, population, order or hierarchy.
        UnknownAttribute: the table lacks a column.
    """
    wanted = Limits.of(limits)
    names = [sensitive] if isinstance(sensitive, str) else list(dict.fromkeys(sensitive))
    if wanted.needs_sensitive and not names:
        raise InvalidParameter(f"{wanted.needs_sensitive[0]} needs a sensitive attribute", parameter="sensitive")
    if wanted.needs_population and population is None:
        raise InvalidParameter(f"{wanted.needs_population[0]} needs the population", parameter="population")
    quasi = list(dict.fromkeys(quasi_identifiers))
    trees = {**(wanted.t_closeness.hierarchies if wanted.t_closeness else {}), **(hierarchies or {})}
    given = Given(names, unit, trees, orders or {}, population, population_unit, rows, suppressed)
    frame = neutral_frame(table, quasi, given)
    classes = class_sizes(frame, len(quasi))
    found = list(findings(table, frame, classes, quasi, wanted, given)) if frame.height else []
    measured: dict[str, float] = {}
    for each in found:
        worse = max if each.falls else min
        measured[each.limit] = worse(measured.get(each.limit, each.worst), each.worst)
    return Proof(
        records=frame.height,
        persons=int(frame.select(persons_of(frame)).item()),
        classes=classes.height,
        suppressed=int(frame["suppressed"].sum()),
        asked=_asked(wanted),
        measured=measured,
        broken=tuple(each.broken() for each in found if each.failing.height),
        counterexamples=tuple(shown for each in found for shown in each.counterexamples()),
    )


def _asked(limits: Limits) -> dict[str, Any]:
    """The limits as policies write them, without the hierarchies' values."""
    asked = limits.to_dict()
    if limits.t_closeness is not None:
        asked["t_closeness"] = {"t": limits.t_closeness.t, "distance": limits.t_closeness.distance}
    return asked
