"""Open storage: published files, content-addressed, immutable. Written by the worker, read by web.

Local files, one directory a digest. A directory is built aside and appears by one rename; it is removed by renaming it
aside first, so that a half-deleted edition is never visible either.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from opendata.errors import InvalidInputError, NotFoundError, StorageError
from opendata.settings import Settings
from opendata.storage.files import checked_name, sync_directory

_DIGEST = re.compile(r"[0-9a-f]{64}")


class EditionStore:
    """``editions/<digest>/<name>``; a digest's directory appears complete or not at all."""

    def __init__(self, settings: Settings) -> None:
        self._root = settings.editions_dir
        self._shared = settings.users.separated
        self._aside = self._root / ".staging"

    def stage(self, key: str) -> Path:
        """A fresh, private directory for building an edition; ``key`` (edition id) makes a rerun start clean."""
        self._aside.mkdir(mode=0o700, exist_ok=True)
        self.discard(key)
        staged = self._aside / checked_name(key)
        staged.mkdir(mode=0o700)
        return staged

    def staged(self, key: str) -> Path:
        """The staged directory of an earlier step. Raises NotFoundError."""
        staged = self._aside / checked_name(key)
        if not staged.is_dir():
            raise NotFoundError("没有待发布的文件；请重新生成（nothing is staged）")
        return staged

    def publish(self, key: str, digest: str) -> Path:
        """Make the staged directory visible as ``digest``: fsync, then one rename. Idempotent."""
        target = self._directory(digest)
        if target.is_dir():
            self.discard(key)
            return target
        staged = self.staged(key)
        for path in sorted(staged.iterdir()):
            if path.is_symlink() or not path.is_file():
                raise StorageError(f"待发布目录中有非普通文件 {path.name}（not a plain file in the staged edition）")
            _fsync_file(path, 0o440 if self._shared else 0o400)
        os.chmod(staged, 0o2750 if self._shared else 0o700)
        sync_directory(staged)
        os.rename(staged, target)
        sync_directory(self._root)
        sync_directory(self._aside)
        return target

    def discard(self, key: str) -> None:
        """Remove a staged directory, if there is one."""
        staged = self._aside / checked_name(key)
        if staged.exists():
            shutil.rmtree(staged)

    def path(self, digest: str, name: str) -> Path:
        """The path of a published file. Raises NotFoundError; never leaves the store."""
        path = self._directory(digest) / checked_name(name)
        if path.is_symlink() or not path.is_file():
            raise NotFoundError("没有这个文件（no such file）")
        return path

    def open(self, digest: str, name: str) -> BinaryIO:
        """A published file, for reading."""
        try:
            return open(self.path(digest, name), "rb")
        except FileNotFoundError:
            raise NotFoundError("没有这个文件（no such file）") from None

    def exists(self, digest: str) -> bool:
        """Whether the digest is published."""
        return self._directory(digest).is_dir()

    def remove(self, digest: str) -> None:
        """Remove a digest from open storage (withdrawal). Idempotent."""
        self._aside.mkdir(mode=0o700, exist_ok=True)
        doomed = self._aside / f"removed-{digest}-{secrets.token_hex(4)}"
        with suppress(FileNotFoundError):
            os.rename(self._directory(digest), doomed)
            sync_directory(self._root)
        for left in self._aside.glob(f"removed-{digest}-*"):
            shutil.rmtree(left)

    def _directory(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise InvalidInputError("摘要必须是 64 位十六进制（digest）")
        return self._root / digest


def _fsync_file(path: Path, mode: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
