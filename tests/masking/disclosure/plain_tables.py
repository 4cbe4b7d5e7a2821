"""The oracle: tables with margins, built cell by cell, and an attacker who tries every table of small counts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

TOTAL = "Total"


def cells(rows: list[dict], dimensions: list[str], *, unit: str | None = None) -> dict[tuple, set]:
    """For each choice of a category or the total in every dimension, the persons in it."""
    found: dict[tuple, set] = {}
    for number, row in enumerate(rows):
        person = row[unit] if unit else number
        for place in itertools.product(*((row[name], TOTAL) for name in dimensions)):
            found.setdefault(place, set()).add(person)
    return found


def possible(
    shown: dict[tuple[int, int], int], hidden: list[tuple[int, int]], shape: tuple[int, int], most: int
) -> Iterator[dict]:
    """Every table of counts of two dimensions (the last of each is the total) that agrees with what is shown.

    Hidden cells hold at least 1. Inner cells are tried one by one; margins follow.
    """
    inner = [cell for cell in itertools.product(range(shape[0] - 1), range(shape[1] - 1)) if cell in hidden]
    for values in itertools.product(range(1, most + 1), repeat=len(inner)):
        table = {cell: value for cell, value in shown.items() if cell[0] < shape[0] - 1 and cell[1] < shape[1] - 1}
        table.update(zip(inner, values, strict=True))
        for row in range(shape[0] - 1):
            table[row, shape[1] - 1] = sum(table[row, column] for column in range(shape[1] - 1))
        for column in range(shape[1]):
            table[shape[0] - 1, column] = sum(table[row, column] for row in range(shape[0] - 1))
        if all(table[cell] == value for cell, value in shown.items()):
            yield table
