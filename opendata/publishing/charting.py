"""Steps of the curve job: hierarchies for the quasi-identifiers, then plans of many class sizes, measured on the table.

Every step may run again: each writes what it found over what it had written. What is stored are figures of plans and
parameters of hierarchies, never a value.
"""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from masking.engines.local import compile as compile_plan
from masking.engines.local import fit
from masking.limits import Limits
from masking.policy import MaskingPolicy
from masking.recoding.curve import Point, risk_utility_curve
from masking.recoding.find import KINDS
from masking.recoding.items import Items
from masking.recoding.judge import Judge
from masking.recoding.search import Watch, Wishes
from opendata.jobs.context import JobContext
from opendata.publishing.building import ViewKeys
from opendata.publishing.curves import NO_RECORDS, NOTHING_REACHED, searched
from opendata.publishing.errors import PublicationRefused
from opendata.publishing.models import CurveState, Intake, RiskCurve
from opendata.publishing.policies import parse_policy
from opendata.publishing.searchable import propose, reads_data, replaced

LEAST_SIZES: Final = (2, 3, 5, 10, 20, 50)
"""Persons in a class; each is tried locally and globally: twelve points. 5 and 20 are the thresholds 0.2 and 0.05."""
READ: Final = 0.3
"""The share of the work that reading is shown as."""
DIGITS: Final = 6


def prepare(context: JobContext, curve_id: str) -> bool:
    """Propose the hierarchies that the draft lacks; False if the curve is not wanted any more."""
    found = _wanted(context, curve_id)
    if found is None:
        return False
    curve, intake = found
    policy = parse_policy(curve.policy_yaml)
    types = {finding["column"]: finding["type"] for finding in intake.findings}
    context.progress("prepare", 0.0)
    with context.vault.read_table(intake.id) as reader:
        parameters = propose(policy, _columns(reader, reads_data(policy)), types)
    was = replaced(policy)
    with context.database.begin() as session:
        kept = session.get(RiskCurve, curve_id)
        if kept is None:
            return False
        kept.attributes = [
            {"name": name, "replaced": was.get(name, ""), "parameters": dict(parameters.get(name, {}))}
            for name in policy.quasi_identifiers
        ]
    return True


def search(context: JobContext, curve_id: str) -> None:
    """Search for the plans and store their figures.

    Raises:
        PublicationRefused: no plan meets the limits, or the table is empty.
    """
    found = _wanted(context, curve_id)
    if found is None:
        return
    curve, intake = found
    policy = searched(curve)
    items, wishes = _items(context, policy, intake)
    measures = _measures(items)
    points = _points(context, policy, items, wishes)
    if not points:
        raise PublicationRefused(NOTHING_REACHED)
    with context.database.begin() as session:
        kept = session.get(RiskCurve, curve_id)
        if kept is not None:
            kept.points, kept.measures = points, measures


def finish(context: JobContext, curve_id: str) -> None:
    """The curve is ready."""
    with context.database.begin() as session:
        kept = session.get(RiskCurve, curve_id)
        if kept is not None and kept.points:
            kept.state, kept.error = CurveState.READY, ""


def fail(context: JobContext, curve_id: str, sentence: str) -> None:
    """Say why there is no curve."""
    with context.database.begin() as session:
        kept = session.get(RiskCurve, curve_id)
        if kept is not None and kept.state == CurveState.COMPUTING:
            kept.state, kept.error, kept.points = CurveState.FAILED, sentence, []


def _wanted(context: JobContext, curve_id: str) -> tuple[RiskCurve, Intake] | None:
    """None: the curve was replaced, or its intake erased."""
    with context.database.session() as session:
        curve = session.get(RiskCurve, curve_id)
        return None if curve is None else (curve, session.get_one(Intake, curve.intake_id))


def _columns(reader: pa.RecordBatchReader, names: tuple[str, ...]) -> dict[str, pa.ChunkedArray]:
    """The different values of these columns; nothing else is held."""
    seen: dict[str, pa.Array] = {name: pa.array([], reader.schema.field(name).type) for name in names}
    for batch in reader if names else ():
        for name in names:
            seen[name] = pc.unique(pa.concat_arrays([seen[name], pc.unique(batch.column(name))]))
    return {name: pa.chunked_array([values]) for name, values in seen.items()}


def _items(context: JobContext, policy: MaskingPolicy, intake: Intake) -> tuple[Items, Wishes]:
    """The different combinations of the table; pseudonyms under keys that are gone, draws as in the editions."""
    total = max(intake.rows or 0, 1)
    keys = ViewKeys(context.keys, intake.dataset_id)
    with ExitStack() as stack:
        reader = stack.enter_context(context.vault.read_table(intake.id))
        plan = compile_plan(policy, reader.schema, keys)
        if plan.unfitted:
            plan = fit(plan, reader)
            reader = stack.enter_context(context.vault.read_table(intake.id))
        joint = plan.joint
        assert joint is not None
        coder = joint.coder()
        rows = 0
        for batch in reader:
            plan.code(batch, coder)
            rows += batch.num_rows
            context.progress("search", READ * min(rows / total, 1.0))
    if not coder.records:
        raise PublicationRefused(NO_RECORDS)
    items = joint.items(coder)
    return items, joint.wishes(items)


def _points(context: JobContext, policy: MaskingPolicy, items: Items, wishes: Wishes) -> list[dict[str, Any]]:
    """The plans, numbered from 1; local and global ones are compared among themselves, for they read differently."""
    found: list[Point] = []
    for place, kind in enumerate(KINDS):

        def tell(_stage: str, share: float, place: int = place) -> None:
            context.progress("search", READ + (1 - READ) * (place + share) / len(KINDS))

        limits = replace(policy.limits, k_anonymity=None)
        found += risk_utility_curve(items, wishes, Watch(tell), ks=LEAST_SIZES, recoding=kind, limits=limits)
    return [_stored(number, point) for number, point in enumerate(found, 1)]


def _stored(number: int, point: Point) -> dict[str, Any]:
    return {
        "number": number,
        "recoding": point.recoding,
        "k": point.k,
        "suppression": point.limits.suppression,
        "levels": dict(point.levels or {}),
        "granularity": _rounded(point.granularity),
        "loss": _rounded(point.loss),
        "suppressed": _rounded(point.suppressed),
        "classes": point.classes,
        "max_risk": _rounded(point.max_risk),
        "average_risk": _rounded(point.average_risk),
    }


def _measures(items: Items) -> dict[str, Any]:
    """What an attacker who knows all quasi-identifiers meets in the raw table; persons are counted, not records."""
    ids, count = items.classes([0] * len(items.names))
    sizes = Judge(items, Limits()).persons(ids, count)
    persons, smallest = int(sizes.sum()), int(sizes.min())
    return {
        "persons": persons,
        "classes": len(sizes),
        "k": smallest,
        "unique": int((sizes == 1).sum()),
        "max_risk": _rounded(1 / smallest),
        "average_risk": _rounded(len(sizes) / persons),
    }


def _rounded(share: float) -> float:
    return round(share, DIGITS)
