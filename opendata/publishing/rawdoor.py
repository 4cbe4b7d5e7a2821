"""The officer's preview: at most 20 rows of the own department's table, before and after, under a throwaway key.

Always the table's first rows, so that asking again shows nothing new. Direct identifiers are covered unless their
reveal is asked for by name, after masking too where the tried policy leaves them bare; every look names its purpose and
stands in the ledger before the answer leaves. Runs in the worker; the answer is sealed to a one-request key and never
stored. Source: PRIVACY.md 11, 23.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from masking.engines.local import apply_stream, ready
from masking.engines.local import compile as compile_plan
from masking.errors import LimitsNotMet
from masking.keys import ThrowawayKeys
from masking.policy import MaskingPolicy, load
from masking.report import MaskingReport
from masking.taxonomy import Role as AttributeRole
from opendata.catalog.texts import text
from opendata.db import utc_now
from opendata.identity import Actor
from opendata.ledger.events import AuditEvent, EventType
from opendata.publishing.canonical import text_of
from opendata.publishing.errors import InvalidSubmission, WrongState
from opendata.publishing.models import Intake, IntakeState
from opendata.publishing.permissions import check_is_officer
from opendata.publishing.policies import parse_policy
from opendata.storage.rawdoor import RawAnswer, RawDoorContext

ROWS: Final = 20
COVER: Final = "●●●●●●"
PURPOSE_LENGTH: Final = (4, 500)


@dataclass(frozen=True, slots=True)
class Question:
    """A checked request."""

    intake_id: str
    policy_yaml: str | None
    purpose: str
    rows: int
    reveal: tuple[str, ...]


def preview(door: RawDoorContext, actor: Actor, request: Mapping[str, Any]) -> RawAnswer:
    """Rows before and after, and how many persons stand alone before and after.

    ``request``: intake_id, purpose, policy_yaml (null: the proposed policy), rows (at most 20), reveal (column names).
    """
    question = _question(request)
    with door.database.session() as session:
        intake = session.get(Intake, question.intake_id)
        if intake is None:
            raise WrongState(text("没有这个接入批次。", "There is no such intake."))
        check_is_officer(actor, intake.organization_id)
    if intake.state != IntakeState.READY:
        raise WrongState(text("接入批次尚未就绪。", "The intake is not ready."))
    policy = parse_policy(question.policy_yaml) if question.policy_yaml is not None else load(intake.proposal_yaml)
    covered = _covered(intake, policy, question)
    with ExitStack() as stack:
        first = _first_rows(stack.enter_context(door.vault.read_table(intake.id)), question.rows)
    plan = compile_plan(policy, first.schema, ThrowawayKeys())
    if plan.unfitted or plan.searches:
        with ExitStack() as stack:
            plan = ready(plan, lambda: stack.enter_context(door.vault.read_table(intake.id)))
    done = plan.run(first)
    first, masked = done.kept, done.masked
    body: dict[str, Any] = {
        "columns": _columns(policy, masked.schema.names),
        "before": _rows(first, covered),
        "after": _rows(masked, _still_bare(policy, covered)),
        "after_columns": list(masked.schema.names),
        "covered": sorted(covered),
        "table": None,
        "risk": None,
        "limits": None,
    }
    _measure(door, intake, policy, body, covered)
    return RawAnswer(body=body, audit=_audit(actor, question, intake, first.num_rows))


def _question(request: Mapping[str, Any]) -> Question:
    purpose = str(request.get("purpose") or "").strip()
    least, most = PURPOSE_LENGTH
    if not least <= len(purpose) <= most:
        raise InvalidSubmission(
            text(f"请写明查看目的（{least} 至 {most} 字）。", f"Say what you look for ({least} to {most} characters).")
        )
    rows = request.get("rows") or ROWS
    reveal = request.get("reveal") or []
    policy = request.get("policy_yaml")
    if type(rows) is not int or rows < 1 or not isinstance(reveal, list) or not all(isinstance(r, str) for r in reveal):
        raise InvalidSubmission(text("请求格式有误。", "The request is malformed."))
    return Question(
        intake_id=str(request.get("intake_id") or ""),
        policy_yaml=str(policy) if policy is not None else None,
        purpose=purpose,
        rows=min(rows, ROWS),
        reveal=tuple(reveal),
    )


def _covered(intake: Intake, policy: MaskingPolicy, question: Question) -> frozenset[str]:
    """Direct identifiers by detection or by policy: a policy cannot uncover what detection found."""
    found = {each["column"] for each in intake.findings if each["role"] == AttributeRole.DIRECT_IDENTIFIER}
    return frozenset(found | set(policy.with_role(AttributeRole.DIRECT_IDENTIFIER))) - set(question.reveal)


def _still_bare(policy: MaskingPolicy, covered: frozenset[str]) -> frozenset[str]:
    """Covered columns that the tried policy does not replace whole: keeping one would uncover it unrecorded."""
    rules = {name: policy.attributes[name] for name in covered}
    return frozenset(name for name, rule in rules.items() if not rule.hides or rule.free_text)


def _first_rows(reader: pa.RecordBatchReader, rows: int) -> pa.RecordBatch:
    schema = reader.schema
    parts: list[pa.RecordBatch] = []
    for batch in reader:
        parts.append(batch.slice(0, rows - sum(part.num_rows for part in parts)))
        if sum(part.num_rows for part in parts) >= rows:
            break
    table = pa.Table.from_batches(parts, schema).combine_chunks()
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=schema)


def _columns(policy: MaskingPolicy, released: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "title": dict(rule.title),
            "role": str(rule.role),
            "technique": rule.technique,
            "released": name in released,
        }
        for name, rule in policy.attributes.items()
    ]


def _rows(batch: pa.RecordBatch, covered: frozenset[str] | tuple[str, ...]) -> list[list[str | None]]:
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        values = text_of(column).to_pylist()
        columns.append([COVER if value is not None else None for value in values] if name in covered else values)
    return [list(row) for row in zip(*columns, strict=True)]


def _measure(
    door: RawDoorContext, intake: Intake, policy: MaskingPolicy, body: dict[str, Any], covered: frozenset[str]
) -> None:
    """Persons who stand alone before and after, over the whole table; for an aggregate also its first cells."""
    if not policy.about_persons:
        return
    shown: list[pa.RecordBatch] = []

    def sink(reader: pa.RecordBatchReader) -> None:
        for batch in reader:
            if policy.is_aggregate and not shown:
                shown.append(batch.slice(0, ROWS))

    with ExitStack() as stack:
        try:
            report = apply_stream(
                policy,
                lambda: stack.enter_context(door.vault.read_table(intake.id)),
                ThrowawayKeys(),
                sink,
            )
        except LimitsNotMet as error:
            body["limits"] = {"limits": error.limits, "measured": error.measured, "sentence": str(error)}
            return
    body["risk"] = _risk(report)
    if shown:
        bare = _still_bare(policy, covered)
        body["table"] = {"columns": list(shown[0].schema.names), "rows": _rows(shown[0], bare)}


def _risk(report: MaskingReport) -> dict[str, Any]:
    before, after = report.before, report.after
    return {
        "persons": before.persons if before else None,
        "unique_before": before.unique_persons if before else None,
        "unique_after": after.unique_persons if after else None,
        "k_before": report.k_before,
        "k_after": report.k_after,
        "rows_in": report.rows_in,
        "suppressed": report.suppressed,
        "effect": int(report.effect),
    }


def _audit(actor: Actor, question: Question, intake: Intake, rows: int) -> AuditEvent:
    kind = EventType.RAW_REVEAL if question.reveal else EventType.RAW_VIEW
    payload = {
        "dataset": intake.dataset_id,
        "rows": rows,
        "reveal": list(question.reveal),
        "purpose": question.purpose,
    }
    return AuditEvent(kind, actor.id, f"intake:{intake.id}", utc_now(), payload)
