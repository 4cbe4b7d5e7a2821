"""Steps that make an edition: mask, scan, compose, decide. Used for reviewed editions and for recipients' own ones."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl
from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.engines.drilling import Held
from masking.engines.local import MaskedBatch, Plan, apply_stream
from masking.engines.measuring import Rows
from masking.errors import LimitsNotMet
from masking.hierarchies import Hierarchy, as_hierarchy
from masking.keys import Keys, ThrowawayKeys
from masking.policy import MaskingPolicy, check, digest
from masking.recoding.history import History
from masking.report import MaskingReport
from masking.taxonomy import DataLevel, LegalStatus, OpeningClass
from opendata.catalog import grades as catalog_grades
from opendata.catalog.models import Dataset, Edition, EditionKind, EditionState
from opendata.catalog.texts import text
from opendata.jobs.context import JobContext
from opendata.publishing import composition, files, legal, margins, rules, views
from opendata.publishing import scan as scanning
from opendata.publishing.errors import PublicationRefused
from opendata.publishing.models import Exposure, Intake, PolicyVersion
from opendata.publishing.policies import parse_policy
from opendata.publishing.profile import schema_of, stored_statistics
from opendata.publishing.states import Act, end_of
from opendata.storage.keys import KeyStore

EDITION_EXPOSURE: Final = "edition"
PENDING_OPINION: Final = "—"
"""Stands for the opinion that a reviewer will have to sign when it is asked whether review could succeed."""


@dataclass(frozen=True)
class Work:
    """What an edition is made from."""

    edition: Edition
    dataset: Dataset
    intake: Intake
    policy_version: PolicyVersion
    policy: MaskingPolicy

    @property
    def keyed_columns(self) -> tuple[str, ...]:
        """Columns of the edition that hold keyed pseudonyms."""
        policy = self.policy
        names = policy.aggregate.by if policy.aggregate is not None else policy.kept
        return tuple(name for name in names if policy.attributes[name].pseudonym)


class LineKeys:
    """The random key of one recipient line, under whatever names the policy uses: HKDF below it keeps them apart.

    What is drawn once for each record (noise, swaps, samples) rests on the dataset's own key instead, so that all
    editions hold the same draws and nobody averages them away (PRIVACY.md 13).
    """

    def __init__(self, keys: KeyStore, line_id: str, dataset_id: str) -> None:
        self._key = keys.line_key(line_id)
        self._records = keys.record_key(dataset_id)

    def get(self, name: str, /) -> bytes:
        """The line's key; the name goes into the derivation."""
        del name
        return self._key

    def for_records(self, name: str, /) -> bytes:
        """The dataset's key for draws; the name goes into the derivation."""
        del name
        return self._records

    def __repr__(self) -> str:
        """Never the key."""
        return "LineKeys(<hidden>)"


class ViewKeys(ThrowawayKeys):
    """For judging classes: pseudonyms under keys that are gone with the object, draws as in the editions."""

    def __init__(self, keys: KeyStore, dataset_id: str) -> None:
        super().__init__()
        self._records = keys.record_key(dataset_id)

    def for_records(self, name: str, /) -> bytes:
        """The dataset's key for draws."""
        del name
        return self._records


def work_of(session: Session, edition_id: str) -> Work:
    """Everything an edition is made from."""
    edition = session.get_one(Edition, edition_id)
    version = session.get_one(PolicyVersion, edition.policy_version_id)
    return Work(
        edition=edition,
        dataset=session.get_one(Dataset, edition.dataset_id),
        intake=session.get_one(Intake, edition.intake_id),
        policy_version=version,
        policy=parse_policy(version.yaml),
    )


