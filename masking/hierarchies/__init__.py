"""Generalization hierarchies: from a file, built for numbers, dates and codes, or proposed from a column."""

from masking.hierarchies.build import by_date, by_interval, by_prefix, flat, proposal, propose
from masking.hierarchies.hierarchy import TOP, Hierarchy
from masking.hierarchies.lines import checked_rows
from masking.hierarchies.read import as_hierarchy, read_rows, rows_of

__all__ = [
    "TOP",
    "Hierarchy",
    "as_hierarchy",
    "by_date",
    "by_interval",
    "by_prefix",
    "checked_rows",
    "flat",
    "proposal",
    "propose",
    "read_rows",
    "rows_of",
]
