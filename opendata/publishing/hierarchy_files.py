"""Hierarchy files that a policy of the service may name: CSV files in the policies' folder or its ``sectors``.

They are read once, when a policy is saved or tried, and written into its text (``masking.policy.self_contained``): the
saved version, its digest and every edition made by it hold what the file said then. A name leads to a regular file
below these folders or nowhere: no way up, no link on the way, and no other kind of file.
"""

import os
import stat
from pathlib import Path, PurePosixPath
from typing import Final

from masking.hierarchies import rows_of
from masking.policy import self_contained
from opendata.catalog.texts import text
from opendata.publishing.errors import InvalidSubmission

MOST_BYTES: Final = 1 << 20
"""More would not fit into a policy."""
_FOLDERS: Final = ((), ("sectors",))
"""Below the policies' folder, in this order."""


def written_out(yaml: str, folder: Path | None) -> str:
    """The policy with the hierarchies that it names as files in its text; without a folder it may name none.

    Raises:
        InvalidSubmission: there is no such file, or it may not be named.
        masking.errors.PolicyError, InvalidParameter: the policy or a file is wrong.
    """
    return self_contained(yaml, lambda name: rows_of(_content(name, folder), name))


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
            f"策略目录中没有层级文件 {name!r}（须为该目录或其 sectors 目录下的 .csv 文件，不可为链接）。",
            f"There is no hierarchy file {name!r}: a .csv file in the policies' folder or its `sectors`, and no link.",
        )
    )
