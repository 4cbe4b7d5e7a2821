"""The masking policy as a form in words: every choice is a sentence, and the form writes YAML.

The form and the YAML beside it show the same policy. A choice the form has no sentence for keeps its technique and
shows its parameters as text, so nothing the YAML says is lost by using the form.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from masking.errors import InvalidParameter, PolicyError, UnsupportedColumn
from masking.policy import AttributeRule, MaskingPolicy, dump, explain
from masking.policy.model import RECODING
from masking.taxonomy import Role
from opendata.publishing.models import HierarchyFile
from opendata.publishing.policies import parse_policy
from opendata.web import hierarchy_form, limit_form, recoding_form, records_form
from opendata.web.form_fields import Typed, WrongForm
from opendata.web.inline_yaml import flow, mapping_of, names_of
from opendata.web.policy_choices import CHOICES, groups

CURRENT = "current"
_LIMIT_FIELDS = {
    "recursive_cl_diversity": "recursive_c",
    "population_uniqueness": "population_share",
    "distance": "t_distance",
}
MAX_POLICY_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class Row:
    """One attribute in the form."""

    index: int
    rule: AttributeRule
    sentence: str
    choice: str
    parameters: str
    levels: recoding_form.Levels | None
    shows_parameters: bool
    when: str
    otherwise: str


def rows(policy: MaskingPolicy, lang: str, files: Sequence[HierarchyFile] = ()) -> list[Row]:
    """The form's rows, in the policy's order."""
    sentences = {item.attribute: item.sentence for item in explain(policy, "en" if lang == "en" else "zh")}
    return [
        Row(
            index,
            rule,
            sentences.get(name, ""),
            _choice(rule, files),
            "" if rule.technique == RECODING else flow(hierarchy_form.shown(rule)),
            recoding_form.levels_of(rule),
            _types_parameters(rule, _choice(rule, files)),
            records_form.condition_text(rule.when),
            records_form.branch_text(rule.otherwise),
        )
        for index, (name, rule) in enumerate(policy.attributes.items())
    ]


def read(yaml: str) -> MaskingPolicy:
    """The policy of a text somebody typed. Raises PolicyError; never reads a file."""
    if len(yaml.encode()) > MAX_POLICY_BYTES:
        raise WrongForm({"zh": "脱敏策略超过 1 MiB", "en": "the policy is longer than 1 MiB"})
    return parse_policy(as_text(yaml))


def as_text(yaml: str) -> str:
    """The text with one line break at its end, so that it can never be taken for a file's name."""
    return yaml.replace("\r\n", "\n").strip("\n") + "\n"


def changed(policy: MaskingPolicy, form: Mapping[str, str], files: Sequence[HierarchyFile] = ()) -> str:
    """YAML of the policy as the form wants it. Raises PolicyError for parameters that cannot be read."""
    typed = Typed(form, labels=_labels(policy))
    attributes = {
        name: _changed(rule, index, typed, files) for index, (name, rule) in enumerate(policy.attributes.items())
    }
    limits = limit_form.changed(policy.limits, typed)
    with_records = records_form.changed(policy, typed)
    recoding = typed.chosen("recoding", policy.recoding, tuple(limit_form.RECODING_TITLES))
    typed.check()
    made = dataclasses.replace(
        with_records,
        attributes=attributes,
        limits=limits,
        recoding=cast("Literal['local', 'global']", recoding),
        record=_record(policy, typed),
        source_text="",
    )
    return dump(made)


def _record(policy: MaskingPolicy, typed: Typed) -> tuple[str, ...]:
    """The columns that tell records apart. Draws depend on their order: it stays while the columns do."""
    text = typed.text("record")
    wanted = names_of(text or "")
    if text is None or set(wanted) == set(policy.record):
        return policy.record
    return tuple(name for name in policy.attributes if name in wanted)


