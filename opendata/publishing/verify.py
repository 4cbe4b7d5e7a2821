"""Is this file one of ours? "exact", "same table, other bytes" or "not ours"; only of what is open to everyone."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.orm import Session


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
    """Compare a file with the open editions of public datasets. Hidden and conditional ones are never ours."""
    raise NotImplementedError


def verify_offline(path: Path, receipt: Path, public_key: Path) -> Verification:
    """The same with a receipt and the release key only; raises ReceiptInvalid when the receipt is not signed by it."""
    raise NotImplementedError
