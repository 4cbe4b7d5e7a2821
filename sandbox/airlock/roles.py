"""What a column of an output is: group, count, share, extreme, measure or term, by its name and type alone.

Never by the author's word. A whole-number column is a count unless its name says otherwise: the cells of a wide cross
table are counts too. Names are those that people give, in Chinese and English. Pure.
Source: PRIVACY.md 16.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_COUNT: Final = re.compile(
    r"(^|_)(n|n_?obs|nobs|count|counts|cnt|freq|frequency|num|persons?|people|patients|households|records|rows|total)"
    r"(_|$)|人数|户数|计数|频数|数量|样本量|次数|个数|总数",
    re.IGNORECASE,
)
_SHARE: Final = re.compile(
    r"(^|_)(share|prop|proportion|pct|percent|percentage|rate|ratio)(_|$)|占比|比例|百分比|率$", re.IGNORECASE
)
_EXTREME: Final = re.compile(
    r"(^|_)(min|max|minimum|maximum|median|quantile|percentile|mode|first|last|q\d+|p\d+)(_|$)"
    r"|\d%(?!\s*(?:ci|置信|可信|conf))|最大|最小|中位|众数|分位",
    re.IGNORECASE,
)
_BOUND: Final = re.compile(r"x?\d+(\.\d+)?\s?%", re.IGNORECASE)
"""How R calls the bounds of a coefficient's confidence interval."""
_MEASURE: Final = re.compile(
    r"(^|_)(mean|avg|average|sum|std|sd|stdev|var|variance|se|std_error|estimate|coef|coefficient|beta|df|dof|df_resid"
    r"|index|score|year|month|day|hour|week|quarter)(_|$)|均值|平均|总和|金额|标准|方差|指数|自由度|年|月|日",
    re.IGNORECASE,
)
_PER_ONE: Final = re.compile(r"[^_]_per_[^\d_]|^(人均|次均|例均|户均|每(人|户|例|床))", re.IGNORECASE)
"""So many of one thing for each of another: a mean, whatever is counted."""
_CHANGE: Final = re.compile(
    r"(^|_)(growth|change|diff|difference|gap|delta|yoy|mom|qoq)(_|$)|增长|增速|增幅|同比|环比|变化|差距|差异",
    re.IGNORECASE,
)
_SUM: Final = re.compile(r"^(total|sum)_(?P<after>.+)$|^(?P<before>.+)_(total|sum)$", re.IGNORECASE)
_SUM_ZH: Final = re.compile(r"^(总|合计|累计)(?P<after>.+)$|^(?P<before>.+)(总和|总计|合计|总额)$")
_TOTAL: Final = re.compile(r"(^|_)total(_|$)", re.IGNORECASE)
_TERM: Final = re.compile(r"^(term|variable|param|parameter|coefficient_name|变量|自变量|项)$", re.IGNORECASE)
_ESTIMATE: Final = re.compile(
    r"^(estimate|coef|coefficient|beta|odds_ratio|hazard_ratio|or|hr|rr|irr|aor|(or|hr|rr)值|(回归)?系数|估计值?|β值?)$",
    re.IGNORECASE,
)
_INDEX: Final = re.compile(r"index|idx|row_?id|no|序号|编号|行号", re.IGNORECASE)
_SCALES: Final = (
    (1e6, re.compile(r"per_?(1m|1_?000_?000|million)|每百万|百万分", re.IGNORECASE)),
    (1e5, re.compile(r"per_?(100_?k|100_?000)|每?(十万|10万)", re.IGNORECASE)),
    (1e4, re.compile(r"per_?(10_?k|10_?000)|每万|万分|/万", re.IGNORECASE)),
    (1e3, re.compile(r"per_?(1_?k|1_?000|thousand|mille)(?!\d)|每千|千分|‰", re.IGNORECASE)),
    (
        1e2,
        re.compile(r"(^|_)(pct|percent|percentage)(_|$)|per_?(100|hundred)(?!\d)|百分|(?<!\d)(?<!\d )%", re.IGNORECASE),
    ),
)


class ColumnRole(StrEnum):
    """What a column of an output is."""

    DIMENSION = "dimension"
    COUNT = "count"
    SHARE = "share"
    EXTREME = "extreme"
    MEASURE = "measure"
    TERM = "term"


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """Name, type and role of one column."""

    name: str
    type: str
    role: ColumnRole


def is_label(column: TypedColumn) -> bool:
    """Whether the column's cells are labels and not quantities."""
    return column.role in {ColumnRole.DIMENSION, ColumnRole.TERM}


def role_of(name: str, type_: str, attributes: Collection[str]) -> ColumnRole:
    """The role of a column. ``attributes`` name the raw columns: whole numbers under such a name are group keys."""
    if type_ in {"string", "date", "boolean"}:
        return ColumnRole.TERM if _TERM.match(name) else ColumnRole.DIMENSION
    if _EXTREME.search(name):
        return ColumnRole.EXTREME
    if type_ == "integer" and name in attributes:
        return ColumnRole.DIMENSION
    if is_change(name):
        return ColumnRole.MEASURE
    if type_ == "number" and is_estimate(name):
        return ColumnRole.MEASURE  # an odds ratio is no share
    if scale_named(name) or _SHARE.search(name):
        return ColumnRole.SHARE
    if _MEASURE.search(name) or _PER_ONE.search(name) or _is_sum(name, attributes):
        return ColumnRole.MEASURE
    if type_ == "integer":
        return ColumnRole.COUNT
    # Totals of something are decimals; numbers of persons may be too, where some are missing.
    of = _TOTAL.sub("", name)
    return ColumnRole.COUNT if _COUNT.search(of) or (not of and _COUNT.search(name)) else ColumnRole.MEASURE


def is_index(name: str) -> bool:
    """Whether a column is called after the rows' own numbers."""
    return _INDEX.fullmatch(name) is not None


def is_count_by_name(name: str) -> bool:
    """Whether the name says that a column counts."""
    return _COUNT.search(name) is not None


def is_change(name: str) -> bool:
    """Whether a column says by how much something grew or differs: it may be below nought, and is no share."""
    return _CHANGE.search(name) is not None


def is_bound(name: str) -> bool:
    """Whether a column of a model is called as R calls the bounds of intervals: 2.5 %."""
    return _BOUND.fullmatch(name) is not None


def is_estimate(name: str) -> bool:
    """Whether a column holds a model's coefficients."""
    return _ESTIMATE.match(name) is not None


def scale_named(name: str) -> float | None:
    """What a share is multiplied by, where its name says so.

    >>> [scale_named(n) for n in ("deaths_per_100k", "发病率（每10万）", "rate_pct", "占比(%)", "share", "per_capita")]
    [100000.0, 100000.0, 100.0, 100.0, None, None]
    """
    return next((scale for scale, pattern in _SCALES if pattern.search(name)), None)


def _is_sum(name: str, attributes: Collection[str]) -> bool:
    """Whether a total is that of a raw column (total_cost), and no number of records or persons."""
    match = _SUM.match(name) or _SUM_ZH.match(name)
    return match is not None and (match["after"] or match["before"]) in attributes
