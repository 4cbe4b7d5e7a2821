"""What people type into the policy form: numbers, shares and lists, and what was wrong with them, field by field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from masking.errors import PolicyError

Text = Mapping[str, str]
_SEPARATORS = re.compile(r"[\s,，、;；]+")


class WrongForm(PolicyError):
    """What was typed cannot be read as a policy.

    ``reason`` says why in Chinese and English; ``fields`` says it for each field of the form.
    """

    def __init__(self, reason: Text, fields: Mapping[str, Text] | None = None) -> None:
        super().__init__(reason["en"])
        self.reason = reason
        self.fields = dict(fields or {})


@dataclass
class Typed:
    """A form as it was sent. Reading a field notes what is wrong with it; a field that was not sent changes nothing."""

    form: Mapping[str, str]
    faults: dict[str, Text] = field(default_factory=dict)
    labels: Mapping[str, Text] = field(default_factory=dict)
    """What each field is called, so that a list of faults can be read by itself."""

    def text(self, name: str) -> str | None:
        """What stands in the field; None if the form has no such field."""
        found = self.form.get(name)
        return None if found is None else found.strip()

    def fault(self, name: str, zh: str, en: str) -> None:
        """Note what is wrong; the first word counts."""
        label = self.labels.get(name)
        said = {"zh": zh, "en": en} if label is None else {"zh": f"{label['zh']}：{zh}", "en": f"{label['en']}: {en}"}
        self.faults.setdefault(name, said)

    def whole(self, name: str, now: int | None, *, least: int, most: int = 1_000_000_000) -> int | None:
        """A whole number in [least, most]; empty for none."""
        found = self.text(name)
        if found is None:
            return now
        if not found:
            return None
        if found.isascii() and found.isdigit() and len(found) < 12 and least <= int(found) <= most:
            return int(found)
        self.fault(name, f"应为 {least} 至 {most:,} 的整数", f"Enter a whole number from {least} to {most:,}")
        return now

    def number(
        self, name: str, now: float | None, *, least: float, most: float, above: bool = False, percent: bool = False
    ) -> float | None:
        """A number in [least, most], or (least, most] if ``above``; ``5%`` is read as 0.05 if ``percent``."""
        found = self.text(name)
        if found is None or (found and found == shown(now)):
            return now
        if not found:
            return None
        value = _number(found, percent=percent)
        if value is None or not least <= value <= most or (above and value == least):
            zh = f"应为{'大于' if above else '不小于'} {least:g} 且不大于 {most:g} 的数"
            self.fault(name, zh, f"Enter a number {'above' if above else 'of at least'} {least:g} and at most {most:g}")
            return now
        return value

    def chosen(self, name: str, now: str, known: tuple[str, ...]) -> str:
        """One of the known words."""
        found = self.text(name)
        if not found or found == now:
            return now
        if found in known:
            return found
        self.fault(name, "请从列表中选择", "Choose one of the list")
        return now

    def check(self) -> None:
        """Raise WrongForm if a field was wrong."""
        if self.faults:
            words = {lang: "; ".join(each[lang] for each in self.faults.values()) for lang in ("zh", "en")}
            raise WrongForm(words, self.faults)


def numbers(text: str) -> list[float] | None:
    """Numbers as people type lists of them, whole ones as whole; None if something else stands among them."""
    found = [_number(part, percent=False) for part in _SEPARATORS.split(text.strip()) if part]
    known = [each for each in found if each is not None]
    if len(known) < len(found) or not known:
        return None
    return [int(each) if each.is_integer() else each for each in known]


def shown(value: float | None) -> str:
    """A number as a field shows it; empty for none."""
    return "" if value is None else f"{value:.10g}"


def _number(text: str, *, percent: bool) -> float | None:
    part = text.strip().replace("％", "%")
    scale = 1.0
    if percent and part.endswith("%"):
        part, scale = part[:-1].strip(), 100.0
    if not re.fullmatch(r"[+-]?\d{1,15}(\.\d{1,15})?", part, re.ASCII):
        return None
    return float(part) / scale
