"""The envelope: a stream under AES-256-GCM in chunks, so that any size is read and written in flat memory.

Layout: version (1 byte, first), length of the header (4 bytes, big endian), header (canonical JSON), chunks.
File key = HKDF-SHA256(data key, salt from the header, info "opendata envelope v1"); so no two files share a key.
Chunk i = AES-256-GCM(file key, nonce = prefix (7) || i (4) || last flag (1), AAD = SHA-256(version, length, header)).
That is the STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizár, 2015): a flipped bit, a cut, a swap, a repeat,
bytes after the end and a changed header all fail. The reader gives a chunk out only after it is authentic.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from opendata.errors import StorageError, TamperedError

VERSION = 1
CHUNK_BYTES = 1 << 20
_SALT_BYTES, _PREFIX_BYTES, _TAG_BYTES = 32, 7, 16
_HEADER_LIMIT = 4096
_CHUNK_LIMIT = 1 << 24
_MOST_CHUNKS = 1 << 32
_INFO = b"opendata envelope v1"

OpenKey = Callable[[Mapping[str, Any]], bytes]


class EnvelopeWriter(io.RawIOBase):
    """Encrypts what is written into ``sink``. ``close()`` writes the last chunk; it does not close the sink.

    ``attributes`` go into the authenticated header in the clear: what it is, and how its key is found; no content.
    """

    def __init__(
        self,
        sink: BinaryIO,
        key: bytes,
        attributes: Mapping[str, Any],
        *,
        chunk_bytes: int = CHUNK_BYTES,
        randomness: Callable[[int], bytes] = os.urandom,
    ) -> None:
        super().__init__()
        if not 0 < chunk_bytes <= _CHUNK_LIMIT:
            raise ValueError("chunk_bytes must be in (0, 2**24]")
        salt, prefix = randomness(_SALT_BYTES), randomness(_PREFIX_BYTES)
        header = {**attributes, "chunk": chunk_bytes, "prefix": prefix.hex(), "salt": salt.hex()}
        encoded = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
        if len(encoded) > _HEADER_LIMIT:
            raise StorageError("信封头过长（envelope header too long）")
        start = bytes([VERSION]) + len(encoded).to_bytes(4, "big") + encoded
        self._sink, self._cipher, self._prefix = sink, _cipher(key, salt), prefix
        self._associated, self._chunk_bytes = hashlib.sha256(start).digest(), chunk_bytes
        self._pending, self._number, self._aborted = bytearray(), 0, False
        sink.write(start)

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: Any) -> int:
        """Take all of ``data``."""
        view = memoryview(data).cast("B")
        self._pending += view
        while len(self._pending) > self._chunk_bytes:  # the last full chunk waits: it may be the last one
            self._seal(bytes(self._pending[: self._chunk_bytes]), last=False)
            del self._pending[: self._chunk_bytes]
        return len(view)

    def abort(self) -> None:
        """Close without the last chunk: what was written can never be read as complete."""
        self._aborted = True
        self._pending.clear()
        self.close()

    def close(self) -> None:
        """Write the last chunk."""
        if not self.closed:
            if not self._aborted:
                self._seal(bytes(self._pending), last=True)
            self._pending.clear()
            super().close()

    def __del__(self) -> None:
        """A writer that was never closed was interrupted: do not finish it now."""
        self._aborted = True

    def _seal(self, chunk: bytes, *, last: bool) -> None:
        if self._number >= _MOST_CHUNKS:
            raise StorageError("文件过大，超出信封上限（too large for an envelope）")
        self._sink.write(self._cipher.encrypt(_nonce(self._prefix, self._number, last=last), chunk, self._associated))
        self._number += 1


class EnvelopeReader(io.RawIOBase):
    """Decrypts an envelope from ``source`` and closes it in the end. Not seekable. Raises TamperedError."""

    def __init__(self, source: BinaryIO, open_key: OpenKey, *, kind: str) -> None:
        super().__init__()
        self._source = source
        try:
            start, header = _read_header(source)
            salt, prefix, chunk_bytes = _parameters(header, kind)
            self._cipher = _cipher(open_key(header), salt)
        except (KeyError, TypeError, ValueError):
            source.close()
            raise TamperedError("信封头不对（malformed envelope header）") from None
        except BaseException:
            source.close()
            raise
        self.attributes: dict[str, Any] = header
        self._prefix, self._associated = prefix, hashlib.sha256(start).digest()
        self._sealed_bytes = chunk_bytes + _TAG_BYTES
        self._number, self._clear, self._done = 0, memoryview(b""), False
        self._ahead = self._take()

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Up to one chunk's rest; 0 only after the authenticated end."""
        target = memoryview(buffer).cast("B")
        while not self._clear and not self._done:
            self._next()
        count = min(len(target), len(self._clear))
        target[:count] = self._clear[:count]
        self._clear = self._clear[count:]
        return count

    def close(self) -> None:
        """Close the source too."""
        if not self.closed:
            self._source.close()
        super().close()

    def _next(self) -> None:
        sealed, self._ahead = self._ahead, self._take()
        last = not self._ahead
        try:
            clear = self._cipher.decrypt(_nonce(self._prefix, self._number, last=last), sealed, self._associated)
        except InvalidTag:
            raise TamperedError("密文被改动或截断，不能使用（ciphertext was changed or cut）") from None
        self._number += 1
        self._done, self._clear = last, memoryview(clear)

    def _take(self) -> bytes:
        parts, wanted = [], self._sealed_bytes
        while wanted and (part := self._source.read(wanted)):
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)


def _read_header(source: BinaryIO) -> tuple[bytes, dict[str, Any]]:
    first = source.read(5)
    if len(first) != 5 or first[0] != VERSION:
        raise TamperedError("信封版本未知（unknown envelope version）")
    length = int.from_bytes(first[1:], "big")
    encoded = source.read(length) if length <= _HEADER_LIMIT else b""
    if length > _HEADER_LIMIT or len(encoded) != length:
        raise TamperedError("信封头不完整（truncated envelope header）")
    header = json.loads(encoded)
    if not isinstance(header, dict):
        raise TamperedError("信封头不对（malformed envelope header）")
    return first + encoded, header


def _parameters(header: Mapping[str, Any], kind: str) -> tuple[bytes, bytes, int]:
    if header.get("kind") != kind:
        raise TamperedError("信封的种类不符（envelope is of another kind）")
    salt, prefix, chunk_bytes = bytes.fromhex(header["salt"]), bytes.fromhex(header["prefix"]), header["chunk"]
    well_formed = len(salt) == _SALT_BYTES and len(prefix) == _PREFIX_BYTES and isinstance(chunk_bytes, int)
    if not well_formed or not 0 < chunk_bytes <= _CHUNK_LIMIT:
        raise TamperedError("信封头不对（malformed envelope header）")
    return salt, prefix, chunk_bytes


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=_INFO).derive(key))


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([last])
