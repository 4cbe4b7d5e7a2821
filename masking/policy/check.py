"""Whether a policy may be run on a table: names, keys, domains, limits. Raises the first reason; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from masking.policy.model import MaskingPolicy


@dataclass(frozen=True, slots=True)
class ColumnStatistics:
    """What rule 12 needs to know of one raw column: distinct values and the share of the most frequent one."""

    distinct: int
    top_share: float


def check(
    policy: MaskingPolicy,
    schema: pa.Schema | None = None,
    statistics: Mapping[str, ColumnStatistics] | None = None,
) -> None:
    """Raise a PolicyError unless the policy is complete and sane, for the table's columns if ``schema`` is given."""
    raise NotImplementedError
