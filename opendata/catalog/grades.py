"""The matrix of grades, read from ``policies/grades.yaml``; no other module repeats it.

The level of the raw table decides which doors may open. A city may lay its own file over the product's: every field
is compared and a looser one is refused. A file that breaks a rule of PRIVACY.md 1 (unconditional without
``anonymized``, an opened important or core level, a higher level opened wider than a lower one) is refused as well.
Source: DESIGN.md 3; GB/T 43697-2024; GB/T 42460-2023; 个人信息保护法 Art. 4, 13, 23, 25, 28, 73.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Self

import yaml

from masking.taxonomy import DataLevel, Effect, LegalStatus, OpeningClass
from opendata.catalog.errors import InvalidGrades
from opendata.catalog.models import Dataset, DatasetState, Edition, EditionKind, EditionState
from opendata.catalog.texts import Text, text
from opendata.identity import Actor, Role
from opendata.identity.roles import OF_DEPARTMENTS
from opendata.settings import Settings

VERSION: Final = 1
CLOSED_LEVELS: Final = (DataLevel.IMPORTANT, DataLevel.CORE)
CODE_REVIEWS: Final = ("none", "first_run")
CITY_FILE: Final = "grades.yaml"
"""A city's own tightening, in the service's home."""

LEVEL_UNKNOWN: Final = text("原始数据级别尚未确认", "the level of the raw table is not confirmed yet")
NO_CLAUSE: Final = text("《数据安全法》第二十一条", "Data Security Law, Art. 21")


@dataclass(frozen=True, slots=True)
class Decision:
    """May it become this? ``reason`` says why not (or on which row it rests), ``clause`` names the law."""

    allowed: bool
    reason: Text
    clause: Text
    level: DataLevel | None
    """The edition's own level when allowed."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way an edition may be opened; every condition must hold."""

    opening_class: OpeningClass
    kinds: frozenset[EditionKind]
    min_effect: Effect
    anonymized: bool
    legal_basis: bool

    def within(self, other: "Alternative") -> bool:
        """True if this one opens nothing that ``other`` does not open."""
        return (
            self.opening_class is other.opening_class
            and self.kinds <= other.kinds
            and self.min_effect >= other.min_effect
            and self.anonymized >= other.anonymized
            and self.legal_basis >= other.legal_basis
        )


@dataclass(frozen=True, slots=True)
class SealedJobs:
    """What sealed jobs on raw data of a level need. ``code_review``: none or first_run."""

    open: bool
    code_review: str
    checkers: int
    registered_outputs_only: bool
    clause: Text

    def within(self, other: "SealedJobs") -> bool:
        """True if this is no looser than ``other``."""
        return (
            self.open <= other.open
            and CODE_REVIEWS.index(self.code_review) >= CODE_REVIEWS.index(other.code_review)
            and self.checkers >= other.checkers
            and self.registered_outputs_only >= other.registered_outputs_only
        )


@dataclass(frozen=True, slots=True)
class WorkspaceApproval:
    """Who agrees to a workspace over data of a level.

    One person with a role of ``controllers`` for each providing organisation, ``persons`` different people in all;
    those beyond the providers may have a role of ``others`` in another organisation.
    """

    controllers: frozenset[Role]
    others: frozenset[Role]
    persons: int

    def within(self, other: "WorkspaceApproval") -> bool:
        """True if this asks for no less than ``other``."""
        return self.controllers <= other.controllers and self.others <= other.others and self.persons >= other.persons


@dataclass(frozen=True, slots=True)
class Row:
    """One level of the raw table."""

    words: Text
    clause: Text
    edition: tuple[Alternative, ...]
    fixed_tables: bool
    differential_privacy: bool
    sealed_jobs: SealedJobs
    workspaces: WorkspaceApproval


@dataclass(frozen=True, slots=True)
class Door:
    """The nearest way to the data for one person.

    ``kind``: download, sign_in, apply, wait, grant, sandbox, department, later (nothing is published now) or none.
    """

    kind: str
    text: Text
    clause: Text


