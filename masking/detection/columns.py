"""What the columns of a table hold, by header words and by the share of *all* values that pass a check.

Nothing is sampled: every value that is not null is looked at, in batches, in bounded memory. A check beats a header,
a header beats nothing, and what is not understood is a quasi-identifier until somebody shows otherwise (PRIVACY 2).
"""

# ruff: noqa: E501  (patterns and sentences in two languages read best on one line)

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from masking.detection import checks
from masking.detection.detector import Detector
from masking.detection.headers import (
    GENERAL_CLAUSE,
    IDENTIFIER_CLAUSE,
    QUASI_CLAUSE,
    SENSITIVE_CLAUSE,
    Word,
    header_word,
    word,
)
from masking.detection.model import ColumnFinding
from masking.detection.rules import SURNAME
from masking.table import as_reader
from masking.taxonomy import DataLevel, Role

SURE: Final = 0.8
"""Share of values that must pass for the values alone to decide the type."""
WITH_HEADER: Final = 0.3
"""The same where the header says so too."""
MIXED: Final = 0.01
"""Share of values from which on a column counts as holding identifiers among other things."""
MOST_DISTINCT: Final = 1_000_000
MINOR: Final = 14

_LENGTHS: Final[dict[str, tuple[int, int]]] = {
    "ID_CARD": (18, 18),
    "USCC": (18, 18),
    "BANK_CARD": (15, 19),
    "VIN": (17, 17),
    "PHONE": (11, 14),
    "EMAIL": (6, 1 << 20),
    "LICENSE_PLATE": (8, 16),
    "LANDLINE": (10, 12),
    "MAC": (12, 17),
    "IP": (7, 15),
    "REGION": (2, 12),
}
"""Bytes that a cleaned value must have to pass, at least and at most: a check looks at no other."""
_TEXT_ONLY: Final = frozenset({"EMAIL", "LICENSE_PLATE", "MAC", "IP"})
"""A whole number cannot pass these."""
_CHECKS: Final[tuple[tuple[str, str, str, Callable[[pl.Series], pl.Series]], ...]] = (
    ("ID_CARD", "GB 11643 校验", "the GB 11643 check", checks.resident_ids),
    ("USCC", "GB 32100 校验", "the GB 32100 check", checks.usccs),
    ("BANK_CARD", "发卡前缀与 Luhn 校验", "the issuer prefix and Luhn check", checks.bank_cards),
    ("VIN", "GB 16735 校验", "the GB 16735 check", checks.vins),
    ("PHONE", "手机号段校验", "the mobile prefix check", checks.mobiles),
    ("EMAIL", "邮箱格式", "the e-mail format", checks.emails),
    ("LICENSE_PLATE", "车牌格式", "the license plate format", lambda column: column.str.contains(f"^{checks.PLATE}$")),
    (
        "LANDLINE",
        "固定电话格式",
        "the landline format",
        lambda column: column.str.contains(r"^0(?:10|2[0-57-9]|[3-9][0-9]{2})[2-8][0-9]{6,7}$"),
    ),
    (
        "MAC",
        "MAC 地址格式",
        "the MAC address format",
        lambda column: (
            column.str.contains(r"^[0-9A-F]{2}(?::[0-9A-F]{2}){5}$|^[0-9A-F]{12}$") & column.str.contains("[A-F:]")
        ),
    ),
    (
        "IP",
        "IP 地址格式",
        "the IP address format",
        lambda column: column.str.contains(
            r"^(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})$"
        ),
    ),
)
_PERSON: Final = rf"^{SURNAME}[\u4e00-\u9fff]{{1,3}}$|^[\u4e00-\u9fff]{{1,10}}·[\u4e00-\u9fff·]{{1,12}}$|^[A-Z][a-z'’]+(?:[ .,-]+[A-Z][A-Za-z'’.-]*)+$"
_REGION_NAME: Final = r"(?:村委会|居委会|村民委员会|居民委员会|居民小组|村民小组|社区|街道|办事处|镇|乡|县|区|市|省|州|盟|旗|村|林场|农场|园区|管委会|管理区|开发区|连|队|分场|生活区|虚拟社区)$"
_REGION_CODE: Final = rf"^(?:{'|'.join(sorted(checks.PROVINCES))})(?:[0-9]{{2}}|[0-9]{{4}}|[0-9]{{7}}|[0-9]{{10}})?$"
_DATE: Final = r"^(?:1[89]|20)[0-9]{2}[-/.年]?(?:0?[1-9]|1[0-2])[-/.月]?(?:[0-2]?[0-9]|3[01])日?(?:[ T][0-9:.]+Z?)?$"
_WORTH_READING: Final = r"[0-9０-９][0-9０-９xX \-－]{4,}|[@＠]|姓名|家属|患者|病人|联系人|户主|申请人|本人|QQ|qq|微信|[〇零一二三四五六七八九幺]{11}|出生|生于|[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z]"
_DETECTOR: Final = Detector()
_CHECKED: Final[dict[str, Callable[[pl.Series], pl.Series]]] = {
    **{type_: check for type_, _, _, check in _CHECKS},
    "REGION": lambda column: column.str.contains(_REGION_CODE),
}
_LONGEST: Final = 64
"""Longer values are counted as of this length."""