def mask(context: JobContext, edition_id: str) -> None:
    """Mask the intake's table into a fresh staging folder, drill it, write every format, and note files and reports."""
    work = _read(context, edition_id)
    grades = catalog_grades.load(context.settings)
    rules.check_for_publication(work.policy)
    check(work.policy, schema_of(work.intake.schema), stored_statistics(work.intake.profile))
    folder = context.editions.stage(edition_id)
    total = max(work.intake.rows or 0, 1)

    def masking(stage: str, rows: int) -> None:
        share = min(rows / total, 1.0)
        context.progress("mask", 0.4 * share if stage == "measure" else 0.4 + 0.3 * share, stage)

    line = work.edition.line_id
    keys: Keys | None = LineKeys(context.keys, line, work.dataset.id) if line is not None else None
    history, composed_with = _history(context, work)
    recorder, held = views.Recorder(work.policy), Held(work.policy)

    def look(plan: Plan, done: MaskedBatch, rows: Rows | None) -> None:
        recorder.look(plan, done, rows)
        held.look(plan, done, rows)

    with ExitStack() as stack:
        try:
            report = apply_stream(
                work.policy,
                lambda: stack.enter_context(context.vault.read_table(work.intake.id)),
                keys,
                lambda reader: _spooled(reader, folder),
                progress=masking,
                history=history,
                look=look,
            )
        except LimitsNotMet as error:
            if history is None or "persons" not in error.measured:
                raise
            raise composition.stands_out(int(error.measured["persons"]), history.k) from None
    report = replace(report, drill=held.drill(thresholds={"full_public": grades.full_public}, progress=masking))
    seen = _view(context, work) if work.policy.is_aggregate else recorder.view(work.intake.id)
    context.vault.write_view(work.intake.id, edition_id, seen.to_table())
    written = files.write_all(
        folder,
        work.dataset.name,
        last=work.keyed_columns,
        progress=lambda rows: context.progress("mask", 0.7 + 0.3 * min(rows / total, 1.0), "write"),
    )
    with context.database.begin() as session:
        edition = session.get_one(Edition, edition_id)
        listed = [each.to_dict() for each in written.files]
        edition.files, edition.rows, edition.table_digest = listed, written.rows, written.table_digest
        edition.digest = files.edition_digest(edition_id, work.dataset.name, listed, written.table_digest)
        edition.effect = int(report.effect)
        kept = _without_raw_values(report).to_dict()
        edition.internal_report = {name: value for name, value in kept.items() if name != "released"}
        edition.internal_report["composed_with"] = composed_with
        edition.public_report = report.public().to_dict()


def scan(context: JobContext, edition_id: str) -> None:
    """Refuse records, and labels of cells, that still hold a valid direct identifier."""
    work = _read(context, edition_id)
    scanning.check_file(context.editions.staged(edition_id) / f"{work.dataset.name}.parquet", work.policy)


def compose(context: JobContext, edition_id: str) -> list[dict[str, Any]]:
    """Judge the edition together with everything of its population that was shown before."""
    work = _read(context, edition_id)
    with context.database.session() as session:
        earlier = _earlier(session, work)
    if not earlier:
        return []
    margins.check_alone(_shown(work), [_shown(each) for each in earlier])
    new = view_of(context, work)
    _check_erased(earlier, new)
    composition.check_same_hierarchies(work.policy, [each.policy for each in earlier])
    judged = [(each.edition.id, view_of(context, each)) for each in earlier if each.intake.state != "erased"]
    return list(composition.check(new, judged, hierarchies=_trees(work)))


def view_of(context: JobContext, work: Work) -> views.View:
    """What an edition shows, as it was noted when it was made.

    Of editions from before views were kept it is found by masking again, but for a search's, which may find another.
    """
    kept = context.vault.read_view(work.intake.id, work.edition.id)
    if kept is not None:
        return views.View.from_table(kept)
    if work.policy.recoded:
        raise PublicationRefused(
            text(
                f"版本 {work.edition.id[:8]} 经搜索泛化而未留存其分组，无法检验组合风险；尚未发布的版本请重新生成。",
                f"Edition {work.edition.id[:8]} was generalized by a search and its classes were not kept, so "
                "composition cannot be judged; an edition that did not come out yet can be built again.",
            )
        )
    return _view(context, work)


