"""What a column stands for, from what is published: the policy's hint, its technique, the column's name and title.

Kinds are the detection types (DESIGN.md 7) and a few more that have a public code list. Nothing of the raw table is
looked at: the same policy and name give the same kind.
"""

from __future__ import annotations

import re
from typing import Final

from masking.detection.headers import header_word
from masking.policy.model import AttributeRule
from masking.taxonomy import Role
from sandbox.workspaces.practice.codes import SECTORS

_PERSONAL: Final = (
    "PERSON ID_CARD PHONE EMAIL BANK_CARD SOCIAL_SECURITY STUDENT_ID MEDICAL_INSURANCE PASSPORT TRAVEL_PERMIT "
    "FOREIGN_PR QQ WECHAT MILITARY_ID DEVICE BIRTH_DATE AGE GENDER ETHNICITY MARITAL EDUCATION OCCUPATION POSTCODE "
    "DIVISION ADDRESS HOUSEHOLD_NO LANDLINE"
)
PERSONAL: Final = frozenset(_PERSONAL.split())
"""Kinds that belong to a person and so are the same on all her rows."""
_NUMBERS: Final = (
    "ID_CARD PHONE EMAIL BANK_CARD SOCIAL_SECURITY STUDENT_ID MEDICAL_RECORD MEDICAL_INSURANCE PASSPORT TRAVEL_PERMIT "
    "FOREIGN_PR QQ WECHAT MILITARY_ID DEVICE USCC ORG_CODE LICENSE_PLATE VIN IP MAC LANDLINE HOUSEHOLD_NO"
)
IDENTIFIERS: Final = frozenset(_NUMBERS.split())
"""Kinds that number a person, a firm or a thing."""
_BY_TECHNIQUE: Final = {
    "pseudonymization.resident_id": "ID_CARD",
    "pseudonymization.mobile": "PHONE",
    "pseudonymization.bank_card": "BANK_CARD",
    "pseudonymization.credit_code": "USCC",
    "pseudonymization.plate": "LICENSE_PLATE",
    "pseudonymization.email": "EMAIL",
    "generalization.postcode": "POSTCODE",
    "generalization.division": "DIVISION",
    "generalization.address": "ADDRESS",
    "generalization.age": "BIRTH_DATE",
    "generalization.date": "DATE",
    "randomization.date_shift": "DATE",
}
_BY_WORD: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (kind, re.compile(words))
    for kind, words in (
        ("USCC", "信用代码|credit_?code|uscc"),
        ("HOUSEHOLD_NO", "户号|household_?no"),
        ("STAFF", "医师|医生|doctor|physician_name|经办人"),
        ("ORG", "单位名称|企业名称|机构名称|名称（字号）|employer_?name|company_?name|org_?name"),
        ("FREE_TEXT", "自由文本|free text|主诉|备注|诉求内容|办理结果|content|remark|chief_complaint|reply"),
        ("DIAGNOSIS", "诊断|diagnos|icd"),
        ("DRUG", "药品|drug|atc"),
        ("INDUSTRY", "行业|industry"),
        ("DEPARTMENT", "科室|department"),
        ("LATITUDE", "纬度|latitude"),
        ("LONGITUDE", "经度|longitude"),
        ("POSTCODE", "邮政编码|postcode|zip"),
        ("DIVISION", "区划代码|division"),
        ("STUDENT_ID", "学籍号|student_?no"),
        ("STATION", "站点|station"),
        ("LINE", "线路|(?:^|_)line(?:$|_)"),
    )
)
_SOMEBODY: Final = re.compile("监护|guardian|法定代表|legal|联系人|contact|配偶|spouse|parent|经办|负责人")
_ROW_NUMBER: Final = re.compile(
    "就诊号|住院号|门诊号|流水号|单号|工单编号|处方号|visit_no|settlement|ticket|trip_no|transaction|order_no|serial"
)


def kind_of(name: str, rule: AttributeRule | None) -> str:
    """The kind of a column, empty if nothing says it."""
    hint = str((rule.practice or {}).get("type") or "") if rule else ""
    if hint:
        return hint
    titles = list(rule.title.values()) if rule else []
    words = " ".join([name, *titles]).casefold()
    if rule is not None and rule.free_text:
        return "FREE_TEXT"
    technique = rule.technique if rule else ""
    if technique in _BY_TECHNIQUE:
        return "BIRTH_DATE" if _BY_TECHNIQUE[technique] == "DATE" and "birth" in words else _BY_TECHNIQUE[technique]
    found = next((kind for kind, pattern in _BY_WORD if pattern.search(words)), "")
    if found:
        return found
    word = next((known for text in (name, *titles) if (known := header_word(text)) is not None), None)
    if word is None:
        return ""
    if rule is not None and rule.role is Role.INSENSITIVE and word.role is Role.DIRECT_IDENTIFIER:
        return ""  # a place or a thing that has a name
    return word.type


def somebody(name: str, rule: AttributeRule | None) -> str:
    """A word if the column speaks about another person than the row's own: the same word, the same other person."""
    words = " ".join([name, *(rule.title.values() if rule else ())]).casefold()
    found = _SOMEBODY.search(words)
    return found[0] if found else ""


def numbers_rows(name: str, rule: AttributeRule | None) -> bool:
    """True if the column numbers events (visits, tickets, trips), by its name."""
    return _ROW_NUMBER.search(" ".join([name, *(rule.title.values() if rule else ())]).casefold()) is not None


def sector_of(words: str) -> str:
    """Which sentences free text is made of, by what column and table are called."""
    return next((sector for sector, marks in SECTORS if any(mark in words.casefold() for mark in marks)), "general")
