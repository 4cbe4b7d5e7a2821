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
from masking.policy import AttributeRule, MaskingPolicy, dump, explain, load
from masking.policy.model import RECODING
from masking.taxonomy import Role
from opendata.publishing.models import HierarchyFile
from opendata.web import hierarchy_form, limit_form, recoding_form, records_form
from opendata.web.form_fields import Typed, WrongForm
from opendata.web.inline_yaml import flow, mapping_of, names_of

CURRENT = "current"
_LIMIT_FIELDS = {
    "recursive_cl_diversity": "recursive_c",
    "population_uniqueness": "population_share",
    "distance": "t_distance",
}
MAX_POLICY_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class Choice:
    """One sentence of the form and what it means in the policy."""

    id: str
    title: Mapping[str, str]
    technique: str
    parameters: Mapping[str, Any]
    keyed: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Choices of one family, under its name in GB/T 37964."""

    title: Mapping[str, str]
    choices: tuple[Choice, ...]


def _choice_of(id_: str, zh: str, en: str, technique: str, **parameters: Any) -> Choice:
    return Choice(id_, {"zh": zh, "en": en}, technique, parameters)


def _keyed(id_: str, zh: str, en: str, technique: str, **parameters: Any) -> Choice:
    return Choice(id_, {"zh": zh, "en": en}, technique, parameters, keyed=True)


GROUPS: tuple[Group, ...] = (
    Group(
        {"zh": "保留与抑制", "en": "Keep and suppress"},
        (
            _choice_of("keep", "保留原值", "keep the value", "keep"),
            _choice_of("drop", "整列删除", "drop the column", "suppression.drop"),
            _choice_of(
                "mask",
                "只留前 3 后 4 位，其余用 * 遮盖",
                "keep the first 3 and last 4 characters, cover the rest",
                "suppression.mask",
                keep_first=3,
                keep_last=4,
            ),
            _choice_of(
                "surname",
                "只留第一个字，其余用 * 遮盖",
                "keep the first character, cover the rest",
                "suppression.mask",
                keep_first=1,
            ),
        ),
    ),
    Group(
        {
            "zh": "假名化（持有密钥者可还原，属去标识化）",
            "en": "Pseudonyms (a key holder can undo them: de-identified)",
        },
        (
            _keyed(
                "token",
                "换成带密钥的假名（16 位）",
                "replace by a keyed pseudonym (16 characters)",
                "pseudonymization.keyed",
            ),
            _keyed(
                "resident_id",
                "居民身份证号：同长度、可辨识为无效的假名",
                "resident ID: a pseudonym of the same length, recognisably invalid",
                "pseudonymization.resident_id",
            ),
            _keyed(
                "resident_id_kept",
                "居民身份证号：假名，保留省份、出生年和性别",
                "resident ID: a pseudonym that keeps province, birth year and gender",
                "pseudonymization.resident_id",
                keep=["province", "birth_year", "gender"],
            ),
            _keyed(
                "mobile",
                "手机号：同长度、可辨识为无效的假名",
                "mobile number: a pseudonym of the same length, recognisably invalid",
                "pseudonymization.mobile",
            ),
            _keyed(
                "bank_card",
                "银行卡号：同长度、校验位不符的假名",
                "bank card: a pseudonym of the same length with a wrong check digit",
                "pseudonymization.bank_card",
            ),
            _keyed(
                "credit_code",
                "统一社会信用代码：同长度、校验位不符的假名",
                "credit code: a pseudonym of the same length with a wrong check character",
                "pseudonymization.credit_code",
            ),
            _keyed(
                "plate",
                "车牌号：同长度、可辨识为无效的假名",
                "licence plate: a pseudonym of the same length, recognisably invalid",
                "pseudonymization.plate",
            ),
            _keyed(
                "ff1",
                "其他数字编号：同长度的密文（FF1）",
                "other numbers: same length, encrypted (FF1)",
                "cryptographic.ff1",
            ),
        ),
    ),
    Group(
        {"zh": "泛化", "en": "Generalization"},
        (
            _choice_of("year", "日期只留到年", "keep only the year of the date", "generalization.date", to="year"),
            _choice_of("quarter", "日期只留到季度", "keep only the quarter", "generalization.date", to="quarter"),
            _choice_of("month", "日期只留到月", "keep only the month", "generalization.date", to="month"),
            _choice_of(
                "decade", "日期归入 10 年一段", "ten-year bands of the date", "generalization.date", to="year_band:10"
            ),
            _choice_of("round5", "数值取 5 的倍数", "round to multiples of 5", "generalization.rounding", base=5),
            _choice_of("round10", "数值取 10 的倍数", "round to multiples of 10", "generalization.rounding", base=10),
            _choice_of(
                "round1000", "数值取 1000 的倍数", "round to multiples of 1,000", "generalization.rounding", base=1000
            ),
            _choice_of("bands5", "数值每 5 一段", "bands of width 5", "generalization.bands", width=5),
            _choice_of("bands10", "数值每 10 一段", "bands of width 10", "generalization.bands", width=10),
            _choice_of(
                "county", "区划代码只留到县", "division code to the county", "generalization.division", to="county"
            ),
            _choice_of("city", "区划代码只留到市", "division code to the city", "generalization.division", to="city"),
            _choice_of(
                "address_county", "地址只留到区县", "address to the county", "generalization.address", to="county"
            ),
            _choice_of("address_city", "地址只留到市", "address to the city", "generalization.address", to="city"),
            _choice_of("postcode", "邮政编码只留前 4 位", "postcode to 4 digits", "generalization.postcode", digits=4),
            _choice_of(
                "code3",
                "编码（如 ICD-10）只留前 3 位",
                "code (ICD-10) to 3 characters",
                "generalization.code_prefix",
                keep_first=3,
            ),
            _choice_of("ip", "IP 地址只留网段（/24、/48）", "IP address to its network", "generalization.ip"),
        ),
    ),
    Group(
        {
            "zh": "逐级泛化（到限值够用为止，准标识符须一起选用）",
            "en": "Generalization by levels (as far as the limits ask; all quasi-identifiers together)",
        },
        (
            _choice_of(
                "recode_intervals",
                "数值按区间逐级",
                "numbers by intervals",
                RECODING,
                **recoding_form.KINDS["recode_intervals"],
            ),
            _choice_of(
                "recode_prefixes",
                "编码逐级只留前几位",
                "codes by their first characters",
                RECODING,
                **recoding_form.KINDS["recode_prefixes"],
            ),
            _choice_of(
                "recode_calendar",
                "日期按月、季、年、年代",
                "dates by month, quarter, year, decade",
                RECODING,
                **recoding_form.KINDS["recode_calendar"],
            ),
            _choice_of("recode_flat", "保留原值，否则写作 *", "each value, or *", RECODING),
        ),
    ),
    Group(
        {"zh": "随机化（每条记录只抽取一次）", "en": "Randomization (drawn once for each record)"},
        (
            _keyed(
                "noise10",
                "加拉普拉斯噪声（尺度 10）",
                "Laplace noise of scale 10",
                "randomization.noise",
                distribution="laplace",
                scale=10,
            ),
            _keyed("permute", "在记录间置换", "permute over the records", "randomization.permutation"),
            _keyed("swap5", "秩交换（5%）", "swap within 5 % of the ranks", "randomization.rank_swapping", percent=5),
            _choice_of(
                "groups3",
                "微聚集：至少 3 条取均值",
                "microaggregation: means of 3 or more",
                "randomization.microaggregation",
                size=3,
            ),
        ),
    ),
    Group(
        {"zh": "自由文本", "en": "Free text"},
        (
            _choice_of(
                "redact",
                "识别到的个人信息换成类型名",
                "detected personal data become type names",
                "text.redact",
            ),
        ),
    ),
)
CHOICES: tuple[Choice, ...] = tuple(choice for group in GROUPS for choice in group.choices)


def groups(files: Sequence[HierarchyFile] = ()) -> tuple[Group, ...]:
    """All choices, those that name a hierarchy file of the dataset last."""
    named = tuple(Choice(*each) for each in hierarchy_form.choices_of(files))
    title = {"zh": "按上传的层级文件泛化", "en": "Generalization up an uploaded hierarchy"}
    return (*GROUPS, Group(title, named)) if named else GROUPS


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
    return load(as_text(yaml))


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
