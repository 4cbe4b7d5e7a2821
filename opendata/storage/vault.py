"""The vault: sealed uploads, raw tables and quarantine, each under its own data key.

Web holds only the public half: it seals an upload under a fresh key, which it encrypts to the vault with HPKE
(RFC 9180, base mode). The worker moves an upload under the intake's own data key when it first opens it, so that
destroying that one key makes every copy of the intake unreadable.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from opendata.errors import NotFoundError, StorageError, TamperedError
from opendata.settings import Settings
from opendata.storage.envelope import EnvelopeReader, EnvelopeWriter
from opendata.storage.files import atomic_writer, checked_name, sync_directory
from opendata.storage.hpke import SUITE
from opendata.storage.keys import KeyStore, public_key

_COPY_BYTES = 1 << 20
_UPLOAD, _TABLE, _VIEW, _OBJECT = "upload", "table", "view", "object"


class SealedWriter:
    """Used by web with the public key only: writes one sealed upload into ``vault/incoming``.

    >>> with SealedWriter(settings, intake_id) as sealed:  # doctest: +SKIP
    ...     sealed.write(chunk)

    Leaving the block normally makes the upload visible (fsync, rename); an exception leaves nothing.
    """

    def __init__(self, settings: Settings, intake_id: str) -> None:
        self.bytes_written = 0
        self._path = settings.incoming_dir / f"{checked_name(intake_id)}.sealed"
        self._public = X25519PublicKey.from_public_bytes(public_key(settings, "vault"))
        self._mode = 0o640 if settings.users.separated else 0o600
        self._intake_id = intake_id
        self._stack = ExitStack()
        self._writer: EnvelopeWriter | None = None

    def write(self, data: bytes) -> None:
        """Seal some bytes."""
        if self._writer is None:
            raise StorageError("封存写入须在 with 语句内（SealedWriter is used outside its block）")
        self._writer.write(data)
        self.bytes_written += len(data)

    def __enter__(self) -> Self:
        """Start the file."""
        key = secrets.token_bytes(32)
        sink = self._stack.enter_context(_drop(self._path, self._mode))
        sealed = SUITE.encrypt(key, self._public, info=_seal_info(self._intake_id))
        attributes = {"kind": _UPLOAD, "intake": self._intake_id, "sealed_key": base64.b64encode(sealed).decode()}
        self._writer = EnvelopeWriter(sink, key, attributes)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file, or leave nothing of it."""
        writer, self._writer = self._writer, None
        if writer is not None and kind is None:
            try:
                writer.close()
            except BaseException:
                writer.abort()
                self._stack.__exit__(StorageError, StorageError("unfinished"), None)
                raise
        elif writer is not None:
            writer.abort()
        self._stack.__exit__(kind, error, trace)


