"""The quarantined package of one sealed run: what checkers see and, if they agree, what is released byte for byte.

One JSON document, stored encrypted in the vault's quarantine under the request's id. Only the worker opens it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from sandbox.airlock.errors import BundleInvalid
from sandbox.airlock.typed import digest

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One canonical table, or a figure drawn from one: its released name, kind and bytes.

    ``figure`` says of a drawing (kind ``figure``) what it shows: kind, table, columns, title.
    """

    name: str
    kind: str
    content: bytes = field(repr=False)
    figure: Mapping[str, Any] | None = None

    @property
    def sha256(self) -> str:
        """SHA-256 of the canonical bytes."""
        return digest(self.content)

    def entry(self) -> dict[str, Any]:
        """Its line in lists: no content."""
        entry = {"name": self.name, "kind": self.kind, "bytes": len(self.content), "sha256": self.sha256}
        return entry if self.figure is None else {**entry, "figure": dict(self.figure)}


@dataclass(frozen=True, slots=True)
class Package:
    """Canonical files, findings in words, the code's name and text, and the executed notebook."""

    files: Sequence[PackageFile]
    findings: Sequence[Mapping[str, Any]]
    entry: str
    code: str = field(repr=False)
    executed: Mapping[str, Any] | None = field(default=None, repr=False)
    run: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tables(self) -> list[PackageFile]:
        """The files that hold data: a drawing holds what its table does."""
        return [file for file in self.files if file.figure is None]

    def to_stream(self) -> io.BytesIO:
        """For the quarantine."""
        document = {
            "version": VERSION,
            "files": [
                {"name": f.name, "kind": f.kind, "text": f.content.decode(), "figure": f.figure} for f in self.files
            ],
            "findings": list(self.findings),
            "entry": self.entry,
            "code": self.code,
            "executed": self.executed,
            "run": dict(self.run),
        }
        return io.BytesIO(json.dumps(document, ensure_ascii=False).encode())

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what `to_stream` wrote."""
        document = json.loads(content)
        if document.get("version") != VERSION:
            raise BundleInvalid("隔离区的包版本不符 · the quarantined package has another version")
        return cls(
            files=[PackageFile(f["name"], f["kind"], f["text"].encode(), f.get("figure")) for f in document["files"]],
            findings=document["findings"],
            entry=document["entry"],
            code=document["code"],
            executed=document["executed"],
            run=document["run"],
        )


def package_name(request_id: str) -> str:
    """The package's name in the quarantine."""
    return f"release-{request_id}"
