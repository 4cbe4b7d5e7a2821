"""Local recoding: each class is generalized as far as its own records need, so levels may differ within a column.

The search releases what is common by *peeling* the lattice where it is small enough, *gathers* the rest into classes of
near items, lets what is left over *join* the class that it harms least, *trades* records that are in the way of their
class where only the number of records counts, and holds the suppressed records to the limits as the class that they are
(PRIVACY 3): otherwise they leave. What it returns was judged as a reader sees it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from masking.errors import LimitsNotMet
from masking.limits import Limits
from masking.recoding.items import Ints, Items
from masking.recoding.judge import Judge
from masking.recoding.local_close import gather_close
from masking.recoding.local_gather import gather
from masking.recoding.local_join import joined, meets, numbered
from masking.recoding.local_paths import Paths
from masking.recoding.local_peel import MOST_NODES, nodes_of, peel
from masking.recoding.local_trade import traded
from masking.recoding.result import Recoding
from masking.recoding.search import Watch, Wishes

_BLOCK: Final = 1024
_BLOCK_OF_REST: Final = 256
_VISITED: Final = 700
"""Nodes that are peeled where classes must be diverse: later ones hold little and cost as much. Close classes are found
in the coarse nodes, which come last."""
_LITTLE: Final = 10_000_000
_ROUNDS: Final = 20


def search_local(items: Items, limits: Limits, wishes: Wishes, watch: Watch) -> Recoding:
    """The least lossy local recoding that this search finds.

    Raises:
        LimitsNotMet: more records than ``wishes.suppression`` allows would have to be suppressed or leave.
        Cancelled: the caller wanted no result.
    """
    paths = Paths.of(items, wishes)
    judge = Judge(items, limits)
    found = _of_close_classes(paths, judge, wishes, watch)
    if found is None or _is_small(paths) or (limits.t_closeness and limits.t_closeness.distance != "equal"):
        other = _of_peeled_classes(paths, judge, wishes, watch)
        found = other if found is None or other.granularity() >= found.granularity() else found
    if found.suppressed_records > wishes.suppression * items.records + 1e-9:
        raise LimitsNotMet(
            f"{found.suppressed_records} of {items.records} records would have to be suppressed or leave; the share "
            f"that may is {wishes.suppression:g}",
            limits={"suppression": wishes.suppression},
            measured={"suppression": found.suppressed_records / max(1, items.records)},
        )
    return found


def _is_small(paths: Paths) -> bool:
    """True if both ways cost little: then the better is taken."""
    return nodes_of(paths) * len(paths.items) <= _LITTLE


def _of_close_classes(paths: Paths, judge: Judge, wishes: Wishes, watch: Watch) -> Recoding | None:
    """By quotas of the sensitive values, where one attribute must be close and records are persons; else None."""
    items, closeness = paths.items, judge.limits.t_closeness
    if closeness is None or len(items.sensitive) != 1 or items.pairs is not None or not len(items) or wishes.whole:
        return None
    sensitive = items.sensitive[0]
    whole = np.bincount(sensitive.codes, weights=items.weights, minlength=sensitive.size) / items.records
    item = np.repeat(np.arange(len(items)), items.weights)
    label = gather_close(paths, item, sensitive.codes[item], whole, closeness.t, judge.k, watch)
    return _of_labels(paths, judge, item, np.ones(len(item), dtype=np.int64), label, wishes, watch)


def _of_peeled_classes(paths: Paths, judge: Judge, wishes: Wishes, watch: Watch) -> Recoding:
    item, count = np.arange(len(paths.items)), paths.items.weights
    label = _classes(paths, judge, item, count, wishes, watch)
    return _of_labels(paths, judge, item, count, label, wishes, watch)


def _of_labels(
    paths: Paths, judge: Judge, item: Ints, count: Ints, label: Ints, wishes: Wishes, watch: Watch
) -> Recoding:
    """What is loose joins a class, or is suppressed; if more than may be are, it joins whatever that costs."""
    if not watch.must_stop():
        label = joined(paths, judge, item, count, label, watch)
    if _share(paths.items, count, label) > wishes.suppression:
        label = joined(paths, judge, item, count, label, watch, any_price=True)
    if judge.by_size_alone and not judge.limits.needs_population and paths.items.pairs is None:
        label = traded(paths, judge.k, item, count, label, watch)
    return _released(paths, judge, judge.limits, item, count, label)


def _classes(paths: Paths, judge: Judge, item: Ints, count: Ints, wishes: Wishes, watch: Watch) -> Ints:
    label = np.full(len(item), -1, dtype=np.int64)
    if nodes_of(paths) <= MOST_NODES:
        diverse = not judge.by_size_alone and judge.limits.t_closeness is None
        peeled = peel(paths, judge, wishes, watch, nodes=_VISITED if diverse else None)
        label, rest, block = peeled.label.copy(), np.flatnonzero(peeled.label < 0), _BLOCK_OF_REST
    else:
        rest, block = item, _BLOCK
    if len(rest) and not watch.must_stop():
        gathered = gather(paths, item[rest], count[rest], judge.k, watch, block=block)
        label[rest] = np.where(gathered >= 0, gathered + label.max() + 1, -1)
    return label


def _share(items: Items, count: Ints, label: Ints) -> float:
    return float(count[label < 0].sum()) / max(1, items.records)


def _released(paths: Paths, judge: Judge, limits: Limits, item: Ints, count: Ints, label: Ints) -> Recoding:
    """The recoding of these classes: unlabelled pieces are suppressed, and leave where even that breaks a limit.

    Records that leave change the table that t-closeness compares with, so what is left is judged again until it holds.
    """
    items = paths.items
    top = np.array(items.heights, dtype=np.uint8)
    gone = np.zeros(len(item), dtype=np.bool_)
    for turn in range(_ROUNDS + 1):
        label, classes = numbered(label)
        inside = np.flatnonzero(label >= 0)
        levels = np.tile(top, (len(item), 1))
        levels[inside] = paths.levels(item[inside], label[inside], classes)[label[inside]]
        stay = np.flatnonzero(~gone)
        left = np.bincount(item[gone], weights=count[gone], minlength=len(items)).astype(np.int64)
        found = Recoding(items, item[stay], count[stay], levels[stay], left, note="local")
        seen, many = found.classes()
        if gone.any():
            judge = Judge(items, limits, released=items.weights - left)
        bad = ~meets(judge, found.item, found.count, seen, many)[seen] if len(stay) else np.zeros(0, dtype=np.bool_)
        if not bad.any():
            return found
        suppressed = found.suppressed
        if turn == _ROUNDS:
            gone[stay] = True
        elif (bad & suppressed).any():
            pulled = _pulled(paths, judge, found, seen)
            if pulled is None:
                gone[stay[suppressed]] = True
            else:
                label[stay[seen == pulled]] = -1
        label[stay[bad]] = -1
    return found


def _pulled(paths: Paths, judge: Judge, found: Recoding, seen: Ints) -> int | None:
    """The class that makes the suppressed records meet the limits, if it loses less than they hold; the cheapest."""
    suppressed = found.suppressed
    many = int(seen.max()) + 1
    size = np.bincount(seen, weights=found.count, minlength=many)
    loss = paths.losses(paths.shared(found.item, seen, many))
    price = size * (paths.root - loss)
    price[seen[suppressed]] = np.inf
    for candidate in np.argsort(price, kind="stable")[:_ROUNDS]:
        if price[candidate] > size[seen[suppressed][0]]:
            return None
        inside = np.flatnonzero(suppressed | (seen == candidate))
        if meets(judge, found.item[inside], found.count[inside], np.zeros(len(inside), dtype=np.int64), 1)[0]:
            return int(candidate)
    return None