def detect_columns(table: Any) -> list[ColumnFinding]:
    """A finding per column, in order, over all values. ``table`` is anything ``masking.table.as_reader`` takes."""
    reader, _ = as_reader(table)
    tallies = [_Tally(name, pa_type) for name, pa_type in zip(reader.schema.names, reader.schema.types, strict=True)]
    for batch in reader:
        for tally, column in zip(tallies, batch.columns, strict=True):
            tally.add(column)
    findings = [_finding(tally) for tally in tallies]
    if _about_places(findings):
        return [_place(finding) for finding in findings]
    return _together(findings)


def propose_level(findings: Sequence[ColumnFinding]) -> tuple[DataLevel, list[dict[str, str]], str]:
    """Level of the whole table, the highest of its columns (就高从严), the reasons (zh, en) and the clause."""
    if not findings:
        return DataLevel.L1, [], GENERAL_CLAUSE
    level = max(finding.level for finding in findings)
    highest = [finding for finding in findings if finding.level == level]
    reasons = [
        {
            "zh": f"就高从严：最高的列是 {level.title('zh')}（{len(highest)} 列）",
            "en": f"the highest column decides: {level.title('en')} ({len(highest)} column(s))",
        },
        *({"zh": f"{f.column}：{f.reason['zh']}", "en": f"{f.column}: {f.reason['en']}"} for f in highest),
    ]
    first = next((f for f in highest if f.role is Role.SENSITIVE), highest[0])
    return level, reasons, first.clause


