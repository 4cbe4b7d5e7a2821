"""
A table generalized as little as its limits allow, and proved to meet them before it is returned.

The table is coded (``masking.recoding.items``), searched (``masking.recoding.find``), written, and then checked by code
that shares nothing with the search (``masking.measures.proof``). What fails the check is not returned.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from masking import Masked
from masking.engines.composing import find_composed, histories, proved
from masking.engines.recoded import reported
from masking.errors import InvalidParameter, UnknownAttribute
from masking.hierarchies import Hierarchy, as_hierarchy, propose
from masking.limits import Limits
from masking.measures.classes import uniqueness_all_columns
from masking.measures.proof import Proof, prove
from masking.measures.risk import risk_figures
from masking.policy.model import KEEP, RECODING, AttributeRule, MaskingPolicy
from masking.policy.reporting import build_report
from masking.recoding.find import Kind, find
from masking.recoding.history import HISTORY, with_history
from masking.recoding.items import Ints, Items
from masking.recoding.result import Recoding, decoded
from masking.recoding.search import Watch, Wishes
from masking.report import MaskingReport, RiskFigures
from masking.table import as_reader
from masking.taxonomy import Role


def anonymize(
    table: Any,
    hierarchies: Mapping[str, Any],
    limits: Mapping[str, Any] | Limits,
    sensitive: str | Sequence[str] | Mapping[str, Any] = (),
    recoding: Kind = "local",
    suppression: float | None = None,
    *,
    unit: str | None = None,
    population: Any = None,
    weights: Mapping[str, float] | None = None,
    levels: Mapping[str, int | tuple[int, int]] | None = None,
    keep: Sequence[str] = (),
    earlier: Sequence[Any] = (),
    progress: Callable[[str, float], None] | None = None,
    stop: Callable[[], bool] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Masked:
    """See ``masking.anonymize``."""
    reader, restore = as_reader(table)
    whole = reader.read_all()
    asked = _limits(limits, suppression)
    names, trees = _sensitive(sensitive, hierarchies, asked)
    quasi = {name: given for name, given in hierarchies.items() if name not in names}
    _check_names(whole, quasi, names, unit)
    made = {name: _hierarchy(name, given, whole) for name, given in quasi.items()}
    history = histories(whole, earlier, made, asked, unit) if earlier else None
    coded = whole if history is None else with_history(whole, history)
    judged = [*(names if asked.needs_sensitive else ()), *([HISTORY] if history is not None else [])]
    items, of_record = Items.of(coded, made, judged, unit=unit, trees=trees)
    everyone = None
    if asked.needs_population:
        everyone = _table(population)
        items, places = items.with_population(everyone)
        of_record = places[of_record]
    wishes = Wishes(asked.suppression, weights or {}, _levels(levels or {}, keep))
    watch = Watch(progress, stop, cancelled)
    if history is None:
        found = find(items, asked, wishes, watch, kind=recoding)
    else:
        found = find_composed(items, history, asked, wishes, watch, recoding)
    released = found.table(coded, of_record, encoded=True)
    if history is not None:
        proved(released, list(made), history, unit=unit, sensitive=names, hierarchies=trees)
        released = released.drop_columns([HISTORY])
    proof = prove(
        released,
        list(made),
        asked,
        sensitive=names if asked.needs_sensitive else (),
        unit=unit,
        hierarchies=trees,
        population=None if everyone is None else _as_released(found, everyone),
        rows=whole.num_rows,
    )
    report = _report(whole, released, items, found, proof, asked, recoding, names, unit)
    del whole, coded, of_record
    return Masked(restore(decoded(released, list(made)).to_reader()), report)


def _limits(limits: Mapping[str, Any] | Limits, suppression: float | None) -> Limits:
    asked = Limits.of(limits)
    if suppression is None:
        given = isinstance(limits, Limits) or "suppression" in limits
        return asked if given else replace(asked, suppression=1.0)
    return replace(asked, suppression=Limits.of({"suppression": suppression}).suppression)


def _sensitive(
    sensitive: str | Sequence[str] | Mapping[str, Any], hierarchies: Mapping[str, Any], limits: Limits
) -> tuple[list[str], dict[str, Hierarchy]]:
    """The sensitive attributes, and hierarchies of those that the hierarchical distance needs."""
    names = [sensitive] if isinstance(sensitive, str) else list(sensitive)
    trees = dict(limits.t_closeness.hierarchies) if limits.t_closeness is not None else {}
    if isinstance(sensitive, Mapping):
        trees |= {name: given for name, given in sensitive.items() if given is not None}
    trees |= {name: hierarchies[name] for name in names if name in hierarchies and name not in trees}
    return names, {name: as_hierarchy(given) for name, given in trees.items()}


def _check_names(table: pa.Table, quasi: Mapping[str, Any], sensitive: Sequence[str], unit: str | None) -> None:
    if not quasi:
        raise InvalidParameter("hierarchies must name at least one quasi-identifier", parameter="hierarchies")
    missing = {*quasi, *sensitive, *([unit] if unit else [])} - set(table.column_names)
    if missing:
        raise UnknownAttribute.from_missing(missing, table.column_names)
    doubled = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if doubled:
        raise UnknownAttribute(f"the table has {doubled} more than once")
    if unit in quasi:
        raise InvalidParameter("the person column cannot be a quasi-identifier", parameter="unit")


def _hierarchy(name: str, given: Any, table: pa.Table) -> Hierarchy:
    try:
        if given is not None:
            return as_hierarchy(given)
        column = table.column(name)
        return propose(column) if column.null_count < len(column) else Hierarchy.of([["*"]])
    except InvalidParameter as error:
        raise error.of(name) from None


def _levels(levels: Mapping[str, int | tuple[int, int]], keep: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Levels that attributes may take: one number forbids those above it, ``keep`` all above the value itself."""
    found: dict[str, tuple[int, int]] = {}
    for name, given in levels.items():
        found[name] = (0, given) if isinstance(given, int) else (int(given[0]), int(given[1]))
    return found | dict.fromkeys(keep, (0, 0))


