"""Files that appear complete or not at all: written beside, fsynced, renamed, and the directory fsynced too."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from opendata.errors import InvalidInputError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_OVERWRITE_BYTES = 1 << 20


def checked_name(name: str) -> str:
    """The name, if it is one path component without surprises. Raises InvalidInputError."""
    if not _NAME.fullmatch(name):
        raise InvalidInputError("存储名称只能含字母、数字和 . _ -，最多 200 个字符（storage name）")
    return name


@contextmanager
def atomic_writer(path: Path, *, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A binary file that replaces ``path`` when the block ends normally; otherwise nothing of it remains."""
    partial = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}.part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        sync_directory(path.parent)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(partial)
        raise


def write_once(path: Path, data: bytes, *, mode: int = 0o600) -> bool:
    """Create ``path`` with ``data`` durably; False when it exists already, which is left as it is."""
    partial = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}.part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(partial, path)
        except FileExistsError:
            return False
    finally:
        os.unlink(partial)
    sync_directory(path.parent)
    return True


def destroy(path: Path) -> None:
    """Overwrite with random bytes, fsync, unlink, fsync the directory. Idempotent.

    On flash and copy-on-write file systems old blocks may survive: what must become unreadable is encrypted, and this
    is for its key.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    with os.fdopen(descriptor, "wb") as file:
        left = os.fstat(file.fileno()).st_size
        while left > 0:
            left -= file.write(os.urandom(min(left, _OVERWRITE_BYTES)))
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileNotFoundError):
        os.unlink(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make creations, renames and deletions in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