def finish(context: JobContext, edition_id: str, composed: list[dict[str, Any]]) -> None:
    """Decide what it may become and save the draft; raises PublicationRefused when review could not succeed."""
    with context.database.begin() as session:
        work = work_of(session, edition_id)
        edition = work.edition
        end = end_of(Act.BUILT, EditionState(edition.state))
        if end is None:
            return
        report = report_of(edition)
        grades = catalog_grades.load(context.settings)
        facts = facts_of(work, report, opinion=PENDING_OPINION, key_destroyed=will_destroy_key(edition))
        decision = decide(grades, work, facts)
        if not decision.allowed:
            raise PublicationRefused(decision.reason, clause=decision.clause)
        now_held = facts_of(work, report, opinion="", key_destroyed=False)
        status = legal.status(now_held, largest_risk=grades.full_public)
        edition.level, edition.legal_status = str(decision.level), str(status)
        edition.public_report = {**(edition.public_report or {}), "legal_status": str(status)}
        conditions = legal.conditions(now_held, largest_risk=grades.full_public)
        edition.internal_report = {
            **(edition.internal_report or {}),
            "legal": [each.to_dict() for each in conditions],
            "composition": composed,
            "raw_level": work.dataset.level,
            "proposed_level": work.intake.proposed_level,
            "level_reason": work.dataset.level_reason,
        }
        edition.state = end


def report_of(edition: Edition) -> MaskingReport:
    """The report of the run, from what the edition keeps of it."""
    return MaskingReport.from_dict({**(edition.internal_report or {}), "released": edition.public_report})


def fail(context: JobContext, edition_id: str, sentence: str) -> None:
    """Mark the edition as failed, unless it came out, and remove what was staged for it."""
    with context.database.begin() as session:
        edition = session.get_one(Edition, edition_id)
        end = end_of(Act.FAIL, EditionState(edition.state))
        if end is not None:
            edition.state, edition.error = end, sentence
        intake_id = edition.intake_id
    context.editions.discard(edition_id)
    if end is not None:
        context.vault.discard_view(intake_id, edition_id)


def facts_of(work: Work, report: MaskingReport, *, opinion: str, key_destroyed: bool) -> legal.Facts:
    """What the legal status of this edition rests on."""
    return legal.Facts(
        about_persons=work.policy.about_persons,
        status_of_run=report.legal_status,
        effect=report.effect,
        k=report.k_after,
        keyed=bool(work.keyed_columns),
        draws_kept=work.policy.draws,
        key_destroyed=key_destroyed,
        drill_passed=legal.drill_passed(report, about_persons=work.policy.about_persons),
        opinion=opinion,
    )


def decide(grades: catalog_grades.Grades, work: Work, facts: legal.Facts) -> catalog_grades.Decision:
    """Ask the matrix; conditional records about persons also keep to the controlled threshold."""
    edition, dataset = work.edition, work.dataset
    status: LegalStatus = legal.status(facts, largest_risk=grades.full_public)
    return grades.decide(
        raw_level=DataLevel(dataset.level) if dataset.level else None,
        kind=EditionKind(edition.kind),
        opening_class=OpeningClass(edition.opening_class),
        effect=facts.effect,
        legal_status=status,
        legal_basis=edition.legal_basis,
        negative_list=dataset.negative_list,
    )


def will_destroy_key(edition: Edition) -> bool:
    """An unconditional edition's key is destroyed before it is signed."""
    return edition.opening_class == OpeningClass.UNCONDITIONAL


def _without_raw_values(report: MaskingReport) -> MaskingReport:
    """Nothing but counts of the raw table is stored: its values stay with the vault, whoever may read the database."""
    return replace(report, attributes=tuple(replace(each, before=None) for each in report.attributes))


