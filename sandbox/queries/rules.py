"""What may be asked and computed, and when. Deciders over plain values.

Rule: a question is taken or refused by its shape alone (registered names, at most three dimensions), so a refusal says
nothing about the data. An intake gets one cube; another intake of the same population gets none before ``renew_days``
have passed since the last was published. Source: PRIVACY 20.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sandbox.queries.answers import MOST_DIMENSIONS
from sandbox.queries.errors import QuestionRefused, TablesConflict, TablesDenied
from sandbox.queries.registration import Registration
from sandbox.queries.states import CubeState

MOST_MEASURES: Final = 20
COUNT: Final = "count"
KINDS: Final = ("sum", "mean")
LEAST_RENEW_DAYS: Final = 365
_NAME: Final = re.compile(r"[^\W\d]\w{0,59}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One measure of a question: under which name, ``count`` or a kind of a column."""

    name: str
    kind: str
    column: str = ""

    @property
    def words(self) -> str:
        """As a question says it."""
        return COUNT if self.kind == COUNT else f"{self.column}:{self.kind}"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: dimensions in the order of the registration, and measures."""

    by: tuple[str, ...]
    measures: tuple[Wanted, ...]

    def recorded(self) -> list[str]:
        """The questions that the ledger knows: one for each measure, whatever the asker calls it."""
        by = json.dumps(list(self.by), ensure_ascii=False)
        return [f"{by} {words}" for words in dict.fromkeys(each.words for each in self.measures)]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a decision needs to know of a cube of the same population."""

    intake_id: str
    state: str
    published_at: datetime | None
    renew_days: int


def read_question(registration: Registration, by: Sequence[str], measures: Mapping[str, Any]) -> Question:
    """The question, if its shape is one that is answered.

    Raises:
        QuestionRefused: a name is not registered or used twice, there are too many, or something is no name at all.
    """
    if not isinstance(by, list | tuple) or not all(isinstance(each, str) for each in by):
        raise QuestionRefused("维度应为名称的列表 · `by` is a list of names")
    unknown = [each for each in by if each not in registration.names]
    if unknown:
        known = "、".join(registration.names)
        raise QuestionRefused(
            f"有 {len(unknown)} 个维度没有登记；已登记：{known} · "
            f"{len(unknown)} of the dimensions are not registered; registered are {', '.join(registration.names)}"
        )
    if len(set(by)) != len(by):
        raise QuestionRefused("同一维度出现了两次 · a dimension is named twice")
    if len(by) > MOST_DIMENSIONS:
        raise QuestionRefused(
            f"一次最多按 {MOST_DIMENSIONS} 个维度统计 · at most {MOST_DIMENSIONS} dimensions are asked together"
        )
    if not isinstance(measures, Mapping) or not 1 <= len(measures) <= MOST_MEASURES:
        raise QuestionRefused(
            f"指标应有 1 至 {MOST_MEASURES} 项，每项为名称与口径 · give 1 to {MOST_MEASURES} measures by name"
        )
    wanted = tuple(_wanted(registration, name, words) for name, words in measures.items())
    _check_names(registration, [each.name for each in wanted])
    return Question(tuple(each for each in registration.names if each in by), wanted)


def check_can_compute(intake_id: str, renew_days: int, earlier: Iterable[Earlier], *, now: datetime) -> None:
    """Raise unless this intake may get a cube now.

    Raises:
        TablesConflict: it has one, one is being computed, or the population's last one is too young.
    """
    for each in earlier:
        if each.state == CubeState.COMPUTING:
            raise TablesConflict("固定口径统计正在计算 · the fixed tables are being computed")
        if each.state != CubeState.PUBLISHED or each.published_at is None:
            continue
        if each.intake_id == intake_id:
            raise TablesConflict(
                "这一批次的固定口径统计已经公布，口径不能再改，也不再计算 · the fixed tables of this intake are "
                "published; their registration cannot change and no second set is made"
            )
        until = each.published_at + timedelta(days=max(renew_days, each.renew_days, LEAST_RENEW_DAYS))
        if now < until:
            raise TablesConflict(
                f"同一人群的上一套统计公布于 {each.published_at:%Y-%m-%d}，{until:%Y-%m-%d} 之前不计算新的 · "
                f"the last set of this population was published on {each.published_at:%Y-%m-%d}; "
                f"no new one before {until:%Y-%m-%d}"
            )


def check_reviewed(*, reviewed_by: str | None, authors: Iterable[str]) -> None:
    """Raise unless another person than its authors reviewed the registration with the edition."""
    if reviewed_by is None or reviewed_by in set(authors):
        raise TablesDenied(
            "口径随脱敏策略由他人审核后才能计算 · "
            "tables are computed once another person has reviewed their registration"
        )


def expanded(by: Iterable[str], registration: Registration) -> list[str]:
    """Dimensions as a link names them: repeated, or joined by commas where no dimension is called so."""
    return [name for each in by for name in ([each] if each in registration.names else each.split(",")) if name]


def _wanted(registration: Registration, name: object, words: Any) -> Wanted:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise QuestionRefused(
            "指标名称须以文字开头，只含文字、数字和下划线，至多 60 个字符 · "
            "a measure's name begins with a letter and has only letters, digits and underscores, at most 60"
        )
    kind, column = _kind_and_column(words)
    columns = [each.column for each in registration.measures]
    if kind == COUNT:
        return Wanted(name, COUNT)
    if kind not in KINDS or column not in columns:
        zh, en = "、".join(columns) or "无", ", ".join(columns) or "none"
        raise QuestionRefused(
            f"指标 {name} 的口径没有登记；可用 count，以及对 {zh} 的 sum、mean · "
            f"the measure {name} is not registered; there is count, and sum and mean of: {en}"
        )
    return Wanted(name, kind, column)


def _kind_and_column(words: Any) -> tuple[str, str]:
    if isinstance(words, Mapping) and len(words) == 1:
        [(kind, column)] = words.items()
        return (str(kind), column if isinstance(column, str) else "")
    if isinstance(words, str):
        column, _, kind = words.rpartition(":")
        return (kind, column)
    return "", ""


def _check_names(registration: Registration, names: Sequence[str]) -> None:
    columns = [*registration.names, *names, *(f"{name}_error" for name in names)]
    if len(set(columns)) != len(columns):
        raise QuestionRefused(
            "指标名称与维度或其他指标的名称重复 · a measure's name is that of a dimension or of another column"
        )
