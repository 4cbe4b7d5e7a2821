"""The models a second time, record by record and class by class, straight from the papers: an oracle for tests."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict


def groups(rows, quasi, *columns):
    """The named columns' values of each class's records; ``rows`` are mappings."""
    found = defaultdict(list)
    for row in rows:
        found[tuple(row[name] for name in quasi)].append(tuple(row[name] for name in columns))
    return list(found.values())


def histograms(rows, quasi, sensitive, unit=None):
    """A counter of values for each class; a person counts once for each of their values."""
    if unit is None:
        return [Counter(value for (value,) in group) for group in groups(rows, quasi, sensitive)]
    return [Counter(value for value, _ in set(group)) for group in groups(rows, quasi, sensitive, unit)]


def distinct_l(rows, quasi, sensitive, unit=None):
    return min((len(each) for each in histograms(rows, quasi, sensitive, unit)), default=0)


def entropy_l(rows, quasi, sensitive, unit=None):
    found = []
    for each in histograms(rows, quasi, sensitive, unit):
        total = sum(each.values())
        found.append(math.exp(-sum(n / total * math.log(n / total) for n in each.values())))
    return min(found, default=0)


def recursive_holds(rows, quasi, sensitive, c, l, unit=None):
    for each in histograms(rows, quasi, sensitive, unit):
        counts = sorted(each.values(), reverse=True)
        if not counts[0] < c * sum(counts[l - 1 :]):
            return False
    return True


def distances(rows, quasi, sensitive, ground, unit=None):
    """Earth mover's distance of each class to all, for a ground distance, by moving mass along the cheapest plan."""
    classes = histograms(rows, quasi, sensitive, unit)
    pairs = {(row[sensitive], number if unit is None else row[unit]) for number, row in enumerate(rows)}
    everyone = Counter(value for value, _ in pairs)
    values, total = sorted(everyone, key=str), sum(everyone.values())
    found = []
    for each in classes:
        size = sum(each.values())
        gain = {value: each[value] / size - everyone[value] / total for value in values}
        found.append(transport(gain, ground))
    return found


def transport(gain, ground):
    """The least cost that levels ``gain`` (value: surplus) out: successive shortest paths with real masses."""
    surplus = {value: mass for value, mass in gain.items() if mass > 1e-15}
    lack = {value: -mass for value, mass in gain.items() if mass < -1e-15}
    flow = defaultdict(float)
    while max(surplus.values(), default=0) > 1e-13 and max(lack.values(), default=0) > 1e-13:
        distance = {("s", value): 0.0 for value, mass in surplus.items() if mass > 1e-13}
        before = {}
        for _ in range(len(surplus) + len(lack)):
            changed = False
            for a, b in itertools.product(surplus, lack):
                cost = ground(a, b)
                if distance.get(("s", a), math.inf) + cost < distance.get(("t", b), math.inf) - 1e-12:
                    distance["t", b] = distance["s", a] + cost
                    before["t", b] = ("s", a)
                    changed = True
                if (
                    flow[a, b] > 1e-13
                    and distance.get(("t", b), math.inf) - cost < distance.get(("s", a), math.inf) - 1e-12
                ):
                    distance["s", a] = distance["t", b] - cost
                    before["s", a] = ("t", b)
                    changed = True
            if not changed:
                break
        end = min((place for place in distance if place[0] == "t" and lack[place[1]] > 1e-13), key=distance.get)
        path = [end]
        while path[-1] in before:
            path.append(before[path[-1]])
        amount = min(lack[end[1]], surplus[path[-1][1]])
        for to, start in itertools.pairwise(path):
            if to[0] == "s":
                amount = min(amount, flow[to[1], start[1]])
        for to, start in itertools.pairwise(path):
            if to[0] == "t":
                flow[start[1], to[1]] += amount
            else:
                flow[to[1], start[1]] -= amount
        surplus[path[-1][1]] -= amount
        lack[end[1]] -= amount
    return sum(mass * ground(a, b) for (a, b), mass in flow.items())


def lowest_common(rows):
    """The ground distance of a hierarchy given as rows, leaf first: level of the lowest common node over the height."""
    above = {row[0]: row for row in rows}
    height = len(rows[0]) - 1

    def ground(a, b):
        return next(level for level in range(height + 1) if above[a][level] == above[b][level]) / height

    return ground
