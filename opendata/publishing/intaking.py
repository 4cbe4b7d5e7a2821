"""Steps of the intake job: from a sealed upload to a typed table in the vault, described in numbers."""

from sqlalchemy import select

from masking.policy import load
from opendata.catalog.models import Dataset, DatasetState, InformationItem
from opendata.catalog.service import replace_items
from opendata.db import utc_now
from opendata.jobs.context import JobContext
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from opendata.publishing import profile as profiling
from opendata.publishing.models import Intake, IntakeState
from opendata.publishing.reading import open_upload


def read(context: JobContext, intake_id: str) -> int:
    """Type the upload and write it to the vault under the intake's own key; a rerun writes it again."""
    with context.database.begin() as session:
        intake = session.get_one(Intake, intake_id)
        filename = intake.filename
        intake.state = IntakeState.PROFILING
    context.progress("read", 0.0)
    with open_upload(filename, lambda: context.vault.open(intake_id)) as upload:
        rows = context.vault.write_table(intake_id, upload.reader)
        schema = profiling.stored_schema(upload.reader.schema)
    with context.database.begin() as session:
        intake = session.get_one(Intake, intake_id)
        intake.rows, intake.format, intake.schema = rows, upload.format, schema
        intake.encoding, intake.delimiter = upload.encoding, upload.delimiter
        intake.bad_row_count, intake.bad_rows = upload.bad_rows.count, upload.bad_rows.listed
    context.progress("read", 1.0)
    return rows


def profile(context: JobContext, intake_id: str, rows: int) -> None:
    """Counts about columns, findings, proposed level and policy."""
    with context.database.session() as session:
        intake = session.get_one(Intake, intake_id)
        dataset = session.get_one(Dataset, intake.dataset_id)
    context.progress("profile", 0.0)
    with context.vault.read_table(intake_id) as reader:
        described = profiling.describe(reader, rows=rows, dataset=dataset)
    with context.database.begin() as session:
        intake = session.get_one(Intake, intake_id)
        intake.profile, intake.findings = described["profile"], described["findings"]
        intake.proposed_level, intake.proposal_yaml = described["level"], described["proposal"]
    context.progress("profile", 1.0)


def save(context: JobContext, intake_id: str) -> None:
    """The intake is ready; a draft dataset without information items gets those that were found."""
    now = utc_now()
    with context.database.begin() as session:
        intake = session.get_one(Intake, intake_id)
        if intake.state != IntakeState.PROFILING:
            return
        dataset = session.get_one(Dataset, intake.dataset_id)
        intake.state, intake.error = IntakeState.READY, ""
        event = AuditEvent(
            "publishing:intake:profile",
            context.actor_id,
            f"intake:{intake_id}",
            now,
            {
                "rows": intake.rows,
                "bad_rows": intake.bad_row_count,
                "columns": len(intake.schema),
                "level": intake.proposed_level,
            },
        )
        known = session.scalar(select(InformationItem.id).where(InformationItem.dataset_id == dataset.id).limit(1))
        if known is None and dataset.state == DatasetState.DRAFT:
            types = {each["name"]: each["type"] for each in intake.schema}
            items = profiling.items_from_findings(dataset, intake.findings, load(intake.proposal_yaml), types)
            replace_items(session, dataset, items, audit=event)
        else:
            append(session, event)


def discard_upload(context: JobContext, intake_id: str) -> None:
    """The table is in the vault: the upload it came from is no longer needed."""
    context.vault.discard_upload(intake_id)


def destroy(context: JobContext, intake_id: str) -> None:
    """Destroy the intake's data key, then its bytes."""
    context.vault.destroy(intake_id)


def fail(context: JobContext, intake_id: str, sentence: str) -> None:
    """Mark the intake as failed; its sealed bytes wait for erasure by an officer."""
    with context.database.begin() as session:
        intake = session.get_one(Intake, intake_id)
        if intake.state in (IntakeState.UPLOADED, IntakeState.PROFILING):
            intake.state, intake.error = IntakeState.FAILED, sentence
