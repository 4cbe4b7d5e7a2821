"""Hierarchy files of a dataset (层级文件): what an officer uploads, and which policies may then name.

A file is checked line by line before it is kept; each upload is a version of its own, and the newest under a name is
the one that counts. When a policy that names it is saved, its rows go into the policy's text
(``hierarchy_files.written_out``) and the version of the policy notes the file's digest: whatever is uploaded or removed
later, that version makes the same table again. Rights are those of the policy. Source: PRIVACY.md 6; DESIGN.md 6.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from masking.hierarchies import checked_rows
from masking.policy import MaskingPolicy
from opendata.catalog.models import Dataset
from opendata.catalog.texts import text
from opendata.db import utc_now
from opendata.errors import NotFoundError
from opendata.identity import Actor
from opendata.ledger.events import AuditEvent
from opendata.ledger.service import append
from opendata.publishing.errors import InvalidSubmission
from opendata.publishing.hierarchy_files import MOST_BYTES, Found, named_in, rows_digest
from opendata.publishing.models import HierarchyFile, PolicyVersion
from opendata.publishing.permissions import check_is_officer

UPLOADED: Final = "publishing:hierarchy:upload"
REMOVED: Final = "publishing:hierarchy:remove"
MOST_FILES: Final = 50
"""Names that count at the same time."""
NAME_LENGTH: Final = 100


def check_can_upload(actor: Actor, dataset: Dataset, name: str) -> None:
    """Raise unless the person may upload a hierarchy of this name; asked before a byte is accepted."""
    check_is_officer(actor, dataset.organization_id)
    if not name.endswith(".csv") or len(name) > NAME_LENGTH or not name.isprintable() or set(name) & set("/\\"):
        raise InvalidSubmission(
            text(
                f"层级文件须以 .csv 结尾，文件名不超过 {NAME_LENGTH} 字。",
                f"A hierarchy file's name ends in .csv and has at most {NAME_LENGTH} characters.",
            )
        )


def upload(
    session: Session, dataset: Dataset, *, name: str, content: bytes, actor: Actor, now: datetime | None = None
) -> HierarchyFile:
    """Check and keep a hierarchy file; the same bytes under the same name again change nothing.

    Raises:
        PublishingDenied, InvalidSubmission: the person or the name may not, or there are too many files.
        masking.errors.InvalidParameter: it is no hierarchy; the message names the line.
    """
    now = now or utc_now()
    check_can_upload(actor, dataset, name)
    check_size(len(content))
    rows = checked_rows(content, name)
    sha256 = hashlib.sha256(content).hexdigest()
    existing = {each.name: each for each in files_of(session, dataset)}
    if name in existing and existing[name].sha256 == sha256:
        return existing[name]
    if name not in existing and len(existing) >= MOST_FILES:
        raise InvalidSubmission(
            text(f"层级文件已有 {MOST_FILES} 个，请先移除。", f"There are {MOST_FILES} files; remove one first.")
        )
    numbers = select(func.max(HierarchyFile.number)).where(
        HierarchyFile.dataset_id == dataset.id, HierarchyFile.name == name
    )
    file = HierarchyFile(
        dataset_id=dataset.id,
        name=name,
        number=(session.scalar(numbers) or 0) + 1,
        content=content,
        bytes=len(content),
        sha256=sha256,
        rows_digest=rows_digest(rows),
        entries=len(rows),
        levels=len(rows[0]),
        author_id=actor.id,
        created_at=now,
    )
    session.add(file)
    session.flush()
    payload = {"dataset": dataset.id, "number": file.number, "sha256": sha256, "entries": file.entries}
    append(session, AuditEvent(UPLOADED, actor.id, f"hierarchy:{file.id}", now, payload))
    return file


def remove(session: Session, dataset: Dataset, name: str, *, actor: Actor, now: datetime | None = None) -> None:
    """Erase every version kept under a name; no policy may name it any more. Saved policies keep their rows."""
    now = now or utc_now()
    check_is_officer(actor, dataset.organization_id)
    file = get(session, dataset, name)
    ours = (HierarchyFile.dataset_id == dataset.id, HierarchyFile.name == name)
    session.execute(update(HierarchyFile).where(*ours).values(content=None))
    payload = {"dataset": dataset.id, "number": file.number, "sha256": file.sha256}
    append(session, AuditEvent(REMOVED, actor.id, f"hierarchy:{file.id}", now, payload))


def files_of(session: Session, dataset: Dataset) -> list[HierarchyFile]:
    """The files that policies of the dataset may name, by name (console only)."""
    newest = (
        select(HierarchyFile.name, func.max(HierarchyFile.number).label("number"))
        .where(HierarchyFile.dataset_id == dataset.id, HierarchyFile.content.is_not(None))
        .group_by(HierarchyFile.name)
        .subquery()
    )
    found = (
        select(HierarchyFile)
        .join(newest, (HierarchyFile.name == newest.c.name) & (HierarchyFile.number == newest.c.number))
        .where(HierarchyFile.dataset_id == dataset.id)
    )
    return list(session.scalars(found.order_by(HierarchyFile.name)))


def get(session: Session, dataset: Dataset, name: str) -> HierarchyFile:
    """The file that counts under a name."""
    file = next((each for each in files_of(session, dataset) if each.name == name), None)
    if file is None:
        raise NotFoundError("没有这个层级文件（no such hierarchy file）")
    return file


def contents_of(session: Session, dataset: Dataset, yaml: str) -> dict[str, bytes]:
    """What the dataset's files say whose names stand in the text of a policy, for ``hierarchy_files.written_out``."""
    named = [each for each in files_of(session, dataset) if each.name in yaml]
    return {each.name: each.content for each in named if each.content is not None}


def pins(session: Session, dataset: Dataset, policy: MaskingPolicy, read: Iterable[Found] = ()) -> list[dict[str, Any]]:
    """Which file each hierarchy of a policy came from: those ``read`` just now, the dataset's own, and what earlier
    versions of the policy noted; rows that are in none of them were written by hand.
    """
    known: dict[str, tuple[str, str]] = {}
    versions = select(PolicyVersion.hierarchies).where(PolicyVersion.dataset_id == dataset.id)
    for noted in session.scalars(versions.order_by(PolicyVersion.number)):
        known |= {each["rows_digest"]: (each["name"], each["sha256"]) for each in noted or ()}
    known |= {each.rows_digest: (each.name, each.sha256) for each in files_of(session, dataset)}
    known |= {each.rows_digest: (each.name, each.sha256) for each in read}
    found = []
    for attribute, rows in named_in(policy):
        digest = rows_digest(rows)
        if digest in known:
            name, sha256 = known[digest]
            noted = {"attribute": attribute, "name": name, "sha256": sha256, "rows_digest": digest}
            found.append({**noted, "entries": len(rows), "levels": len(rows[0])})
    return found


def check_size(nbytes: int) -> None:
    """Raise once a file is larger than a policy can hold; asked while it arrives."""
    if nbytes > MOST_BYTES:
        raise InvalidSubmission(text("层级文件超过 1 MiB。", "The hierarchy file is larger than 1 MiB."))
