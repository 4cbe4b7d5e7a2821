"""The local engine: a policy compiled into a plan, a plan run over batches on this machine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from masking import Masked
from masking.keys import Keys

if TYPE_CHECKING:
    from masking.policy.model import MaskingPolicy
    from masking.report import MaskingReport

MakeReader = Callable[[], pa.RecordBatchReader]
Sink = Callable[[pa.RecordBatchReader], None]
Progress = Callable[[int], None]  # records so far
Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class Plan:
    """A compiled policy: pure, picklable; holds derived keys, so its ``repr`` shows none of its content."""

    output_schema: pa.Schema

    def mask_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Mask one batch of the schema that the plan was compiled for."""
        raise NotImplementedError


def compile(policy: "MaskingPolicy", schema: pa.Schema, keys: Keys | None, *, files: Path | None = None) -> Plan:
    """Check the policy against the table's columns and build every technique; no record is read."""
    raise NotImplementedError


def run(
    plan: Plan, reader: pa.RecordBatchReader, *, progress: Progress | None = None, cancelled: Cancelled | None = None
) -> pa.RecordBatchReader:
    """Mask a stream batch by batch; limits are not applied here (see ``apply_stream``)."""
    raise NotImplementedError


def apply_stream(
    policy: "MaskingPolicy",
    make_reader: MakeReader,
    keys: Keys | None,
    sink: Sink,
    *,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    files: Path | None = None,
) -> "MaskingReport":
    """
    Mask a stream in two passes with flat memory: the first measures, the second writes to ``sink`` what may leave.

    ``make_reader`` is called once a pass and must give the same records each time. Raises before ``sink`` is called.
    """
    raise NotImplementedError


def apply(policy: Any, table: Any, keys: Any = None, *, files: str | Path | None = None) -> Masked:
    """See ``masking.apply``."""
    raise NotImplementedError
