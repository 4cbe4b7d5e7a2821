"""Global recoding: one level for each attribute in the whole table, the least lossy that meets the limits.

Classes that do not meet them are suppressed. The optimum is found by bounds, best first: the node that may lose least
is either counted or shown, by a coarser node on its path, to lose more than the best known. Loss and semantics are
ARX's, so that its optimum is ours, but suppressed records are held to the limits too. Sources: Samarati 2001;
Kohlmayer et al. 2012 (Flash); Prasser et al. 2016 (suppression).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from masking.errors import LimitsNotMet
from masking.limits import Limits
from masking.recoding.counting import EQUAL, Accept, Counter
from masking.recoding.items import Items
from masking.recoding.ladders import Ladders
from masking.recoding.lattice import Lattice, Node, nodes_of
from masking.recoding.result import Recoding, whole
from masking.recoding.search import Watch, Wishes
from masking.recoding.weighing import Aggregate, Loss

MOST_NODES: Final = 1 << 21
"""The largest lattice whose optimum is looked for."""
MOST_WORK: Final = 1 << 29
"""How many items and bounds are gone through for a proof: some twenty seconds, whatever the machine does meanwhile."""
_FIRST_ROLL: Final = 16
_MOST_TIES: Final = 64
_PATIENCE: Final = 48


def search_global(
    items: Items,
    limits: Limits,
    wishes: Wishes,
    watch: Watch,
    *,
    loss: Aggregate = "geometric",
    hold_suppressed: bool = True,
    accept: Accept | None = None,
) -> Recoding:
    """The least lossy global recoding; ``optimal`` if that is proven.

    It is not for more than ``MOST_NODES`` nodes or when a proof takes more than ``MOST_WORK``: then the best is taken
    that a walk finds as well.

    The loss counts a suppressed record as ``*`` in every attribute, and so does one that leaves. A record that holds
    ``*`` in every attribute is suppressed, whatever made it so. Levels outside the wished ones are not taken. Of nodes
    that lose the same the one with fewer suppressed records, then with fewer classes, then the finest is taken.
    ``hold_suppressed``: the group of suppressed records must meet every limit too, else its records leave (PRIVACY 3),
    and t-closeness is measured against what is released. False gives ARX's semantics, which hold suppressed records to
    nothing and measure t-closeness against the whole table: for comparisons only. ``accept``: given the persons of each
    released class, whether the table as a whole is acceptable; a node that is not can not be the result.

    Raises:
        LimitsNotMet: no node meets the limits with the suppression that is allowed.
        InvalidParameter: wishes that name no attribute or no level, limits that lack what they need.
        Cancelled: ``watch`` said so.
    """
    ladders = Ladders.of(items, wishes.ranges(items))
    weigh = Loss(ladders.items, wishes.weighed(items), loss, ladders.shares(items))
    if not items.records:
        lowest = np.array([levels[0] for levels in ladders.levels], dtype=np.uint8)
        return whole(items, np.tile(lowest, (len(items), 1)), optimal=True)
    allowed = math.floor(wishes.suppression * items.records + 1e-9)
    counter = Counter(ladders.items, limits, weigh, allowed, ladders.top(items), hold=hold_suppressed, accept=accept)
    nodes = nodes_of(ladders.items.heights)
    proven = _to_the_optimum(counter, watch) if nodes <= MOST_NODES else _downhill(counter, watch)
    if counter.best is None:
        raise LimitsNotMet(
            "no level of each attribute meets the limits with as few records suppressed as is allowed",
            limits={"suppressed_records": float(allowed)},
            measured={"suppressed_records": float(counter.fewest), "records": float(items.records)},
        )
    _, _, state = counter.held(counter.best.node)
    levels = np.where(state.kept[:, None], ladders.node(counter.best.node), items.heights).astype(np.uint8)
    end = "none is less lossy"
    if not proven:
        end = "stopped early" if watch.must_stop() else "too many to prove that none is less lossy"
    note = f"global recoding: {counter.counted} of {nodes} nodes counted, {end}"
    return whole(items, levels, gone=state.gone, optimal=proven, note=note)


def levels_of(recoding: Recoding) -> Node:
    """The level of each attribute that a global recoding took, the top where it suppressed everything."""
    kept = np.flatnonzero(~recoding.suppressed)
    return tuple(int(level) for level in (recoding.levels[kept[0]] if len(kept) else recoding.items.heights))


def _to_the_optimum(counter: Counter, watch: Watch) -> bool:
    """Count nodes until no other can be better; False if ``watch`` ended it before."""
    lattice = counter.lattice = Lattice(counter.parts)
    next_roll = _FIRST_ROLL
    while True:
        node, bound = lattice.least()
        if not bound < counter.bar:
            return _ties(counter, lattice, watch)
        for step in _halving(counter, lattice, node):
            if counter.best is not None and watch.must_stop():
                return False
            watch.tell("searching", 1 - lattice.open_share(counter.bar))
            counter.count(step)
        if counter.spent > MOST_WORK:
            counter.give_up_the_lattice()
            return _downhill(counter, watch)
        if counter.counted >= next_roll:
            next_roll *= 2
            counter.roll_up(lattice.floor(counter.bar + 4 * EQUAL))


def _halving(counter: Counter, lattice: Lattice, node: Node) -> Iterator[Node]:
    """Nodes to count: the coarsest of a path that settles its first node is found by halving."""
    path = lattice.path(node)
    low, high = 0, len(path) - 1
    while low <= high:
        middle = (low + high) // 2
        if lattice.is_open(path[middle]):
            yield path[middle]
        if lattice.bound(node) < counter.bar:
            high = middle - 1
        else:
            low = middle + 1


def _ties(counter: Counter, lattice: Lattice, watch: Watch) -> bool:
    """Count the nodes that may lose the same as the best, up to some number of them."""
    for _ in range(_MOST_TIES):
        node, bound = lattice.least()
        if counter.best is None or counter.best.node == counter.top or bound > counter.bar + 2 * EQUAL:
            break
        if watch.must_stop():
            break
        watch.tell("searching", 1.0)
        counter.count(node)
    return True


def _downhill(counter: Counter, watch: Watch) -> bool:
    """From the coarsest node to the best neighbour, again and again: good, and not proven.

    Neighbours that were visited are not visited again, so a walk leaves a dead end; it ends when some steps in a row
    found nothing better (tabu search, Glover 1989).
    """
    here: Node = tuple(len(part) - 1 for part in counter.parts)
    counter.count(here)
    visited = {here}
    left, best = _PATIENCE, counter.best
    while left:
        found = _best_neighbour(counter, here, visited, watch)
        if found is None:
            break
        here = found
        visited.add(here)
        left, best = (left - 1, best) if counter.best == best else (_PATIENCE, counter.best)
    return False


def _best_neighbour(counter: Counter, here: Node, visited: set[Node], watch: Watch) -> Node | None:
    """The least lossy node one level away in one attribute; None if there is none, or the search must stop."""
    near = [
        (*here[:place], level, *here[place + 1 :])
        for place, part in enumerate(counter.parts)
        for level in (here[place] - 1, here[place] + 1)
        if 0 <= level < len(part)
    ]
    found: tuple[tuple[int, float], Node] | None = None
    for plain, node in sorted((counter.plain(node), node) for node in near if node not in visited):
        # No node costs less than its generalization alone.
        if found is not None and found[0] < (0, plain):
            break
        if counter.best is not None and watch.must_stop():
            return None
        watch.tell("searching", 0.5)
        cost = counter.count(node), node
        found = cost if found is None else min(found, cost)
    return None if found is None else found[1]
