"""Global recoding read plainly: every node, every record, one after the other. Slow, and shares no code with ours."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Row = tuple[str, ...]
Paths = dict[str, Row]
"""{leaf: (leaf, parent, …, "*")}"""
Meets = Callable[[list[str], list[str]], bool]
"""From the sensitive values of a class and of the whole table."""


@dataclass(frozen=True)
class Plain:
    """What a node does: its loss, records suppressed (or gone), classes kept, and which records do what."""

    loss: float
    suppressed: int
    classes: int
    node: tuple[int, ...]
    kept: frozenset[int]
    gone: frozenset[int]


def best(
    rows: Sequence[Row],
    paths: Sequence[Paths],
    meets: Meets,
    *,
    suppression: float = 1.0,
    weights: Sequence[float] | None = None,
    ranges: Sequence[tuple[int, int]] | None = None,
    hold: bool = True,
    accept: Callable[[list[int]], bool] | None = None,
) -> Plain | None:
    """The least lossy node; rows are quasi-identifiers and then one sensitive value."""
    heights = [len(next(iter(each.values()))) - 1 for each in paths]
    ranges = ranges or [(0, height) for height in heights]
    found = []
    for node in itertools.product(*(range(low, high + 1) for low, high in ranges)):
        plain = counted(rows, paths, meets, node, weights or [1.0] * len(paths), heights, hold)
        if plain.suppressed <= suppression * len(rows) + 1e-9 and (
            accept is None or accept(_sizes(rows, paths, plain))
        ):
            found.append(plain)
    return min(found, key=lambda each: (round(each.loss, 11), each.suppressed), default=None)


def counted(
    rows: Sequence[Row],
    paths: Sequence[Paths],
    meets: Meets,
    node: tuple[int, ...],
    weights: Sequence[float],
    heights: Sequence[int],
    hold: bool,
) -> Plain:
    classes = defaultdict(list)
    for number, row in enumerate(rows):
        classes[tuple(path[cell][level] for path, cell, level in zip(paths, row, node, strict=False))].append(number)
    kept: list[list[int]] = [] if list(node) == list(heights) else list(classes.values())
    starred = [] if kept else list(range(len(rows)))
    gone: list[int] = []

    def right(group: list[int], released: list[int]) -> bool:
        return meets([rows[number][-1] for number in group], [rows[number][-1] for number in released])

    while True:
        before = (len(kept), len(gone))
        released = [number for number in range(len(rows)) if number not in gone]
        starred += [number for group in kept if not right(group, released) for number in group]
        kept = [group for group in kept if right(group, released)]
        if hold and starred and not right(starred, released):
            gone, starred = gone + starred, []
        if before == (len(kept), len(gone)) or not hold:
            break
    inside = frozenset(number for group in kept for number in group)
    losses = []
    for place, path in enumerate(paths):
        leaves = len(path)
        below = Counter(each[node[place]] for each in path.values())
        covered = [
            below[path[row[place]][node[place]]] / leaves if number in inside else 1.0
            for number, row in enumerate(rows)
        ]
        mean = sum(covered) / len(rows)
        losses.append((mean - 1 / leaves) / (1 - 1 / leaves) if leaves > 1 else 0.0)
    most = max(weights)
    product = math.prod(1 + loss * weight / most for loss, weight in zip(losses, weights, strict=True))
    loss = product ** (1 / len(losses)) - 1
    return Plain(loss, len(rows) - len(inside), len(kept), node, inside, frozenset(gone))


def _sizes(rows: Sequence[Row], paths: Sequence[Paths], plain: Plain) -> list[int]:
    classes = Counter(
        tuple(path[cell][level] for path, cell, level in zip(paths, rows[number], plain.node, strict=False))
        for number in plain.kept
    )
    starred = len(rows) - len(plain.kept) - len(plain.gone)
    return [*classes.values(), *([starred] if starred else [])]