@dataclass(frozen=True, slots=True)
class Grades:
    """The validated matrix."""

    rows: Mapping[DataLevel, Row]
    negative_list: Row
    edition_levels: Mapping[DataLevel, tuple[DataLevel, ...]]
    conditional_at_least: DataLevel
    full_public: float
    """Largest risk of one person in an unconditional edition, in (0, 1]."""
    controlled: float
    """Largest risk of one person in a conditional edition, in (0, 1]."""

    @classmethod
    def load(cls, path: Path, tightened_by: Path | None = None) -> Self:
        """Read and validate the matrix; a city's file may tighten it. Raises InvalidGrades."""
        document = _read(path)
        grades = cls._build(document)
        _check_rules(grades)
        if tightened_by is None:
            return grades
        city = cls._build(_merge(document, _read(tightened_by)))
        _check_rules(city)
        _check_not_looser(city, grades)
        return city

    @classmethod
    def _build(cls, document: Mapping[str, Any]) -> Self:
        try:
            if document["version"] != VERSION:
                raise InvalidGrades(text("分级矩阵的版本号不认识。", "The grades file has an unknown version."))
            rows = {DataLevel(name): _row(row) for name, row in document["levels"].items()}
            negative = document["negative_list"]
            thresholds = document["thresholds"]
            return cls(
                rows=rows,
                negative_list=_closed(_text(negative["row"]), _text(negative["clause"])),
                edition_levels={
                    DataLevel(name): tuple(DataLevel(level) for level in levels)
                    for name, levels in document["edition_level"].items()
                },
                conditional_at_least=DataLevel(document["conditional_at_least"]),
                full_public=_fraction(thresholds["full_public"]),
                controlled=_fraction(thresholds["controlled"]),
            )
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise InvalidGrades(
                text(f"分级矩阵不完整或有误：{error}", f"The grades file is incomplete or wrong: {error}")
            ) from None

    def decide(
        self,
        *,
        raw_level: DataLevel | None,
        kind: EditionKind,
        opening_class: OpeningClass,
        effect: Effect,
        legal_status: LegalStatus,
        legal_basis: str,
        negative_list: bool = False,
    ) -> Decision:
        """May an edition of this raw level be opened in this class?"""
        if raw_level is None:
            return Decision(allowed=False, reason=LEVEL_UNKNOWN, clause=NO_CLAUSE, level=None)
        row = self._row(raw_level, negative_list)
        missing: list[Text] = []
        for alternative in row.edition:
            if alternative.opening_class is not opening_class:
                continue
            missing = _missing(alternative, kind, effect, legal_status, legal_basis)
            if not missing:
                level = self.edition_level(raw_level, effect, opening_class)
                return Decision(allowed=True, reason=row.words, clause=row.clause, level=level)
        return Decision(allowed=False, reason=_refusal(row, opening_class, missing), clause=row.clause, level=None)

    def reachable(
        self,
        raw_level: DataLevel,
        kind: EditionKind,
        opening_class: OpeningClass,
        *,
        legal_basis: str,
        negative_list: bool = False,
    ) -> Decision:
        """Whether the best effect and an anonymized status could open it so: asked before any work is done."""
        return self.decide(
            raw_level=raw_level,
            kind=kind,
            opening_class=opening_class,
            effect=max(Effect),
            legal_status=LegalStatus.ANONYMIZED,
            legal_basis=legal_basis,
            negative_list=negative_list,
        )

    def edition_level(self, raw_level: DataLevel, effect: Effect, opening_class: OpeningClass) -> DataLevel:
        """The edition's own level; a conditional edition is never below ``conditional_at_least``."""
        levels = self.edition_levels.get(raw_level)
        level = levels[effect - 1] if levels else raw_level
        return max(level, self.conditional_at_least) if opening_class is OpeningClass.CONDITIONAL else level

    def largest_risk(self, opening_class: OpeningClass) -> float:
        """Largest risk of one person that an edition of this class may hold."""
        return self.full_public if opening_class is OpeningClass.UNCONDITIONAL else self.controlled

    def choices(
        self, raw_level: DataLevel, *, negative_list: bool = False
    ) -> Sequence[tuple[OpeningClass, EditionKind]]:
        """Classes and kinds an edition of this raw level may ask for, most open first (for forms)."""
        row = self._row(raw_level, negative_list)
        return [
            (alternative.opening_class, kind)
            for alternative in row.edition
            for kind in EditionKind
            if kind in alternative.kinds
        ]

    def row_text(self, raw_level: DataLevel) -> Text:
        """The row of the matrix in words."""
        return self.rows[raw_level].words

    def clause(self, raw_level: DataLevel) -> Text:
        """The clause behind the row."""
        return self.rows[raw_level].clause

    def fixed_tables(self, raw_level: DataLevel | None, *, negative_list: bool = False) -> bool:
        """May fixed tables be computed? No while the level is unknown."""
        return raw_level is not None and self._row(raw_level, negative_list).fixed_tables

    def differential_privacy(self, raw_level: DataLevel | None, *, negative_list: bool = False) -> bool:
        """May differentially private answers be given? No while the level is unknown."""
        return raw_level is not None and self._row(raw_level, negative_list).differential_privacy

    def sealed_jobs(self, raw_level: DataLevel | None, *, negative_list: bool = False) -> SealedJobs:
        """What sealed jobs need; closed when the level is unknown."""
        if raw_level is None:
            return _closed(LEVEL_UNKNOWN, NO_CLAUSE).sealed_jobs
        return self._row(raw_level, negative_list).sealed_jobs

    def workspaces(self, raw_level: DataLevel | None, *, negative_list: bool = False) -> WorkspaceApproval:
        """Who agrees to a workspace; the strictest rule when the level is unknown."""
        if raw_level is None:
            return _closed(LEVEL_UNKNOWN, NO_CLAUSE).workspaces
        return self._row(raw_level, negative_list).workspaces

    def nearest_door(
        self, dataset: Dataset, edition: Edition | None, actor: Actor | None, *, standing: str = "none"
    ) -> Door:
        """The nearest door. ``standing``: none, pending, preparing or granted (what the person has here)."""
        level = DataLevel(dataset.level) if dataset.level else None
        clause = NO_CLAUSE if level is None else self._row(level, dataset.negative_list).clause
        if edition is not None and edition.state == EditionState.PUBLISHED and dataset.state == DatasetState.PUBLISHED:
            if edition.opening_class == OpeningClass.UNCONDITIONAL:
                return Door("download", DOORS["download"], clause)
            if edition.opening_class == OpeningClass.CONDITIONAL:
                kind = _conditional_door(actor, standing)
                return Door(kind, DOORS[kind], clause)
        if actor is not None and Role.DATA_OFFICER in actor.roles and actor.organization_id == dataset.organization_id:
            return Door("department", DOORS["department"], clause)
        if self.sealed_jobs(level, negative_list=dataset.negative_list).open:
            kind = "later" if dataset.current_edition_id is None else "sandbox"  # a workspace needs an edition's policy
            return Door(kind, DOORS[kind], clause)
        basis = text(dataset.negative_basis_zh, dataset.negative_basis_en)
        words = basis if dataset.negative_list and basis["zh"] and basis["en"] else DOORS["none"]
        return Door("none", words, clause)

    def _row(self, level: DataLevel, negative_list: bool) -> Row:
        return self.negative_list if negative_list else self.rows[level]