class Vault:
    """Worker only: opens what web sealed; keeps raw tables under one data key per intake."""

    def __init__(self, settings: Settings, keys: KeyStore) -> None:
        self._keys = keys
        self._incoming = settings.incoming_dir
        self._intakes = settings.vault_dir / "intakes"
        self._quarantine = settings.vault_dir / "quarantine"

    def open(self, intake_id: str) -> BinaryIO:
        """The uploaded bytes, authenticated chunk by chunk; moved under the intake's own key on first use.

        Not seekable. Raises NotFoundError, TamperedError.
        """
        self.accept(intake_id)
        return self._read(self._file(intake_id, _UPLOAD), lambda: self._intake_key(intake_id), _UPLOAD, intake_id)

    def accept(self, intake_id: str) -> None:
        """Move a sealed upload under the intake's own data key and delete the sealed one. Idempotent."""
        sealed, own = self._incoming / f"{checked_name(intake_id)}.sealed", self._file(intake_id, _UPLOAD)
        if not own.exists():
            if not sealed.exists():
                raise NotFoundError("没有这个上传文件（no such upload）")
            own.parent.mkdir(mode=0o700, exist_ok=True)
            sync_directory(self._intakes)
            with self._open_sealed(sealed, intake_id) as source:
                self._write(own, self._keys.intake_key(intake_id), _UPLOAD, intake_id, lambda sink: _copy(source, sink))
        with suppress(FileNotFoundError):
            sealed.unlink()
            sync_directory(self._incoming)

    def write_table(self, intake_id: str, reader: pa.RecordBatchReader) -> int:
        """Store the intake's table (Arrow IPC inside an envelope), replacing an earlier one. Returns the row count."""
        return self._write_arrow(self._file(intake_id, _TABLE), intake_id, _TABLE, intake_id, reader)

    def write_view(self, intake_id: str, edition_id: str, table: pa.Table) -> None:
        """Store what an edition shows of the intake's records, under the intake's key; replaces an earlier one."""
        path = self._view(intake_id, edition_id)
        self._write_arrow(path, intake_id, _VIEW, f"{intake_id} {edition_id}", table.to_reader())

    def read_view(self, intake_id: str, edition_id: str) -> pa.Table | None:
        """What ``write_view`` stored, or None if there is nothing of this edition."""
        path = self._view(intake_id, edition_id)
        if not path.exists():
            return None
        with (
            self._read(path, lambda: self._intake_key(intake_id), _VIEW, f"{intake_id} {edition_id}") as source,
            pa.ipc.open_stream(pa.PythonFile(source, "r")) as stream,
        ):
            return _authenticated(stream, source).read_all()

    def discard_view(self, intake_id: str, edition_id: str) -> None:
        """Delete what ``write_view`` stored. Idempotent."""
        _remove(self._view(intake_id, edition_id))

    @contextmanager
    def read_table(self, intake_id: str) -> Iterator[pa.RecordBatchReader]:
        """The intake's table, streaming. Each call reads from the start."""
        path = self._file(intake_id, _TABLE)
        with (
            self._read(path, lambda: self._intake_key(intake_id), _TABLE, intake_id) as source,
            pa.ipc.open_stream(pa.PythonFile(source, "r")) as stream,
        ):
            yield _authenticated(stream, source)

    def put_object(self, name: str, stream: BinaryIO) -> str:
        """Store quarantined bytes under their own key; returns their SHA-256 in hex. Replaces an earlier one."""
        digest = hashlib.sha256()
        key = self._keys.object_key(checked_name(name))
        self._write(self._object(name), key, _OBJECT, name, lambda sink: _copy(stream, sink, digest.update))
        return digest.hexdigest()

    def open_object(self, name: str) -> BinaryIO:
        """Quarantined bytes; not seekable."""
        return self._read(self._object(name), lambda: self._keys.object_key(name, create=False), _OBJECT, name)

    def destroy_object(self, name: str) -> None:
        """Destroy a quarantined object's key and bytes. Idempotent."""
        self._keys.destroy_object_key(name)
        _remove(self._object(name))

    def discard_upload(self, intake_id: str) -> None:
        """Delete the upload once its table is stored; the data key stays. Idempotent."""
        _remove(self._file(intake_id, _UPLOAD))
        _remove(self._incoming / f"{checked_name(intake_id)}.sealed")

    def exists(self, intake_id: str) -> bool:
        """Whether the intake's key still exists."""
        return self._keys.has_intake_key(intake_id)

    def destroy(self, intake_id: str) -> None:
        """Destroy the intake's data key, then its files and its sealed upload. Idempotent; irreversible."""
        self._keys.destroy_intake_key(intake_id)
        views = (self._intakes / checked_name(intake_id)).glob(f"{_VIEW}-*")
        for path in (self._file(intake_id, _UPLOAD), self._file(intake_id, _TABLE), *views):
            _remove(path)
        with suppress(FileNotFoundError, OSError):
            (self._intakes / intake_id).rmdir()
        _remove(self._incoming / f"{checked_name(intake_id)}.sealed")

    def _file(self, intake_id: str, kind: str) -> Path:
        return self._intakes / checked_name(intake_id) / kind

    def _view(self, intake_id: str, edition_id: str) -> Path:
        return self._intakes / checked_name(intake_id) / f"{_VIEW}-{checked_name(edition_id)}"

    def _object(self, name: str) -> Path:
        return self._quarantine / checked_name(name)

    def _intake_key(self, intake_id: str) -> bytes:
        return self._keys.intake_key(intake_id, create=False)

    def _open_sealed(self, path: Path, intake_id: str) -> BinaryIO:
        def key(header: Mapping[str, Any]) -> bytes:
            sealed = base64.b64decode(header["sealed_key"], validate=True)
            try:
                return SUITE.decrypt(sealed, self._keys.vault_key(), info=_seal_info(intake_id))
            except InvalidTag:
                raise TamperedError("上传文件不是为本库封存的（not sealed to this vault）") from None

        return _buffered(EnvelopeReader(_plain(path), key, kind=_UPLOAD))

    def _read(self, path: Path, key: Callable[[], bytes], kind: str, name: str) -> BinaryIO:
        unwrapped = key()  # first: once it is destroyed, that is the answer
        try:
            source = _plain(path)
        except FileNotFoundError:
            raise NotFoundError("数据库房中没有这份数据（not in the vault）") from None
        reader = EnvelopeReader(source, lambda _: unwrapped, kind=kind)
        if reader.attributes.get("name") != name:
            reader.close()
            raise TamperedError("密文不属于这份数据（ciphertext of another thing）")
        return _buffered(reader)

    def _write_arrow(self, path: Path, intake_id: str, kind: str, name: str, reader: pa.RecordBatchReader) -> int:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        rows = 0

        def write(sink: BinaryIO) -> None:
            nonlocal rows
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            with pa.ipc.new_stream(pa.PythonFile(sink, "w"), reader.schema, options=options) as stream:
                for batch in reader:
                    rows += batch.num_rows
                    stream.write_batch(batch)

        self._write(path, self._keys.intake_key(intake_id), kind, name, write)
        return rows

    @staticmethod
    def _write(path: Path, key: bytes, kind: str, name: str, fill: Callable[[BinaryIO], None]) -> None:
        with atomic_writer(path) as sink:
            writer = EnvelopeWriter(sink, key, {"kind": kind, "name": name})
            try:
                fill(cast("BinaryIO", writer))
            except BaseException:
                writer.abort()
                raise
            writer.close()