@dataclass(slots=True)
class _Tally:
    """Counts of one column while its batches stream by; holds hashes of values, no values."""

    name: str
    type: pa.DataType
    rows: int = 0
    checked: int = 0
    passed: dict[str, int] = field(default_factory=dict)
    with_findings: int = 0
    found_types: dict[str, int] = field(default_factory=dict)
    characters: int = 0
    low: float | None = None
    high: float | None = None
    counts: pl.DataFrame | None = None
    capped: bool = False
    _fresh: list[pl.DataFrame] = field(default_factory=list)
    _fresh_rows: int = 0

    def add(self, column: pa.Array) -> None:
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        series = pl.from_arrow(column)
        assert isinstance(series, pl.Series)
        series = series.alias("value")
        self.rows += len(series)
        series = series.drop_nulls()
        if series.dtype == pl.String:
            series = series.filter(series.str.strip_chars() != "")
        self.checked += len(series)
        if not len(series):
            return
        values = _distinct(series)
        self._count(values)
        if series.dtype.is_numeric():
            self._range(values["value"])
        if series.dtype.is_integer() or series.dtype == pl.String:
            self._check(values)
        if series.dtype == pl.String:
            self._read(values)

    @property
    def distinct(self) -> int:
        self._merge()
        return self.counts.height if self.counts is not None else 0

    @property
    def top_share(self) -> float:
        self._merge()
        if self.counts is None or not self.checked:
            return 0.0
        most = self.counts["n"].max()
        assert isinstance(most, int)
        return most / self.checked

    def share(self, type_: str) -> float:
        return self.passed.get(type_, 0) / self.checked if self.checked else 0.0

    def _count(self, values: pl.DataFrame) -> None:
        """Count ``value`` and ``n``, its times, by hash over all batches."""
        series = values["value"]
        if series.dtype.is_nested():
            series = pl.Series(series.name, [str(value) for value in series.to_list()])
        fresh = pl.DataFrame([series.hash(0, 1, 2, 3).alias("h"), values["n"]])
        if self.counts is None:
            self.counts = fresh.group_by("h").agg(pl.col("n").sum())
            return
        if self.capped:  # values not met before no longer change what is asked: many, and none of them frequent
            fresh = fresh.join(self.counts.select("h"), on="h", how="semi")
        self._fresh.append(fresh)
        self._fresh_rows += fresh.height
        if self._fresh_rows > self.counts.height:
            self._merge()

    def _merge(self) -> None:
        if self.counts is not None and self._fresh:
            self.counts = pl.concat([self.counts, *self._fresh]).group_by("h").agg(pl.col("n").sum())
            self.capped = self.counts.height > MOST_DISTINCT
            self._fresh, self._fresh_rows = [], 0

    def _range(self, series: pl.Series) -> None:
        finite = series.cast(pl.Float64)
        finite = finite.filter(finite.is_finite())
        if len(finite):
            low, high = float(finite.min()), float(finite.max())  # type: ignore[arg-type]
            self.low = low if self.low is None else min(self.low, low)
            self.high = high if self.high is None else max(self.high, high)

    def _check(self, values: pl.DataFrame) -> None:
        """Run every check over the distinct values of a batch; each counts as often as it stands there."""
        series = values["value"]
        text = series.dtype == pl.String
        cleaned = pl.DataFrame([checks.clean(series).alias("value"), values["n"]])
        lengths = cleaned["value"].str.len_bytes()
        present = np.flatnonzero(np.bincount(lengths.to_numpy().clip(max=_LONGEST)))
        for type_, check in _CHECKED.items():
            least, most = _LENGTHS[type_]
            fits = (present >= least) & (present <= most)
            if not fits.any() or (type_ in _TEXT_ONLY and not text):
                continue
            part = cleaned if fits.all() else cleaned.filter(lengths.is_between(least, most))
            self._pass(type_, check(part["value"]), part["n"])
        if text:
            trimmed = series.str.strip_chars()
            self._pass("PERSON", trimmed.str.contains(_PERSON), values["n"])
            self._pass("REGION_NAME", trimmed.str.contains(_REGION_NAME), values["n"])
            self._pass("DATE", trimmed.str.contains(_DATE), values["n"])

    def _pass(self, type_: str, result: pl.Series, times: pl.Series) -> None:
        self.passed[type_] = self.passed.get(type_, 0) + int(times.filter(result).sum())

    def _read(self, values: pl.DataFrame) -> None:
        """Count texts in which the detector finds something; only texts that could hold something are read."""
        lengths = values["value"].str.len_chars()
        self.characters += int((lengths * values["n"]).sum())
        if self._one_value_per_cell():
            return
        longer = values.filter(lengths > 5)
        worth = longer.filter(longer["value"].str.contains(_WORTH_READING))
        for text, times in worth.iter_rows():
            types = {finding.type for finding in _DETECTOR.find(text)}
            self.with_findings += times if types else 0
            for type_ in types:
                self.found_types[type_] = self.found_types.get(type_, 0) + times

    def _one_value_per_cell(self) -> bool:
        """True if the cells are single values of a known kind: nothing more can be read in them."""
        kinds = [type_ for type_, _, _, _ in _CHECKS] + ["REGION", "REGION_NAME", "DATE", "PERSON"]
        return max((self.share(kind) for kind in kinds), default=0.0) >= SURE


def _distinct(series: pl.Series) -> pl.DataFrame:
    """The distinct values and how often each stands there, as ``value`` and ``n``."""
    frame = series.to_frame()
    if series.dtype.is_nested():
        return frame.with_columns(pl.lit(1, pl.Int64).alias("n"))
    return frame.group_by("value").agg(pl.len().cast(pl.Int64).alias("n"))


