"""Is this file one of ours? "exact", "same table, other bytes" or "not ours".

Publicly answered for unconditional editions of public datasets only: for anything else the answer is "not ours",
whether it exists or not (PRIVACY.md 27). Offline, a receipt and the release key's public half are enough.
"""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Final

import pyarrow as pa
from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.errors import BadFile, MaskingError
from masking.table import file_format
from masking.taxonomy import OpeningClass
from opendata.catalog.models import Dataset, Edition, EditionState
from opendata.catalog.visibility import visible_clause
from opendata.publishing import canonical, receipt

CHUNK: Final = 1 << 20
KNOWN_STATES: Final = (EditionState.PUBLISHED, EditionState.SUPERSEDED, EditionState.WITHDRAWN)


class Verdict(StrEnum):
    """The three answers."""

    EXACT = "exact"
    SAME_TABLE = "same table, other bytes"
    NOT_OURS = "not ours"


@dataclass(frozen=True, slots=True)
class Verification:
    """The verdict and, for ours, which dataset and edition it is."""

    verdict: Verdict
    dataset: str | None = None
    edition_id: str | None = None
    state: str | None = None


def verify_file(session: Session, stream: BinaryIO, filename: str) -> Verification:
    """Compare a file with the unconditional editions of public datasets. Reads the stream to its end."""
    with TemporaryDirectory(prefix="verify-") as folder:
        path = Path(folder) / f"file{_extension(filename)}"
        sha256 = _copy(stream, path)
        return verify_path(session, path, sha256)


def verify_path(session: Session, path: Path, sha256: str | None = None) -> Verification:
    """The same for a file on disk; its extension says the format."""
    sha256 = sha256 or _sha256(path)
    candidates = session.execute(
        select(Edition, Dataset.name)
        .join(Dataset, Dataset.id == Edition.dataset_id)
        .where(
            visible_clause(None),
            Edition.opening_class == OpeningClass.UNCONDITIONAL,
            Edition.state.in_(KNOWN_STATES),
            Edition.published_at.is_not(None),
        )
        .order_by(Edition.published_at.desc())
    ).all()
    for edition, name in candidates:
        if any(file["sha256"] == sha256 for file in edition.files):
            return Verification(Verdict.EXACT, name, edition.id, edition.state)
    digests = _table_digests(path, most_rows=max((edition.rows or 0 for edition, _ in candidates), default=0))
    for edition, name in candidates:
        if edition.table_digest in digests:
            return Verification(Verdict.SAME_TABLE, name, edition.id, edition.state)
    return Verification(Verdict.NOT_OURS)


def verify_offline(path: Path, receipt_path: Path, public_key_path: Path) -> Verification:
    """The same with a receipt and the release key only. Raises ReceiptInvalid."""
    key = receipt.load_public_key(public_key_path.read_bytes())
    statement: dict[str, Any] = receipt.verify(receipt_path.read_bytes(), key)
    dataset, edition = statement["dataset"], statement["edition"]
    if any(file["sha256"] == _sha256(path) for file in statement["files"]):
        return Verification(Verdict.EXACT, dataset, edition)
    if statement["table_digest"] in _table_digests(path, most_rows=int(statement["rows"])):
        return Verification(Verdict.SAME_TABLE, dataset, edition)
    return Verification(Verdict.NOT_OURS)


def _table_digests(path: Path, *, most_rows: int) -> set[str]:
    """Digests of the table the file holds, as it is and as text; none when it cannot be read as a table.

    Anyone may ask, and a file of a kilobyte may hold a billion rows: no more than ``most_rows`` are read.
    """
    digests = set()
    for read in (_typed, _as_text):
        try:
            digests.add(canonical.table_digest(_at_most(read(path), most_rows)))
        except (MaskingError, pa.ArrowException, OSError, ValueError, gzip.BadGzipFile):
            continue
    return digests


def _at_most(reader: pa.RecordBatchReader, most: int) -> pa.RecordBatchReader:
    def batches() -> Iterator[pa.RecordBatch]:
        rows = 0
        for batch in reader:
            rows += batch.num_rows
            if rows > most:
                raise BadFile("more rows than any edition has")
            yield batch

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


def _typed(path: Path) -> pa.RecordBatchReader:
    from masking.table import open_table

    return open_table(path)


def _as_text(path: Path) -> pa.RecordBatchReader:
    from masking.table import open_table

    return open_table(path, types=False)


def _extension(filename: str) -> str:
    """The extension of a known format, or none: nothing else of a visitor's file name becomes a path."""
    try:
        return f".{file_format(filename)}"
    except (BadFile, ValueError):
        return ""


def _copy(stream: BinaryIO, path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as target:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