def _labels(policy: MaskingPolicy) -> dict[str, Mapping[str, str]]:
    found: dict[str, Mapping[str, str]] = {**limit_form.LABELS, **records_form.LABELS}
    for each in records_form.domains(policy):
        found[f"domain-{each.index}-version"] = {"zh": f"{each.name} 版本", "en": f"{each.name} version"}
    for index, name in enumerate(policy.attributes):
        for field, label in (recoding_form.LABELS | records_form.OF_ATTRIBUTE).items():
            found[f"{field}-{index}"] = {lang: f"{name} {words}" for lang, words in label.items()}
    return found


def field_of(error: Exception, yaml: str) -> str:
    """The field of the form that a refusal of the policy check is about; empty where there is none."""
    try:
        policy = read(yaml)
    except PolicyError:
        return ""
    attribute = error.attribute if isinstance(error, InvalidParameter | UnsupportedColumn) else None
    if attribute is not None and attribute in policy.attributes:
        index = list(policy.attributes).index(attribute)
        parameter = getattr(error, "parameter", None)
        if policy.attributes[attribute].technique == RECODING and parameter in ("lowest", "highest", "weight"):
            return f"{parameter}-{index}"
        return f"how-{index}"
    said = str(error)
    if "limits: " in said:
        named = [_LIMIT_FIELDS.get(word, word) for word in re.findall(r"\w+", said)]
        return next((word for word in named if word in limit_form.fields(policy.limits)), "k_anonymity")
    if RECODING in said:
        return next((f"how-{at}" for at, name in enumerate(policy.attributes) if repr(name) in said), "")
    return ""


def _types_parameters(rule: AttributeRule, choice: str) -> bool:
    """Whether the form shows the parameters of a rule as text."""
    return rule.technique != RECODING and (choice == CURRENT or rule.technique == hierarchy_form.LEVEL)


def _choice(rule: AttributeRule, files: Sequence[HierarchyFile]) -> str:
    named = hierarchy_form.choice_of(rule, files)
    if named is not None:
        return named
    if rule.technique == RECODING:
        return recoding_form.kind_of(rule) or CURRENT
    for choice in CHOICES:
        if rule.technique == choice.technique and dict(rule.parameters) == dict(choice.parameters):
            return choice.id
    return CURRENT


def _changed(rule: AttributeRule, index: int, typed: Typed, files: Sequence[HierarchyFile]) -> AttributeRule:
    form = typed.form
    role = Role(form[f"role-{index}"]) if form.get(f"role-{index}") in set(Role) else rule.role
    reason = form.get(f"reason-{index}", rule.reason).strip()
    rule = dataclasses.replace(rule, invented=form.get(f"invented-{index}") == "yes")
    wanted, is_now = form.get(f"how-{index}", CURRENT), _choice(rule, files)
    known = (choice for group in groups(files) for choice in group.choices)
    choice = next((choice for choice in known if choice.id == wanted and choice.id != is_now), None)
    rule = records_form.branches_changed(dataclasses.replace(rule, role=role, reason=reason, line=0), index, typed)
    if (choice or rule).technique == RECODING:
        parameters = recoding_form.changed(rule, index, typed, None if choice is None else choice.parameters)
        return dataclasses.replace(rule, technique=RECODING, parameters=parameters, key=None)
    key = (form.get(f"key-{index}") or "").strip() or rule.key
    if choice is None:
        text = form.get(f"parameters-{index}")
        parameters = dict(rule.parameters)
        if text is not None and _types_parameters(rule, is_now):
            parameters = hierarchy_form.kept(rule, _parameters(text, index, typed))
        return dataclasses.replace(rule, parameters=parameters, key=key if rule.key else None)
    key = (key or f"{rule.name}-key") if choice.keyed else None
    return dataclasses.replace(rule, technique=choice.technique, parameters=choice.parameters, key=key)


def _parameters(text: str, index: int, typed: Typed) -> dict[str, Any]:
    found = mapping_of(text, records_form.LONGEST)
    if found is None:
        typed.fault(
            f"parameters-{index}",
            "参数应写作“名称: 值, 名称: 值”",
            "Parameters are written as “name: value, name: value”",
        )
    return found or {}
