"""Which columns of an import could find a person in another table: proposed, never silently dropped.

Source: PRIVACY.md 22, 2. A direct identifier is a candidate by what its values are; a nearly unique column is one by
its uniqueness, whatever it is called (a hashed number joins as well as the number itself); a column named like a
dataset's identifier is one by its name. The uploader may say that a candidate is none, with a reason for the reviewer.

Pure: numbers about columns in, names with reasons out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from masking.taxonomy import Role
from sandbox.imports.errors import ImportInvalid
from sandbox.imports.limits import ImportLimits

JOINABLE: Final = ("string", "integer", "date", "datetime")
"""Types of columns by which tables are joined; a measured quantity with a fraction is no key."""
MIN_REASON: Final = 5


@dataclass(frozen=True, slots=True)
class KeyCandidate:
    """A column that may be a person key, and why. ``certain``: its values are identifiers; no reason undoes that."""

    column: str
    reason: Mapping[str, str]
    certain: bool

    def to_json(self) -> dict[str, Any]:
        """For the import's row."""
        return {"column": self.column, "reason": dict(self.reason), "certain": self.certain}


def key_candidates(
    profile: Sequence[Mapping[str, Any]],
    findings: Sequence[Mapping[str, Any]],
    *,
    identifiers: Collection[str],
    limits: ImportLimits,
) -> list[KeyCandidate]:
    """Candidates in column order. ``identifiers``: names of the workspace's datasets' direct identifiers."""
    found = {finding["column"]: finding for finding in findings}
    known = {name.casefold() for name in identifiers}
    candidates = []
    for column in profile:
        name, filled = str(column["name"]), int(column["count"]) - int(column["nulls"])
        finding = found.get(name, {})
        if finding.get("role") == Role.DIRECT_IDENTIFIER:
            candidates.append(KeyCandidate(name, dict(finding["reason"]), certain=True))
        elif name.casefold() in known:
            reason = {"zh": "与数据集的直接标识符同名", "en": "it has the name of a dataset's direct identifier"}
            candidates.append(KeyCandidate(name, reason, certain=False))
        elif (
            column["type"] in JOINABLE
            and int(column["distinct"]) >= limits.key_distinct
            and int(column["distinct"]) * 100 >= filled * limits.key_percent
        ):
            share = int(column["distinct"]) * 100 // max(filled, 1)
            reason = {
                "zh": f"几乎每条记录都不同（不同值占 {share}%），可用来关联个人",
                "en": f"nearly unique ({share} % of its values are distinct), so it can find a person",
            }
            candidates.append(KeyCandidate(name, reason, certain=False))
    return candidates


def check_keys(
    declared: Collection[str],
    not_keys: Mapping[str, str],
    *,
    candidates: Sequence[Mapping[str, Any]],
    columns: Collection[str],
) -> None:
    """Raise ImportInvalid unless every candidate is declared a key, or explained, and every name is a column's."""
    unknown = sorted({*declared, *not_keys} - set(columns))
    if unknown:
        raise ImportInvalid(f"没有这些列：{', '.join(unknown)[:200]} · there are no columns {', '.join(unknown)[:200]}")
    for candidate in candidates:
        name = candidate["column"]
        if name in declared:
            continue
        if candidate["certain"]:
            raise ImportInvalid(
                f"列 {name} 的值是直接标识符，必须申报为个人关联键 · "
                f"the values of column {name} are direct identifiers; it must be declared a person key"
            )
        if len(not_keys.get(name, "").strip()) < MIN_REASON:
            raise ImportInvalid(
                f"列 {name} 可能是个人关联键：请申报，或写明它为什么不是（至少 {MIN_REASON} 字） · "
                f"column {name} may be a person key: declare it, or give a reason ({MIN_REASON} characters or more)"
            )
