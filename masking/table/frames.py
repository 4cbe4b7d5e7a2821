"""Frames to streams and back: what kind came in goes out, and the caller's table is never changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

Restore = Callable[[pa.RecordBatchReader], Any]


def as_reader(table: Any) -> tuple[pa.RecordBatchReader, Restore]:
    """
    Return a stream over ``table`` and the function that turns a masked stream into the same kind.

    Accepted: pandas and polars frames, ``pa.Table``, ``pa.RecordBatch``, ``pa.RecordBatchReader`` (a reader comes back), and a
    path (a ``pa.Table`` comes back).
    """
    raise NotImplementedError(str(Path))