def _finding(tally: _Tally) -> ColumnFinding:
    """Type, role, level and reason of one column by itself."""
    header = header_word(tally.name)
    for type_, zh, en, _ in _CHECKS:
        least = WITH_HEADER if header and header.type in (type_, "PHONE" if type_ == "LANDLINE" else type_) else SURE
        if tally.checked and tally.share(type_) >= least:
            return _by_check(tally, type_, zh, en)
    if tally.checked and tally.share("PERSON") >= (WITH_HEADER if header and header.type == "PERSON" else SURE):
        return _by_check(tally, "PERSON", "姓名字形", "the shape of a person's name")
    if header and header.type == "PERSON" and not _needs_no_values(tally.name):
        header = None  # a `name` of something that is not a person
    free = _free_text(tally, header)
    if free:
        return free
    mixed = _mixed(tally)
    if mixed:
        return mixed
    if header and header.type == "ADDRESS" and tally.characters / max(tally.checked, 1) < 5:
        header = word("REGION")
    if header and header.type == "DATE" and not pa.types.is_temporal(tally.type) and tally.share("DATE") < SURE:
        header = None  # times of day, durations: not dates
    if header and header.type != "FREE_TEXT":
        return _by_header(tally, header)
    region = max(("REGION", "REGION_NAME"), key=tally.share)
    if tally.checked and tally.share(region) >= SURE and (tally.distinct > 2 or region == "REGION_NAME"):
        kind = ("行政区划代码", "division code") if region == "REGION" else ("行政区划名称", "division name")
        zh = f"地区列：{_of(tally.passed[region], tally.checked)} 是{kind[0]}的形式"
        en = f"region column: {_of_en(tally.passed[region], tally.checked)} have the form of a {kind[1]}"
        return _made(tally, "REGION", Role.QUASI_IDENTIFIER, DataLevel.L2, (zh, en), QUASI_CLAUSE, tally.passed[region])
    temporal = pa.types.is_temporal(tally.type)
    if temporal or tally.share("DATE") >= SURE:
        passed = tally.checked if temporal else tally.passed["DATE"]
        reason = (
            f"日期列：{_of(passed, tally.checked)} 是日期",
            f"date column: {_of_en(passed, tally.checked)} are dates",
        )
        return _made(tally, "DATE", Role.QUASI_IDENTIFIER, DataLevel.L2, reason, QUASI_CLAUSE, passed)
    number = pa.types.is_integer(tally.type) or pa.types.is_floating(tally.type) or pa.types.is_decimal(tally.type)
    reason = (
        f"未识别出含义（{tally.distinct:,} 个不同值）：按准标识符对待，直到有人说明理由",
        f"meaning unknown ({tally.distinct:,} distinct values): a quasi-identifier until somebody shows otherwise",
    )
    return _made(
        tally, "NUMBER" if number else "CATEGORY", Role.QUASI_IDENTIFIER, DataLevel.L2, reason, QUASI_CLAUSE, 0
    )


def _by_check(tally: _Tally, type_: str, zh: str, en: str) -> ColumnFinding:
    passed = tally.passed[type_]
    known = {"USCC": None, "LANDLINE": word("PHONE")}.get(type_) or (word(type_) if type_ != "USCC" else None)
    if known is None:  # a firm's code identifies a firm; an individual business is a person
        reason = (
            f"组织标识列：{_of(passed, tally.checked)} 通过 {zh} → 准标识符（个体工商户的代码属于个人信息）",
            f"organisation column: {_of_en(passed, tally.checked)} pass {en} → quasi-identifier (a sole trader's code is personal)",
        )
        return _made(tally, type_, Role.QUASI_IDENTIFIER, DataLevel.L2, reason, QUASI_CLAUSE, passed)
    reason = (
        f"标识列：{_of(passed, tally.checked)} 通过 {zh} → {known.role.title('zh')}",
        f"identifier column: {_of_en(passed, tally.checked)} pass {en} → {known.role.title('en')}",
    )
    return _made(tally, type_, known.role, known.level, reason, known.clause, passed)


def _by_header(tally: _Tally, header: Word) -> ColumnFinding:
    level, clause, role = header.level, header.clause, header.role
    zh = f"列名表示{header.zh} → {role.title('zh')}"
    en = f"the header says {header.en} → {role.title('en')}"
    if header.type == "AGE" and _holds_minors(tally):
        level, clause = DataLevel.L4, SENSITIVE_CLAUSE
        zh += f"；含不满 {MINOR} 周岁的未成年人"
        en += f"; it holds minors under {MINOR}"
    return _made(tally, header.type, role, level, (zh, en), clause, tally.checked)


def _holds_minors(tally: _Tally) -> bool:
    """Whole years only: a column whose largest value is below 14 may be in tens of years."""
    return tally.low is not None and tally.high is not None and 0 <= tally.low < MINOR < tally.high


def _free_text(tally: _Tally, header: Word | None) -> ColumnFinding | None:
    named = header is not None and header.type == "FREE_TEXT"
    average = tally.characters / tally.checked if tally.checked else 0
    prose = average >= 12 and tally.distinct > 20 and tally.share("REGION_NAME") < SURE and header is None
    if not (named or prose) or not pa.types.is_string(_plain_type(tally.type)):
        return None
    if not tally.with_findings:
        reason = (
            f"自由文本：{tally.checked:,} 条中未查出标识符，但不能保证没有",
            f"free text: no identifier found in {tally.checked:,} texts, which proves nothing",
        )
        return _made(tally, "FREE_TEXT", Role.SENSITIVE, DataLevel.L3, reason, QUASI_CLAUSE, 0)
    types = "、".join(sorted(tally.found_types))
    reason = (
        f"自由文本：{_of(tally.with_findings, tally.checked)} 条含标识符（{types}）→ 直接标识符",
        f"free text: {_of_en(tally.with_findings, tally.checked)} hold identifiers ({types.replace('、', ', ')}) → direct identifier",
    )
    return _made(
        tally, "FREE_TEXT", Role.DIRECT_IDENTIFIER, DataLevel.L3, reason, IDENTIFIER_CLAUSE, tally.with_findings
    )