def _spooled(reader: Any, folder: Any) -> None:
    files.spool(reader, folder)


def _read(context: JobContext, edition_id: str) -> Work:
    with context.database.session() as session:
        return work_of(session, edition_id)


def _earlier(session: Session, work: Work) -> list[Work]:
    """One earlier edition for each intake and policy that was shown."""
    references = session.scalars(
        select(Exposure.reference)
        .where(
            Exposure.population == work.dataset.id,
            Exposure.kind == EDITION_EXPOSURE,
            Exposure.reference.not_in([work.edition.id, work.edition.parent_id or ""]),
        )
        .order_by(Exposure.at)
    )
    found: dict[tuple[str, str], Work] = {}
    for reference in references:
        each = work_of(session, reference)
        # Of one intake and policy all editions have the same classes, but those that a search found for each anew.
        made = (each.edition.parent_id or each.edition.id) if each.policy.recoded else digest(each.policy)
        found.setdefault((each.intake.id, made), each)
    return list(found.values())


def _history(context: JobContext, work: Work) -> tuple[History | None, list[str]]:
    """What earlier editions showed, for a policy that is recoded beside them, and which editions these were.

    A recipient's edition is made beside those that the reviewed one was made beside: it has the same classes.
    """
    if not work.policy.recoded or work.policy.recoding != "local":
        return None, []
    with context.database.session() as session:
        if work.edition.parent_id is None:
            earlier = _earlier(session, work)
        else:
            parent = session.get_one(Edition, work.edition.parent_id)
            earlier = [work_of(session, each) for each in (parent.internal_report or {}).get("composed_with", [])]
    earlier = [each for each in earlier if each.intake.state != "erased"]
    composition.check_same_hierarchies(work.policy, [each.policy for each in earlier])
    held = [view_of(context, each) for each in earlier]
    if not held:
        return None, []
    history = composition.histories(*_persons(context, work), work.policy, work.intake.id, held)
    return history, [each.edition.id for each in earlier]


def _persons(context: JobContext, work: Work) -> tuple[pl.Series | None, int]:
    """The person column of an intake, None without one, and how many records there are."""
    unit, rows = work.policy.unit, 0
    parts: list[pl.Series] = []
    with context.vault.read_table(work.intake.id) as reader:
        for batch in reader:
            rows += batch.num_rows
            if unit is not None:
                parts.append(views.text_of(batch, unit))
    return (pl.concat(parts) if parts else None), rows


def _trees(work: Work) -> dict[str, Hierarchy]:
    """Hierarchies of sensitive attributes, for the distance that needs them."""
    closeness = work.policy.limits.t_closeness
    given = {} if closeness is None else closeness.hierarchies
    return {name: as_hierarchy(each) for name, each in given.items()}


def _check_erased(earlier: list[Work], new: views.View) -> None:
    """An erased intake can no longer be joined: only the same generalization may follow it."""
    if not new.quasi_identifiers:
        return
    for each in earlier:
        same = digest(each.policy) == new.policy_digest and not new.recoded
        if each.intake.state == "erased" and not same and each.policy.quasi_identifiers:
            raise PublicationRefused(
                text(
                    "曾发布版本的原始批次已销毁，无法检验与新的泛化方式的组合风险；请沿用原策略（搜索泛化的策略不适用）。",
                    "The raw intake of an earlier edition was destroyed, so another generalization cannot be judged "
                    "together with it; keep the earlier policy (one that is searched generalizes anew each time).",
                )
            )


def _shown(work: Work) -> margins.Shown:
    return margins.Shown(work.edition.id, work.policy, work.edition.table_digest)


def _view(context: JobContext, work: Work) -> views.View:
    with ExitStack() as stack:
        return views.view(
            work.policy,
            lambda: stack.enter_context(context.vault.read_table(work.intake.id)),
            intake_id=work.intake.id,
            keys=ViewKeys(context.keys, work.dataset.id),
        )
