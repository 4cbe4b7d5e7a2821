"""Open storage: published files, content-addressed, immutable. Written by the worker, read by web."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from opendata.settings import Settings


class EditionStore:
    """``editions/<digest>/<name>``; a digest's directory appears complete or not at all."""

    def __init__(self, settings: Settings) -> None:
        self._root = settings.editions_dir

    def stage(self, key: str) -> Path:
        """A fresh, private directory for building an edition; ``key`` (edition id) makes a rerun start clean."""
        raise NotImplementedError

    def publish(self, key: str, digest: str) -> Path:
        """Make the staged directory visible as ``digest``: fsync, then one rename. Idempotent."""
        raise NotImplementedError

    def discard(self, key: str) -> None:
        """Remove a staged directory, if there is one."""
        raise NotImplementedError

    def path(self, digest: str, name: str) -> Path:
        """The path of a published file. Raises NotFoundError; never leaves the store."""
        raise NotImplementedError

    def open(self, digest: str, name: str) -> BinaryIO:
        """A published file, for reading."""
        raise NotImplementedError

    def exists(self, digest: str) -> bool:
        """Whether the digest is published."""
        raise NotImplementedError

    def remove(self, digest: str) -> None:
        """Remove a digest from open storage (withdrawal). Idempotent."""
        raise NotImplementedError