def _mixed(tally: _Tally) -> ColumnFinding | None:
    """A column in which some values are, or hold, identifiers: it is one, whatever the others are."""
    if not tally.checked or not pa.types.is_string(_plain_type(tally.type)):
        return None
    strong = {t: n for t, n in tally.passed.items() if t in {"ID_CARD", "PHONE", "EMAIL", "BANK_CARD"}}
    best = max(strong, key=lambda t: strong[t], default=None)
    passed = max(strong[best] if best else 0, tally.with_findings)
    if passed / tally.checked < MIXED:
        return None
    types = "、".join(sorted(set(tally.found_types) | {t for t, n in strong.items() if n}))
    reason = (
        f"混合列：{_of(passed, tally.checked)} 含标识符（{types}）→ 直接标识符",
        f"mixed column: {_of_en(passed, tally.checked)} hold identifiers ({types.replace('、', ', ')}) → direct identifier",
    )
    return _made(tally, "MIXED", Role.DIRECT_IDENTIFIER, DataLevel.L3, reason, IDENTIFIER_CLAUSE, passed)


def _about_places(findings: Sequence[ColumnFinding]) -> bool:
    """True if every column names or codes an administrative division and one code tells the rows apart: a gazetteer."""
    coded = any(finding.checked and finding.passed == finding.checked == finding.distinct for finding in findings)
    return coded and all(finding.type == "REGION" for finding in findings)


def _place(finding: ColumnFinding) -> ColumnFinding:
    return replace(
        finding,
        role=Role.INSENSITIVE,
        level=DataLevel.L1,
        clause=GENERAL_CLAUSE,
        reason={
            "zh": f"{finding.reason['zh']}；全表各列都是行政区划，不涉及个人 → {Role.INSENSITIVE.title('zh')}，{DataLevel.L1.title('zh')}",
            "en": f"{finding.reason['en']}; every column of the table is about places, none about persons → "
            f"{Role.INSENSITIVE.title('en')}, {DataLevel.L1.title('en')}",
        },
    )


def _together(findings: Sequence[ColumnFinding]) -> list[ColumnFinding]:
    """Identifiers beside sensitive personal information take its level: together they tell it of a person."""
    sensitive = [finding for finding in findings if finding.level >= DataLevel.L4]
    together = []
    for finding in findings:
        level, clause, zh, en = finding.level, finding.clause, "", ""
        if sensitive and finding.role is Role.DIRECT_IDENTIFIER and level < DataLevel.L4:
            level, clause = DataLevel.L4, SENSITIVE_CLAUSE
            zh, en = (
                f"，与“{sensitive[0].column}”等敏感个人信息同表",
                f", beside sensitive data such as {sensitive[0].column!r}",
            )
        together.append(
            replace(
                finding,
                level=level,
                clause=clause,
                reason={
                    "zh": f"{finding.reason['zh']}{zh}，{level.title('zh')}",
                    "en": f"{finding.reason['en']}{en}, {level.title('en')}",
                },
            )
        )
    return together


def _made(
    tally: _Tally, type_: str, role: Role, level: DataLevel, reason: tuple[str, str], clause: str, passed: int
) -> ColumnFinding:
    return ColumnFinding(
        column=tally.name,
        type=type_,
        role=role,
        level=level,
        checked=tally.checked,
        passed=passed,
        reason={"zh": reason[0], "en": reason[1]},
        clause=clause,
        distinct=tally.distinct,
        top_share=tally.top_share,
    )


def _needs_no_values(header: str) -> bool:
    """True for headers that can only mean a person's name."""
    return any(
        sign in header for sign in ("姓名", "户主", "联系人", "申请人", "法定代表人", "监护人")
    ) or header.lower() in {
        "xm",
        "xingming",
        "person_name",
        "full_name",
        "surname",
        "first_name",
        "last_name",
    }


def _plain_type(given: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(given):
        given = given.value_type
    return pa.string() if pa.types.is_large_string(given) or pa.types.is_string_view(given) else given


def _of(passed: int, checked: int) -> str:
    return f"{passed:,}/{checked:,}"


def _of_en(passed: int, checked: int) -> str:
    return f"{passed:,} of {checked:,}"
