"""The numbers, joining rules and legal bases of ``defaults.yaml``, read once and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Final, Self

import yaml

from masking.taxonomy import DataLevel
from sandbox.imports.errors import ImportInvalid

DEFAULTS: Final = Path(__file__).with_name("defaults.yaml")
WHENS: Final = ("always", "person_keys")
DOS: Final = ("highest", "raise", "least")


@dataclass(frozen=True, slots=True)
class ImportLimits:
    """Units stand in ``defaults.yaml``; every one is a positive whole number."""

    max_bytes: int
    max_table_bytes: int
    max_rows: int
    max_columns: int
    max_versions: int
    max_mounted: int
    threshold: int
    key_distinct: int
    key_percent: int
    group_values: int
    group_columns: int
    fingerprint_days: int


@dataclass(frozen=True, slots=True)
class JoiningRule:
    """One way the joined level rises. ``steps`` for raise, ``level`` for least; ``up_to`` bounds a raise."""

    id: str
    when: str
    do: str
    words: Mapping[str, str]
    clause: Mapping[str, str]
    steps: int = 0
    level: DataLevel | None = None
    up_to: DataLevel = DataLevel.L4


@dataclass(frozen=True, slots=True)
class ImportRules:
    """Everything ``defaults.yaml`` says."""

    limits: ImportLimits
    joining: tuple[JoiningRule, ...]
    legal_bases: Mapping[str, Mapping[str, str]]

    @classmethod
    def load(cls, path: Path = DEFAULTS) -> Self:
        """Read the YAML; an unknown, missing or impossible entry is an error."""
        given = yaml.safe_load(path.read_text("utf-8"))
        if not isinstance(given, dict) or set(given) != {"version", "limits", "joining", "legal_bases"}:
            raise _wrong(path, "version, limits, joining, legal_bases")
        if given["version"] != 1 or set(given["limits"]) != {field.name for field in fields(ImportLimits)}:
            raise _wrong(path, "version 1, limits")
        for name, value in given["limits"].items():
            if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
                raise _wrong(path, name)
        rules = tuple(_joining(entry, path) for entry in given["joining"])
        if not any(rule.do == "highest" and rule.when == "always" for rule in rules):
            raise _wrong(path, "joining: highest, always")
        return cls(ImportLimits(**given["limits"]), rules, dict(given["legal_bases"]))


@cache
def default_rules() -> ImportRules:
    """The rules of this installation."""
    return ImportRules.load()


def _joining(entry: Mapping[str, Any], path: Path) -> JoiningRule:
    try:
        rule = JoiningRule(
            id=str(entry["id"]),
            when=str(entry["when"]),
            do=str(entry["do"]),
            words={"zh": entry["zh"], "en": entry["en"]},
            clause={"zh": entry["clause_zh"], "en": entry["clause_en"]},
            steps=int(entry.get("steps", 0)),
            level=DataLevel(entry["level"]) if "level" in entry else None,
            up_to=DataLevel(entry.get("up_to", DataLevel.L4)),
        )
    except (KeyError, TypeError, ValueError):
        raise _wrong(path, "joining") from None
    if rule.when not in WHENS or rule.do not in DOS or (rule.do == "raise") != (rule.steps > 0):
        raise _wrong(path, f"joining {rule.id}")
    if (rule.do == "least") != (rule.level is not None):
        raise _wrong(path, f"joining {rule.id}")
    return rule


def _wrong(path: Path, what: str) -> ImportInvalid:
    return ImportInvalid(f"{path.name} 的条目有误：{what} · an entry of {path.name} is wrong: {what}")
