"""What may be done with an import and when. Deciders over plain values; each ``check_*`` raises with the reason."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date
from typing import Final

from masking.taxonomy import DataLevel
from sandbox.imports.errors import ImportConflict, ImportInvalid
from sandbox.imports.limits import ImportLimits
from sandbox.workspaces.imports import FOLDER

MIN_TEXT: Final = 10
MAX_TEXT: Final = 4000
MIN_REASON: Final = 2
OLDEST_ASSESSMENT_DAYS: Final = 366 * 3
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def check_name(name: str, datasets: Collection[str]) -> None:
    """Raise unless ``name`` can name an import of a workspace with these datasets."""
    if not _NAME.fullmatch(name):
        raise ImportInvalid(
            "名称只能用小写字母、数字、连字符和下划线，1–40 个字符 · "
            "a name is 1-40 lower-case letters, digits, hyphens and underscores"
        )
    if FOLDER in datasets:
        raise ImportInvalid(
            f"沙箱中有名为 {FOLDER} 的数据集，不能导入数据 · a dataset named {FOLDER} keeps this workspace from imports"
        )


def check_room(*, versions: int, names: Collection[str], name: str, limits: ImportLimits) -> None:
    """Raise when there are too many versions of this import, or too many imports."""
    if versions >= limits.max_versions:
        raise ImportConflict(
            f"一个导入最多 {limits.max_versions} 个版本 · an import has at most {limits.max_versions} versions"
        )
    if name not in names and len(names) >= limits.max_mounted:
        raise ImportConflict(
            f"一个沙箱最多同时有 {limits.max_mounted} 个导入 · a workspace has at most {limits.max_mounted} imports"
        )


def check_no_open_version(numbers: Collection[int]) -> None:
    """Raise while an earlier version of the same import waits for somebody: one decision at a time."""
    if numbers:
        number = min(numbers)
        raise ImportConflict(
            f"第 {number} 版还在办理，请先办结或撤回 · version {number} is not decided yet; finish or withdraw it"
        )


def check_purpose(purpose: str) -> None:
    """Raise unless the uploader says what the data is for."""
    if not MIN_TEXT <= len(purpose.strip()) <= MAX_TEXT:
        raise ImportInvalid(
            f"请写明用途（至少 {MIN_TEXT} 个字） · say what it is for, in at least {MIN_TEXT} characters"
        )


def check_person_declaration(
    *,
    legal_basis: str,
    legal_note: str,
    assessment: str,
    assessed_on: str,
    assessed_by: str,
    bases: Mapping[str, Mapping[str, str]],
    today: date,
) -> None:
    """Raise unless person keys come with a legal basis and an impact assessment, dated, of a named person."""
    if legal_basis not in bases:
        raise ImportInvalid(
            "含个人关联键：请选择合法性基础（《个人信息保护法》第十三条） · "
            "it has person keys: name the legal basis (PIPL, Art. 13)"
        )
    if legal_basis == "other" and len(legal_note.strip()) < MIN_TEXT:
        raise ImportInvalid("请写明依据的法律条文 · name the article of law it rests on")
    if not MIN_TEXT <= len(assessment.strip()) <= MAX_TEXT:
        raise ImportInvalid(
            "含个人关联键：请写出个人信息保护影响评估（《个人信息保护法》第五十五条） · "
            "it has person keys: write the impact assessment (PIPL, Art. 55)"
        )
    try:
        day = date.fromisoformat(assessed_on)
    except ValueError:
        raise ImportInvalid("请填写评估日期，如 2026-01-31 · give the day of the assessment, like 2026-01-31") from None
    if day > today or (today - day).days > OLDEST_ASSESSMENT_DAYS:
        raise ImportInvalid("评估日期应在过去三年内 · the assessment must be of the last three years")
    if len(assessed_by.strip()) < MIN_REASON or len(assessed_by) > 100:
        raise ImportInvalid("请写明评估负责人 · name the person responsible for the assessment")


def check_level(level: str, proposed: str | None) -> None:
    """Raise unless ``level`` is one, not below what was found, and one that sealed jobs may meet at all."""
    if level not in set(DataLevel):
        raise ImportInvalid("没有这个级别 · there is no such level")
    if proposed and DataLevel(level) < DataLevel(proposed):
        raise ImportInvalid("级别不能低于检查得出的级别 · the level may not be below the one that was found")


def check_reason(reason: str) -> None:
    """Raise unless a decision has its reason."""
    if not MIN_REASON <= len(reason.strip()) <= MAX_TEXT:
        raise ImportInvalid("请写明理由 · give a reason")


def check_consents(needed: Mapping[str, str], given: Mapping[str, bool]) -> None:
    """Raise unless every owner has consented. ``needed``: dataset id → name; ``given``: dataset id → consent."""
    missing = sorted(name for dataset, name in needed.items() if not given.get(dataset))
    if missing:
        names = ", ".join(missing)
        raise ImportConflict(
            f"数据提供部门尚未同意与这些数据集关联：{names} · the owners have not consented to the join with {names}"
        )