def _table(population: Any) -> pa.Table:
    if population is None:
        raise InvalidParameter("k_map and delta_presence need the population", parameter="population")
    return as_reader(population)[0].read_all()


def _as_released(found: Recoding, population: pa.Table) -> pa.Table:
    """The population, generalized like the released table; only global recoding has one level for all."""
    levels = [int(level) for level in found.levels[~found.suppressed].max(axis=0, initial=0)]
    columns = {}
    for place, name in enumerate(found.items.names):
        hierarchy = found.items.hierarchies[place]
        columns[name] = hierarchy.written(hierarchy.find(population.column(name))[0], levels[place])
    return pa.table(columns)


def _report(
    whole: pa.Table,
    released: pa.Table,
    items: Items,
    found: Recoding,
    proof: Proof,
    asked: Limits,
    kind: Kind,
    sensitive: Sequence[str],
    unit: str | None,
) -> MaskingReport:
    roles = {**dict.fromkeys(items.names, Role.QUASI_IDENTIFIER), **dict.fromkeys(sensitive, Role.SENSITIVE)}
    rules = {
        name: AttributeRule(
            name,
            roles.get(name, Role.DIRECT_IDENTIFIER if name == unit else Role.INSENSITIVE),
            RECODING if name in items.names else KEEP,
        )
        for name in whole.column_names
    }
    shown = asked
    if asked.t_closeness is not None:  # a hierarchy may be a frame or a path of this machine
        shown = replace(asked, t_closeness=replace(asked.t_closeness, hierarchies={}))
    policy = MaskingPolicy("table", rules, unit=unit, limits=shown, recoding=kind)
    ids, count = found.classes()
    if unit is None:
        before = _figures(np.bincount(_combinations(items), weights=items.weights).astype(np.int64), {})
        after = _figures(np.bincount(ids, weights=found.count, minlength=count).astype(np.int64), {})
    else:
        before = risk_figures(whole, list(items.names), (), unit)
        after = risk_figures(released, list(items.names), (), unit)
    return build_report(
        policy,
        rows_in=whole.num_rows,
        rows_out=released.num_rows,
        suppressed=whole.num_rows - released.num_rows,
        before=before,
        after=after,
        uniqueness_all_columns=uniqueness_all_columns(released),
        found=proof.measured,
        recoding=reported(found, kind),
    )


def _combinations(items: Items) -> Ints:
    """Items that differ in sensitive values only are one class."""
    return items.classes([0] * len(items.names))[0]


def _figures(sizes: Ints, distinct: Mapping[str, int]) -> RiskFigures:
    """Figures of classes where every record is a person."""
    sizes = sizes[sizes > 0]
    if not len(sizes):
        return RiskFigures(0, 0, 0, 0, 0.0, 0.0, distinct)
    persons, k = int(sizes.sum()), int(sizes.min())
    return RiskFigures(persons, len(sizes), k, int((sizes == 1).sum()), 1 / k, len(sizes) / persons, distinct)