DOORS: Final[Mapping[str, Text]] = {
    "download": text("可直接下载或调用接口，无需登录。", "Download it or call the API now; no sign-in needed."),
    "sign_in": text("请先登录，再提交使用申请。", "Sign in, then apply for use."),
    "apply": text("请提交使用申请，1 个工作日内答复。", "Apply for use; you are answered within 1 work day."),
    "wait": text("您的申请正在办理。", "Your application is being handled."),
    "preparing": text(
        "许可已生效，专属版本正在生成，请稍后再试。", "Granted; your own edition is being built, try again soon."
    ),
    "grant": text(
        "您已获得使用许可，可下载或凭应用密钥调用接口。", "You hold a grant: download, or call the API with an app key."
    ),
    "sandbox": text(
        "原始数据不对外提供；可申请数据沙箱，在域内计算，经审查的结果可带走。",
        "The raw table is not given out; apply for a sandbox workspace, compute inside and take out checked results.",
    ),
    "later": text(
        "目前没有发布的版本；发布后可下载、申请使用或在数据沙箱中使用，请稍后再来。",
        "There is no published edition now; once there is one it can be downloaded, applied for, or used in a sandbox "
        "workspace. Come back later.",
    ),
    "department": text(
        "您是提供部门的数据专员：请在控制台接入数据、编制脱敏策略并送审。",
        "You are the department's data officer: bring the table in, write the masking policy and send it for review.",
    ),
    "none": text("不予开放。", "Not opened."),
}


