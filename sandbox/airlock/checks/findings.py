"""What a check says: rule, place and count, told in the words of its rule. Never a cell value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.airlock.checks.words import RULES
from sandbox.inside.refusals import WORDS


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: which rule, in which file and column, how many cells or rows."""

    rule: str
    file: str = ""
    column: str = ""
    count: int = 0
    code: str = ""
    """The parser's reason for a refused file."""
    other: str = ""
    """What it was compared with: kind and short id of an exposure, and its file."""

    @property
    def blocking(self) -> bool:
        """Whether the output cannot leave while this stands."""
        return RULES[self.rule].blocking

    def to_json(self, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """For checkers and, on practice output, for the author. ``values`` fill the rule's sentence."""
        rule = RULES[self.rule]
        filled = {"count": self.count, "other": self.other, "column": self.column, **(values or {})}
        zh, en = rule.zh.format(**filled), rule.en.format(**filled)
        if self.code in WORDS:
            zh, en = f"{zh}：{WORDS[self.code][0]}", f"{en}: {WORDS[self.code][1]}"
        return {
            "rule": self.rule,
            "severity": "error" if rule.blocking else "warning",
            "blocking": rule.blocking,
            "file": self.file,
            "column": self.column,
            "count": self.count,
            "other": self.other,
            "zh": f"{zh}；{rule.advice_zh.format(**filled)}",
            "en": f"{en}; {rule.advice_en.format(**filled)}",
            "message": {"zh": zh, "en": en},
            "advice": {"zh": rule.advice_zh.format(**filled), "en": rule.advice_en.format(**filled)},
        }
