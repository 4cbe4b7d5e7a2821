"""Hierarchy files that a policy of the service may name: the dataset's own, or CSV files in the policies' folder or its
``sectors``.

They are read once, when a policy is saved or tried, and written into its text (``masking.policy.self_contained``): the
saved version, its digest and every edition made by it hold what the file said then. A name leads to a file that was
uploaded for the dataset, to a regular file below these folders, or nowhere: no way up, no link on the way, and no other
kind of file. A file with a fault is told by attribute and line, never by what it says.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from masking.hierarchies import checked_rows
from masking.policy import MaskingPolicy, self_contained
from opendata.catalog.texts import text
from opendata.publishing.errors import InvalidSubmission

MOST_BYTES: Final = 1 << 20
"""More would not fit into a policy."""
_FOLDERS: Final = ((), ("sectors",))
"""Below the policies' folder, in this order."""
Rows = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Found:
    """A file that a policy named."""

    name: str
    sha256: str
    rows_digest: str


@dataclass
class Sources:
    """Where names of hierarchy files lead: the dataset's ``own`` files first, then the policies' ``folder``."""

    folder: Path | None
    own: Mapping[str, bytes] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    """Each file that was read."""

    def rows(self, name: str) -> list[list[str]]:
        """The rows of a file.

        Raises:
            InvalidSubmission: there is no such file, or it may not be named.
            masking.errors.InvalidParameter: it is no hierarchy.
        """
        raw = self.own[name] if name in self.own else _content(name, self.folder)
        rows = checked_rows(raw, name)
        self.found.append(Found(PurePosixPath(name).name, hashlib.sha256(raw).hexdigest(), rows_digest(rows)))
        return rows


def written_out(yaml: str, sources: Sources) -> str:
    """The policy with the hierarchies that it names as files in its text.

    Raises:
        InvalidSubmission: there is no such file, or it may not be named.
        masking.errors.PolicyError, InvalidParameter: the policy or a file is wrong; of a file attribute and line.
    """
    return self_contained(yaml, sources.rows)


def named_in(policy: MaskingPolicy) -> Iterator[tuple[str, Rows]]:
    """The hierarchies that stand in a policy's text, with the attribute of each."""
    for name, rule in policy.attributes.items():
        for branch in rule.branches:
            yield from _rows(name, branch.parameters.get("mapping"))
    if policy.limits.t_closeness is not None:
        for name, tree in policy.limits.t_closeness.hierarchies.items():
            yield from _rows(name, tree)
    if policy.aggregate is not None:
        for name, dimension in policy.aggregate.dimensions.items():
            yield from _rows(name, dimension.get("hierarchy"))


def rows_digest(rows: Rows) -> str:
    """SHA-256 of rows, the same whether a file or a policy says them."""
    said = json.dumps([[str(node) for node in row] for row in rows], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def mapping_rows(mapping: Mapping[Any, Any]) -> Rows:
    """The rows that a mapping of values to their ancestors stands for."""
    return [
        [str(leaf), *map(str, [above] if isinstance(above, str | int | float) else above)]
        for leaf, above in mapping.items()
    ]


def _rows(attribute: str, mapping: Any) -> Iterator[tuple[str, Rows]]:
    if isinstance(mapping, Mapping) and mapping:
        yield attribute, mapping_rows(mapping)


def _content(name: str, folder: Path | None) -> bytes:
    parts = PurePosixPath(name).parts
    if folder is None or not name.endswith(".csv") or "\0" in name or ".." in parts or name.startswith("/"):
        raise _not_there(name)
    for above in _FOLDERS:
        raw = _read(folder, (*above, *parts))
        if raw is not None:
            break
    else:
        raise _not_there(name)
    if len(raw) > MOST_BYTES:
        raise InvalidSubmission(
            text(f"层级文件 {name} 超过 1 MiB。", f"The hierarchy file {name} is larger than 1 MiB.")
        )
    return raw


def _read(folder: Path, parts: tuple[str, ...]) -> bytes | None:
    """One byte more than allowed at most; None where the parts lead to no regular file without a link."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for at, part in enumerate(parts, start=1):
            kind = os.O_DIRECTORY if at < len(parts) else os.O_NONBLOCK
            inner = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | kind, dir_fd=held)
            os.close(held)
            held = inner
        if not stat.S_ISREG(os.fstat(held).st_mode):
            return None
        with os.fdopen(os.dup(held), "rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except OSError:
        return None
    finally:
        os.close(held)


def _not_there(name: str) -> InvalidSubmission:
    return InvalidSubmission(
        text(
            f"没有层级文件 {name!r}：请先上传，或使用策略目录（或其 sectors 目录）下的 .csv 文件（不可为链接）。",
            f"There is no hierarchy file {name!r}: upload it first, or name a .csv file in the policies' folder or its "
            "`sectors`, and no link.",
        )
    )
