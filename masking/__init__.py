"""
Masking: a table and a policy in, a masked table and a report out.

A pure library: no web, database, network, clock or environment. Tables, keys and randomness come in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from masking.report import MaskingReport


@dataclass(frozen=True, slots=True)
class Masked:
    """What ``apply`` returns: ``table`` is of the caller's kind (pandas, polars, pyarrow)."""

    table: Any
    report: "MaskingReport"

    def __repr__(self) -> str:
        return f"Masked({type(self.table).__name__}, report=<{type(self.report).__name__}>)"


def apply(
    policy: Any, table: Any, keys: Any = None, *, files: str | Path | None = None, workers: int | None = None
) -> Any:
    """
    Mask ``table`` by ``policy`` and report what it did: a ``Masked``; the table is not changed.

    With the policies of several tables (``tables:``) ``table`` is a mapping of names to tables, and a mapping of names
    to ``Masked`` comes back: all of them or none.

    ``policy`` is a ``MaskingPolicy``, its YAML text or a path; ``keys`` a mapping of names to bytes, a keys file or a
    provider; ``files`` the folder that hierarchies are read from (a policy's own folder when it is a path); ``workers``
    how many threads or processes mask (None: one for each core), which changes nothing in the result.

    ``table``: a pandas or polars frame (a lazy one is collected), a pyarrow table, batch or reader, or the path of a
    file; for a path a pyarrow table comes back. Everything is held in memory: for files larger than that see
    ``masking.engines.local.apply_stream``.

    Raises:
        PolicyError: the policy is wrong or does not name exactly the table's columns; no record was read.
        KeyMissing: the policy names a key that was not given; no record was read.
        DataError: values are not as the policy declares them.
        LimitsNotMet: more records than ``limits.suppression`` allows would have to leave.

    """
    if isinstance(table, Mapping):
        from masking.engines.tables import apply as run_all

        return run_all(policy, table, keys, files=files)
    from masking.engines.local import apply as run

    return run(policy, table, keys, files=files, workers=workers)
