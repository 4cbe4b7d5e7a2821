"""k-anonymity: every combination of quasi-identifiers belongs to at least k persons.

Source: Samarati and Sweeney, 1998; a measurement model in ISO/IEC 20889:2018.
Null is a value of its own: two nulls are equal. Persons are rows unless ``unit`` names the column that tells them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import pyarrow as pa


def equivalence_classes(table: Any, quasi_identifiers: Sequence[str], unit: Any = None) -> pl.DataFrame:
    """One row per class: the quasi-identifiers, ``records`` and ``persons``."""
    raise NotImplementedError


def k_anonymity(table: Any, quasi_identifiers: Sequence[str], unit: Any = None) -> int:
    """Persons in the smallest class; 0 for an empty table; all persons without quasi-identifiers."""
    raise NotImplementedError


def uniqueness(table: Any, quasi_identifiers: Sequence[str], unit: Any = None) -> float:
    """Share of persons who are alone in a class, in [0, 1]; 0 for an empty table."""
    raise NotImplementedError


def uniqueness_all_columns(table: Any) -> float:
    """Share of records that no other record equals in every column."""
    raise NotImplementedError


def class_sizes(table: Any, quasi_identifiers: Sequence[str], unit: Any = None) -> pa.Array:
    """For each record the number of persons in its class (uint32), in the table's order."""
    raise NotImplementedError
