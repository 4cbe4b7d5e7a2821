"""Fixed tables (固定口径统计): which dimensions and measures a data officer registers, with bins that never change.

Rule: every category comes from the policy, a standard's code list or a hierarchy that the policy gives, never from
the raw table; whatever no category takes is counted under one more, ``other``, whether anybody is there or not, or, if
the policy says so, nowhere. A measure is clamped to bounds that are published. How much noise protects the tables is no
word of a policy.
Source: PRIVACY 20. Plain values and their reading; what the categories are stands in ``fixed_bins``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from masking.errors import InvalidParameter

OTHER: Final = "other"
"""Code of the category for what no other one takes, empty cells too."""
OTHER_TITLE: Final = {"zh": "其他或空缺", "en": "other or empty"}
MOST_TOGETHER: Final = 3
"""Dimensions that one table may have."""
MOST_CELLS: Final = 20_000
"""Cells of the largest table that can be asked for."""
MOST_BASE_CELLS: Final = 1_000_000
"""Cells of all dimensions crossed."""
FINEST: Final = 1000
"""A bound may be this many times larger than the distance between the bounds."""
_BANDS: Final = ("lower", "upper", "width")

Place = Callable[[Sequence[str]], tuple[int, int]]
"""Line and column of the entry that a path leads to, from ``tables`` on."""


@dataclass(frozen=True, slots=True)
class FixedDimension:
    """One dimension. ``column`` is the raw attribute, of whose text ``characters`` (first, last, from 1) count.

    ``codes``: the categories, in order. ``edges``: ascending bounds of bins, the lower one in the bin; None at an end:
    no bound. ``titles``: of codes, or of the bins by their codes; what has none is called by its bounds. Neither codes
    nor edges: the attribute's own codes, or the level of its hierarchy. ``other``: what no category takes is counted
    as one more; otherwise it is counted nowhere.
    """

    name: str
    column: str
    title: Mapping[str, str] = field(default_factory=dict)
    characters: tuple[int, int] | None = None
    codes: tuple[str, ...] = ()
    titles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    edges: tuple[Any, ...] = ()
    other: bool = True
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class FixedMeasure:
    """A summed attribute: what one person adds to a cell is clamped to [lower, upper]."""

    column: str
    lower: float
    upper: float
    title: Mapping[str, str] = field(default_factory=dict)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class FixedTables:
    """What is registered. A person counts in at most ``contribution`` cells of all dimensions crossed.

    ``threshold``: the least figure that is shown, noise included. ``renew_days``: days before another intake of the
    same population may get tables of its own. ``words``: as the policy says it.
    """

    dimensions: tuple[FixedDimension, ...]
    measures: tuple[FixedMeasure, ...] = ()
    contribution: int = 1
    threshold: int = 10
    renew_days: int = 365
    words: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def read_fixed_tables(words: Mapping[str, Any], place: Place) -> FixedTables:
    """The registration in a policy whose shape is right already.

    Raises:
        InvalidParameter: a dimension or measure contradicts itself.
    """
    return FixedTables(
        dimensions=tuple(_dimension(name, each, place) for name, each in words["dimensions"].items()),
        measures=tuple(_measure(name, each, place) for name, each in words.get("measures", {}).items()),
        contribution=words.get("contribution", 1),
        threshold=words.get("threshold", 10),
        renew_days=words.get("renew_days", 365),
        words=words,
    )


def spelled(code: Any) -> str:
    """A code as text: 11, 11.0 and "11" are one."""
    if isinstance(code, float) and code.is_integer():
        return str(int(code))
    return str(code)


def bands(edges: tuple[Any, ...]) -> tuple[tuple[str, ...], tuple[Mapping[str, str], ...]]:
    """Codes and titles of the bins between two edges each."""
    found = [_bin(low, high) for low, high in pairwise(edges)]
    return tuple(code for code, _ in found), tuple(title for _, title in found)


def _dimension(name: str, words: Mapping[str, Any], place: Place) -> FixedDimension:
    here = place(["dimensions", name])
    kinds = [kind for kind in ("codes", "edges", "width") if kind in words]
    bands = [word for word in _BANDS if word in words]
    if len(kinds) > 1:
        raise InvalidParameter(
            f"sandbox.tables: the dimension {name!r} has {kinds}, of which one says what its categories are"
        ).at(*here)
    for kind in ("codes", "edges"):
        if kind in words and not words[kind]:
            raise InvalidParameter(
                f"sandbox.tables: the `{kind}` of {name!r} are empty; leave the word out or say what they are"
            ).at(*here)
    if bands and len(bands) < len(_BANDS):
        raise InvalidParameter(
            f"sandbox.tables: the dimension {name!r} needs `lower`, `upper` and `width` together"
        ).at(*here)
    codes, titles = _codes(name, words.get("codes", ()), here)
    edges = tuple(words.get("edges", ())) or (_bands(name, words, here) if bands else ())
    _check_edges(name, edges, here)
    if "titles" in words:
        titles = _band_titles(name, words["titles"], edges, here)
    characters = words.get("characters")
    if characters is not None and not 1 <= characters[0] <= characters[1]:
        raise InvalidParameter(f"sandbox.tables: the characters of {name!r} are [first, last], counted from 1").at(
            *here
        )
    return FixedDimension(
        name=name,
        column=words.get("from", name),
        title=words.get("title", {}),
        characters=tuple(characters) if characters is not None else None,
        codes=codes,
        titles=titles,
        edges=edges,
        other=words.get("other", True),
        line=here[0],
    )


def _codes(name: str, given: Any, here: tuple[int, int]) -> tuple[tuple[str, ...], dict[str, Mapping[str, str]]]:
    codes = tuple(spelled(code) for code in given)
    if len(set(codes)) != len(codes) or OTHER in codes:
        raise InvalidParameter(
            f"sandbox.tables: the codes of {name!r} must differ, and none is {OTHER!r}, which always exists"
        ).at(*here)
    if not isinstance(given, Mapping):
        return codes, {}
    titles = {}
    for code, title in given.items():
        both = _both(title)
        if both is None:
            raise InvalidParameter(
                f"sandbox.tables: a code of {name!r} has a title that is neither text nor zh and en"
            ).at(*here)
        titles[spelled(code)] = both
    return codes, titles


def _band_titles(
    name: str, given: Sequence[Any], edges: tuple[Any, ...], here: tuple[int, int]
) -> dict[str, Mapping[str, str]]:
    """One title for each band, in order; no two alike, or rows of a table could not be told apart."""
    codes = bands(edges)[0] if edges else ()
    titles = [both for each in given if (both := _both(each)) is not None]
    if not codes or len(titles) < len(given) or len(given) != len(codes):
        raise InvalidParameter(
            f"sandbox.tables: `titles` of {name!r} are one for each of its {len(codes)} bands, text or zh and en; "
            "codes have theirs beside them"
        ).at(*here)
    if any(len({title[language] for title in titles}) < len(titles) for language in ("zh", "en")):
        raise InvalidParameter(f"sandbox.tables: two bands of {name!r} have the same title").at(*here)
    return dict(zip(codes, titles, strict=True))


def _both(title: Any) -> Mapping[str, str] | None:
    """A title in both languages; None: it is none."""
    both = {"zh": title, "en": title} if isinstance(title, str) else title
    return both if isinstance(both, Mapping) and set(both) == {"zh", "en"} else None


def _bands(name: str, words: Mapping[str, Any], here: tuple[int, int]) -> tuple[float, ...]:
    lower, upper, width = (words[word] for word in _BANDS)
    if not (width > 0 and lower < upper and (upper - lower) / width <= MOST_CELLS):
        raise InvalidParameter(
            f"sandbox.tables: the bands of {name!r} need lower < upper, width > 0 and at most {MOST_CELLS} bands"
        ).at(*here)
    count = math.ceil((upper - lower) / width - 1e-9)
    return (*(lower + each * width for each in range(count)), upper)


def _check_edges(name: str, edges: tuple[Any, ...], here: tuple[int, int]) -> None:
    bounds = [each for at, each in enumerate(edges) if each is not None or 0 < at < len(edges) - 1]
    texts = [isinstance(each, str) for each in bounds]
    if not edges:
        return
    if any(isinstance(each, float) and not math.isfinite(each) for each in bounds):
        raise InvalidParameter(
            f"sandbox.tables: an edge of {name!r} is infinite or not a number; no bound is null, at an end"
        ).at(*here)
    if not bounds or None in bounds or any(texts) != all(texts) or any(one >= two for one, two in pairwise(bounds)):
        raise InvalidParameter(
            f"sandbox.tables: the edges of {name!r} must ascend and be all numbers or all dates (2013-01-31); only the "
            "first and the last may be null, for no bound"
        ).at(*here)


def _measure(name: str, words: Mapping[str, Any], place: Place) -> FixedMeasure:
    here = place(["measures", name])
    lower, upper = float(words["lower"]), float(words["upper"])
    if not (math.isfinite(lower) and math.isfinite(upper) and lower < upper):
        raise InvalidParameter(f"sandbox.tables: the bounds of {name!r} need lower < upper").at(*here)
    if max(abs(lower), abs(upper)) > FINEST * (upper - lower):
        raise InvalidParameter(f"sandbox.tables: the bounds of {name!r} are too near to each other for their size").at(
            *here
        )
    return FixedMeasure(name, lower, upper, words.get("title", {}), here[0])


def _bin(low: Any, high: Any) -> tuple[str, Mapping[str, str]]:
    first, last = _edge(low), _edge(high)
    if low is None:
        return f"<{last}", {"zh": f"{last} 以下", "en": f"below {last}"}
    if high is None:
        return f">={first}", {"zh": f"{first} 及以上", "en": f"{first} and above"}
    return f"{first}..{last}", {"zh": f"{first} 至 {last} 以下", "en": f"{first} to below {last}"}


def _edge(edge: Any) -> str:
    return f"{edge:g}" if isinstance(edge, int | float) and abs(edge) < 1e6 else str(edge)
