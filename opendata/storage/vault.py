"""The vault: sealed uploads, raw tables and quarantine, each under its own data key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import pyarrow as pa

from opendata.settings import Settings
from opendata.storage.keys import KeyStore


class SealedWriter:
    """Used by web with the public key only: writes one sealed upload into ``vault/incoming``.

    >>> with SealedWriter(settings, intake_id) as sealed:  # doctest: +SKIP
    ...     sealed.write(chunk)

    Leaving the block normally makes the upload visible (fsync, rename); an exception leaves nothing.
    """

    def __init__(self, settings: Settings, intake_id: str) -> None:
        self.bytes_written = 0

    def write(self, data: bytes) -> None:
        raise NotImplementedError

    def __enter__(self) -> SealedWriter:
        raise NotImplementedError

    def __exit__(self, *failure: object) -> None:
        raise NotImplementedError


class Vault:
    """Worker only: opens what web sealed; keeps raw tables under one data key per intake."""

    def __init__(self, settings: Settings, keys: KeyStore) -> None:
        raise NotImplementedError

    def open(self, intake_id: str) -> BinaryIO:
        """The uploaded bytes, authenticated chunk by chunk; moved under the intake's own key on first use.

        Not seekable. Raises NotFoundError, TamperedError.
        """
        raise NotImplementedError

    def write_table(self, intake_id: str, reader: pa.RecordBatchReader) -> int:
        """Store the intake's table (Arrow IPC inside an envelope), replacing an earlier one. Returns the row count."""
        raise NotImplementedError

    @contextmanager
    def read_table(self, intake_id: str) -> Iterator[pa.RecordBatchReader]:
        """The intake's table, streaming. Each call reads from the start."""
        raise NotImplementedError

    def put_object(self, name: str, stream: BinaryIO) -> str:
        """Store quarantined bytes under their own key; returns their SHA-256 in hex. Replaces an earlier one."""
        raise NotImplementedError

    def open_object(self, name: str) -> BinaryIO:
        """Quarantined bytes; not seekable."""
        raise NotImplementedError

    def destroy_object(self, name: str) -> None:
        """Destroy a quarantined object's key and bytes. Idempotent."""
        raise NotImplementedError

    def exists(self, intake_id: str) -> bool:
        """Whether the intake's key still exists."""
        raise NotImplementedError

    def destroy(self, intake_id: str) -> None:
        """Destroy the intake's data key, then its files and its sealed upload. Idempotent; irreversible."""
        raise NotImplementedError