def load(settings: Settings) -> Grades:
    """The matrix of this installation: the product's file, tightened by ``grades.yaml`` in the home if there is one."""
    city = settings.home / CITY_FILE
    return Grades.load(settings.policies_dir / "grades.yaml", city if city.exists() else None)


def _conditional_door(actor: Actor | None, standing: str) -> str:
    if actor is None:
        return "sign_in"
    return {"granted": "grant", "pending": "wait", "preparing": "preparing"}.get(standing, "apply")


def _missing(
    alternative: Alternative, kind: EditionKind, effect: Effect, legal_status: LegalStatus, legal_basis: str
) -> list[Text]:
    missing = []
    if kind not in alternative.kinds:
        missing.append(text("只可为汇总统计", "it must be an aggregate"))
    if effect < alternative.min_effect:
        needed = Effect(alternative.min_effect)
        missing.append(text(f"须达到{needed.title('zh')}", f"it must reach {needed.title('en')}"))
    if alternative.anonymized and legal_status is not LegalStatus.ANONYMIZED:
        missing.append(text("法律状态须为匿名化", "its legal status must be anonymized"))
    if alternative.legal_basis and not legal_basis.strip():
        missing.append(text("须记录合法性基础", "a legal basis must be recorded"))
    return missing


def _refusal(row: Row, opening_class: OpeningClass, missing: list[Text]) -> Text:
    zh = "；".join(part["zh"] for part in missing) or f"该级别不可{opening_class.title('zh')}"
    en = "; ".join(part["en"] for part in missing) or f"this level allows no {opening_class.title('en')}"
    return text(f"{row.words['zh']}。此版本：{zh}。", f"{row.words['en']}. This edition: {en}.")


