"""What the commands read and write: tables by their extension, texts as a whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def open_table(path: Path) -> pa.RecordBatchReader:
    """A table, batch by batch."""
    from masking.table import open_table as open_

    return open_(path)


def write_table(table: pa.Table, path: Path) -> None:
    """A table in memory, all of it or nothing."""
    from masking.table import write_table as write

    write(table.to_reader(), path)


def write_text(path: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def dataset_name(path: Path) -> str:
    """What a dataset is called that nobody named: as its file, without the extension."""
    return path.name.split(".", maxsplit=1)[0] or "dataset"


def refuse_same_file(table: Path, output: Path) -> None:
    """Raise ``BadFile`` if a command would overwrite what it reads."""
    from masking.errors import BadFile

    if output.exists() and table.exists() and output.samefile(table):
        raise BadFile("OUTPUT is the same file as INPUT; the raw table is never overwritten")


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current
