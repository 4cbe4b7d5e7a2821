"""The choices of the policy form: sentences of what happens to an attribute, by family, and what each means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from masking.policy.model import RECODING
from opendata.publishing.models import HierarchyFile
from opendata.web import hierarchy_form, recoding_form


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