def _read(path: Path) -> dict[str, Any]:
    try:
        document = _document(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        kind = type(error).__name__
        raise InvalidGrades(
            text(f"读不了分级矩阵 {path.name}（{kind}）。", f"Cannot read {path.name} ({kind}).")
        ) from None
    if not isinstance(document, dict):
        raise InvalidGrades(text(f"{path.name} 不是分级矩阵。", f"{path.name} is not a grades file."))
    return document


@functools.lru_cache(maxsize=8)
def _document(content: str) -> Any:
    """What the file says; each page asks for the matrix, so the same text is read once. Never changed by a reader."""
    return yaml.safe_load(content)


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a city's mapping over the product's; lists are replaced whole, an unknown field is an error."""
    merged = dict(base)
    for name, value in over.items():
        if name not in base:
            raise InvalidGrades(text(f"地方文件有未知字段 {name}。", f"The city's file has an unknown field {name}."))
        both = isinstance(value, Mapping) and isinstance(base[name], Mapping)
        merged[name] = _merge(base[name], value) if both else value
    return merged


def _row(row: Mapping[str, Any]) -> Row:
    clause = _text(row["clause"])
    jobs = row["sealed_jobs"]
    if jobs["code_review"] not in CODE_REVIEWS:
        raise ValueError("code_review")
    if type(jobs["checkers"]) is not int or jobs["checkers"] < 1:
        raise ValueError("checkers")
    return Row(
        words=_text(row["row"]),
        clause=clause,
        edition=tuple(_alternative(item) for item in row["edition"]),
        fixed_tables=_flag(row["fixed_tables"]),
        differential_privacy=_flag(row["differential_privacy"]),
        sealed_jobs=SealedJobs(
            open=_flag(jobs["open"]),
            code_review=jobs["code_review"],
            checkers=jobs["checkers"],
            registered_outputs_only=_flag(jobs["registered_outputs_only"]),
            clause=clause,
        ),
        workspaces=_approval(row["workspaces"]),
    )


def _approval(item: Mapping[str, Any]) -> WorkspaceApproval:
    controllers, others = (frozenset(Role(role) for role in item[name]) for name in ("controllers", "others"))
    if not controllers:
        raise ValueError("workspaces: controllers")
    if not controllers | others <= OF_DEPARTMENTS:
        raise ValueError("workspaces: only officers and reviewers decide")
    if type(item["persons"]) is not int or item["persons"] < 1:
        raise ValueError("workspaces: persons")
    return WorkspaceApproval(controllers, others, item["persons"])


def _alternative(item: Mapping[str, Any]) -> Alternative:
    kinds = frozenset(EditionKind(kind) for kind in item["kinds"])
    if not kinds:
        raise ValueError("kinds")
    return Alternative(
        opening_class=OpeningClass(item["opening_class"]),
        kinds=kinds,
        min_effect=Effect(item["min_effect"]),
        anonymized=_flag(item["anonymized"]),
        legal_basis=_flag(item["legal_basis"]),
    )


def _closed(words: Text, clause: Text) -> Row:
    jobs = SealedJobs(open=False, code_review="first_run", checkers=2, registered_outputs_only=True, clause=clause)
    approval = WorkspaceApproval(OF_DEPARTMENTS, frozenset({Role.REVIEWER}), persons=2)
    return Row(words, clause, (), fixed_tables=False, differential_privacy=False, sealed_jobs=jobs, workspaces=approval)


def _text(value: Mapping[str, str]) -> Text:
    zh, en = value["zh"], value["en"]
    if not (isinstance(zh, str) and zh.strip() and isinstance(en, str) and en.strip()):
        raise ValueError("zh, en")
    return text(zh, en)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false expected")
    return value


def _fraction(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ValueError("a threshold must be in (0, 1]")
    return float(value)


def _check_rules(grades: Grades) -> None:
    """Rules that no file may change (PRIVACY.md 1 and DESIGN.md 3)."""
    if set(grades.rows) != set(DataLevel):
        raise _wrong("每个级别一行", "one row for each level")
    opened = [level for level in DataLevel if level not in CLOSED_LEVELS]
    if set(grades.edition_levels) != set(opened) or any(len(v) != len(Effect) for v in grades.edition_levels.values()):
        raise _wrong("edition_level 每级四个值", "edition_level: four values for each level")
    for level, row in grades.rows.items():
        for alternative in row.edition:
            if alternative.opening_class is OpeningClass.CLOSED:
                raise _wrong(f"{level} 含不予开放的条目", f"{level} lists an opening class that opens nothing")
            if alternative.opening_class is OpeningClass.UNCONDITIONAL and not alternative.anonymized:
                raise _wrong(f"{level} 无条件开放须为匿名化", f"{level}: unconditional needs anonymized")
    for level in CLOSED_LEVELS:
        row = grades.rows[level]
        if row.edition or row.fixed_tables or row.differential_privacy or row.sealed_jobs.open:
            raise _wrong(f"{level} 不得开放", f"{level} must stay closed")
    for lower, higher in pairwise(opened):
        if not _row_within(grades.rows[higher], grades.rows[lower]):
            raise _wrong(f"{higher} 比 {lower} 更开放", f"{higher} opens wider than {lower}")
    if grades.full_public > grades.controlled:
        raise _wrong("完全公开的阈值高于受控公开", "the public threshold is looser than the controlled one")


def _check_not_looser(city: Grades, base: Grades) -> None:
    for level, row in city.rows.items():
        if not _row_within(row, base.rows[level]):
            raise _wrong(f"地方文件放宽了 {level}", f"the city's file loosens {level}")
    for level, levels in city.edition_levels.items():
        if any(new < old for new, old in zip(levels, base.edition_levels[level], strict=True)):
            raise _wrong(f"地方文件降低了 {level} 版本的级别", f"the city's file lowers the edition level of {level}")
    if (
        city.conditional_at_least < base.conditional_at_least
        or city.full_public > base.full_public
        or city.controlled > base.controlled
    ):
        raise _wrong("地方文件放宽了阈值", "the city's file loosens a threshold")


def _row_within(row: Row, other: Row) -> bool:
    return (
        all(any(mine.within(theirs) for theirs in other.edition) for mine in row.edition)
        and row.fixed_tables <= other.fixed_tables
        and row.differential_privacy <= other.differential_privacy
        and row.sealed_jobs.within(other.sealed_jobs)
        and row.workspaces.within(other.workspaces)
    )


def _wrong(zh: str, en: str) -> InvalidGrades:
    return InvalidGrades(text(f"分级矩阵被拒绝：{zh}。", f"The grades file is refused: {en}."))
