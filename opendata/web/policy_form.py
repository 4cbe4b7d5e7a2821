"""The masking policy as a form in words: every choice is a sentence, and the form writes YAML.

The form and the YAML beside it show the same policy. A choice the form has no sentence for keeps its technique and
shows its parameters as text, so nothing the YAML says is lost by using the form.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from masking.errors import PolicyError
from masking.policy import AttributeRule, Limits, MaskingPolicy, dump, explain, load
from masking.taxonomy import Role

CURRENT = "current"
MAX_POLICY_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class Choice:
    """One sentence of the form and what it means in the policy."""

    id: str
    title: Mapping[str, str]
    technique: str
    parameters: Mapping[str, Any]
    keyed: bool = False


CHOICES: tuple[Choice, ...] = (
    Choice("keep", {"zh": "保留原值", "en": "keep the value"}, "keep", {}),
    Choice("drop", {"zh": "整列删除", "en": "drop the column"}, "suppression.drop", {}),
    Choice(
        "token",
        {"zh": "换成带密钥的假名（16 位）", "en": "replace by a keyed pseudonym (16 characters)"},
        "pseudonymization.keyed",
        {},
        keyed=True,
    ),
    Choice(
        "mask",
        {"zh": "只留前 3 后 4 位，其余用 * 遮盖", "en": "keep the first 3 and last 4 characters, cover the rest"},
        "suppression.mask",
        {"keep_first": 3, "keep_last": 4},
    ),
    Choice(
        "year", {"zh": "日期只留到年", "en": "keep only the year of the date"}, "generalization.date", {"to": "year"}
    ),
    Choice(
        "quarter", {"zh": "日期只留到季度", "en": "keep only the quarter"}, "generalization.date", {"to": "quarter"}
    ),
    Choice("month", {"zh": "日期只留到月", "en": "keep only the month"}, "generalization.date", {"to": "month"}),
    Choice(
        "decade",
        {"zh": "日期归入 10 年一段", "en": "ten-year bands of the date"},
        "generalization.date",
        {"to": "year_band:10"},
    ),
    Choice(
        "round5", {"zh": "数值取 5 的倍数", "en": "round to multiples of 5"}, "generalization.rounding", {"base": 5}
    ),
    Choice(
        "round10", {"zh": "数值取 10 的倍数", "en": "round to multiples of 10"}, "generalization.rounding", {"base": 10}
    ),
    Choice(
        "round1000",
        {"zh": "数值取 1000 的倍数", "en": "round to multiples of 1,000"},
        "generalization.rounding",
        {"base": 1000},
    ),
    Choice("bands5", {"zh": "数值每 5 一段", "en": "bands of width 5"}, "generalization.bands", {"width": 5}),
    Choice("bands10", {"zh": "数值每 10 一段", "en": "bands of width 10"}, "generalization.bands", {"width": 10}),
    Choice(
        "redact",
        {"zh": "自由文本：识别到的个人信息换成类型名", "en": "free text: detected personal data become type names"},
        "text.redact",
        {},
    ),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One attribute in the form."""

    index: int
    rule: AttributeRule
    sentence: str
    choice: str
    parameters: str


def rows(policy: MaskingPolicy, lang: str) -> list[Row]:
    """The form's rows, in the policy's order."""
    sentences = {item.attribute: item.sentence for item in explain(policy, "en" if lang == "en" else "zh")}
    return [
        Row(index, rule, sentences.get(name, ""), _choice(rule), flow(rule.parameters))
        for index, (name, rule) in enumerate(policy.attributes.items())
    ]


def read(yaml: str) -> MaskingPolicy:
    """The policy of a text somebody typed. Raises PolicyError; never reads a file."""
    if len(yaml.encode()) > MAX_POLICY_BYTES:
        raise PolicyError("the policy is longer than 1 MiB")
    return load(as_text(yaml))


def as_text(yaml: str) -> str:
    """The text with one line break at its end, so that it can never be taken for a file's name."""
    return yaml.replace("\r\n", "\n").strip("\n") + "\n"


def changed(policy: MaskingPolicy, form: Mapping[str, str]) -> str:
    """YAML of the policy as the form wants it. Raises PolicyError for parameters that cannot be read."""
    attributes = {name: _changed(rule, index, form) for index, (name, rule) in enumerate(policy.attributes.items())}
    limits = Limits(
        k_anonymity=_whole(form, "k_anonymity"),
        distinct_l_diversity=_whole(form, "distinct_l_diversity"),
        suppression=_share(form, "suppression"),
    )
    record = tuple(name for name in policy.attributes if name in _names(form.get("record", "")))
    return dump(dataclasses.replace(policy, attributes=attributes, limits=limits, record=record, source_text=""))


def flow(parameters: Mapping[str, Any]) -> str:
    """Parameters as one line of YAML; empty for none."""
    if not parameters:
        return ""
    yaml = YAML()
    yaml.default_flow_style = True
    yaml.width = 4096
    stream = io.StringIO()
    yaml.dump({key: list(value) if isinstance(value, tuple) else value for key, value in parameters.items()}, stream)
    return stream.getvalue().strip().removeprefix("{").removesuffix("}")


def _choice(rule: AttributeRule) -> str:
    for choice in CHOICES:
        if rule.technique == choice.technique and dict(rule.parameters) == dict(choice.parameters):
            return choice.id
    return CURRENT


def _changed(rule: AttributeRule, index: int, form: Mapping[str, str]) -> AttributeRule:
    role = Role(form[f"role-{index}"]) if form.get(f"role-{index}") in set(Role) else rule.role
    reason = form.get(f"reason-{index}", rule.reason).strip()
    rule = dataclasses.replace(rule, invented=form.get(f"invented-{index}") == "yes")
    wanted = form.get(f"how-{index}", CURRENT)
    choice = next((choice for choice in CHOICES if choice.id == wanted), None)
    if choice is None or choice.id == _choice(rule):
        text = form.get(f"parameters-{index}")
        parameters = rule.parameters if text is None or choice is not None else _parameters(text, rule.name)
        key = (form.get(f"key-{index}") or "").strip() or rule.key if rule.key else None
        return dataclasses.replace(rule, role=role, reason=reason, parameters=parameters, key=key, line=0)
    key = ((form.get(f"key-{index}") or "").strip() or rule.key or f"{rule.name}-key") if choice.keyed else None
    return dataclasses.replace(
        rule, role=role, reason=reason, technique=choice.technique, parameters=choice.parameters, key=key, line=0
    )


def _parameters(text: str, attribute: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        value = YAML(typ="safe").load("{" + text.strip() + "}")
    except YAMLError:
        value = None
    if not isinstance(value, dict) or len(text) > 10_000:
        raise PolicyError(f"attribute {attribute!r}: parameters are written as `name: value, name: value`")
    return {str(key): item for key, item in value.items()}


def _names(text: str) -> set[str]:
    """Column names as people type lists."""
    return {name.strip() for name in text.replace("，", ",").replace("、", ",").split(",")}


def _whole(form: Mapping[str, str], name: str) -> int | None:
    text = (form.get(name) or "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 1_000_000:
        raise PolicyError(f"{name} is a whole number from 1")
    return int(text)


def _share(form: Mapping[str, str], name: str) -> float:
    text = (form.get(name) or "").strip().removesuffix("%").strip()
    try:
        share = float(text or 0) / 100
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise PolicyError(f"{name} is a percentage from 0 to 100")
    return share