def _seal_info(intake_id: str) -> bytes:
    return f"opendata sealed upload v1 {intake_id}".encode()


@contextmanager
def _drop(path: Path, mode: int) -> Iterator[BinaryIO]:
    """Like ``atomic_writer``, into a directory that may be written but not listed: a link instead of a replacement."""
    partial = path.with_name(f"{path.stem[:100]}.{secrets.token_hex(8)}.part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        try:
            os.link(partial, path)
        except FileExistsError:
            raise StorageError("这个批次已有上传文件（this intake already has an upload）") from None
        _fsync_again(path)  # web may not read the directory to fsync it; the file's journal carries its new name
    finally:
        os.unlink(partial)


def _fsync_again(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _plain(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")


def _buffered(reader: EnvelopeReader) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(reader, _COPY_BYTES))


def _copy(source: BinaryIO, sink: BinaryIO, see: Callable[[bytes], None] | None = None) -> None:
    while chunk := source.read(_COPY_BYTES):
        if see is not None:
            see(chunk)
        sink.write(chunk)


def _authenticated(stream: pa.RecordBatchReader, source: BinaryIO) -> pa.RecordBatchReader:
    """The batches, then the proof that the envelope really ends there: Arrow's own end marker is not authentic."""

    def batches() -> Iterator[pa.RecordBatch]:
        yield from stream
        if source.read(1):
            raise TamperedError("表格之后还有内容（bytes after the table）")

    return pa.RecordBatchReader.from_batches(stream.schema, batches())


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
        sync_directory(path.parent)
