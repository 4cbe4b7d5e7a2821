"""What a column's name says: words in Chinese and English, with the role, level and clause they lead to. Data only.

Levels: GB/T 45574-2025 and 个人信息保护法 Art. 28 put sensitive personal information at L4; other personal information is at
least L2 (TC260 practice guide 2021); what identifies a person directly is L3 here until sensitive data stand beside
it.
"""

# ruff: noqa: E501  (patterns and sentences in two languages read best on one line)

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from masking.taxonomy import DataLevel, Role

SENSITIVE_CLAUSE: Final = "《个人信息保护法》第二十八条；GB/T 45574-2025"
IDENTIFIER_CLAUSE: Final = "GB/T 37964-2019（直接标识符）；《个人信息保护法》第四条"
QUASI_CLAUSE: Final = "GB/T 37964-2019（准标识符）；GB/T 42460-2023"
GENERAL_CLAUSE: Final = "GB/T 43697-2024（一般数据分级，就高从严）"


@dataclass(frozen=True, slots=True)
class Word:
    """A kind of column. ``words`` matches a header whose words stand apart by ``_``, with one before and behind."""

    type: str
    role: Role
    level: DataLevel
    zh: str
    en: str
    clause: str
    words: re.Pattern[str]


def header_word(header: str) -> Word | None:
    """The first kind whose words occur in the header; None if it says nothing."""
    spread = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", header)
    plain = f"_{re.sub(r'[^0-9a-z一-鿿]+', '_', spread.lower())}_"
    return next((word for word in WORDS if word.words.search(plain)), None)


def word(type_: str) -> Word:
    """The kind of that type."""
    return BY_TYPE[type_]


def _words(type_: str, role: Role, level: DataLevel, titles: tuple[str, str], clause: str, zh: str, en: str) -> Word:
    latin = rf"_(?:{en})(?:_(?:no|num|number|code|id|zh|cn)|[0-9]*)_" if en else "(?!)"
    return Word(type_, role, level, *titles, clause, re.compile(f"{latin}|{zh}" if zh else latin))


_D, _Q, _S = Role.DIRECT_IDENTIFIER, Role.QUASI_IDENTIFIER, Role.SENSITIVE
_L2, _L3, _L4 = DataLevel.L2, DataLevel.L3, DataLevel.L4

WORDS: Final[tuple[Word, ...]] = (
    _words(
        "ID_CARD",
        _D,
        _L3,
        ("居民身份证号", "resident ID number"),
        IDENTIFIER_CLAUSE,
        "身份证|公民身份|身份号码|证件号|sfzh",
        "resident|resident_id|id_card|idcard|identity|national_id|sfz|sfzh|zjhm|ssn|citizen_id",
    ),
    _words(
        "BANK_CARD",
        _D,
        _L4,
        ("金融账户", "financial account"),
        SENSITIVE_CLAUSE,
        "银行卡|卡号|账号|账户|帐号",
        "bank_card|card_no|card_number|bank_account|account_no|account_number|iban",
    ),
    _words(
        "MEDICAL_RECORD",
        _D,
        _L4,
        ("病历号", "medical record number"),
        SENSITIVE_CLAUSE,
        "病历号|病案号|住院号|门诊号|就诊号|就诊卡",
        "medical_record|mrn|patient_id|patient_no|admission_no",
    ),
    _words(
        "MEDICAL_INSURANCE",
        _D,
        _L4,
        ("医保编号", "medical insurance number"),
        SENSITIVE_CLAUSE,
        "医保(?:卡|编)?号",
        "medical_insurance_no",
    ),
    _words(
        "SOCIAL_SECURITY",
        _D,
        _L3,
        ("社保号", "social security number"),
        IDENTIFIER_CLAUSE,
        "社保(?:卡)?号|社会保障(?:卡)?号",
        "social_security|social_security_no|sbkh",
    ),
    _words(
        "BIOMETRIC",
        _D,
        _L4,
        ("生物识别信息", "biometric data"),
        SENSITIVE_CLAUSE,
        "人脸|指纹|虹膜|声纹|生物识别",
        "face|fingerprint|iris|voiceprint|biometric",
    ),
    _words("PASSPORT", _D, _L3, ("护照号", "passport number"), IDENTIFIER_CLAUSE, "护照", "passport|passport_no"),
    _words(
        "TRAVEL_PERMIT",
        _D,
        _L3,
        ("通行证号", "travel permit number"),
        IDENTIFIER_CLAUSE,
        "通行证|回乡证|台胞证",
        "travel_permit",
    ),
    _words(
        "PHONE",
        _D,
        _L3,
        ("联系电话", "telephone"),
        IDENTIFIER_CLAUSE,
        "手机|电话|联系方式|移动号码",
        "phone|mobile|tel|telephone|cellphone|cell|sjh|sjhm|lxdh|contact",
    ),
    _words("EMAIL", _D, _L3, ("电子邮箱", "e-mail"), IDENTIFIER_CLAUSE, "邮箱|电子邮件", "email|e_mail|mail"),
    _words("QQ", _D, _L3, ("QQ 号", "QQ number"), IDENTIFIER_CLAUSE, "qq号", "qq"),
    _words("WECHAT", _D, _L3, ("微信号", "WeChat ID"), IDENTIFIER_CLAUSE, "微信", "wechat|weixin|wx_id"),
    _words(
        "LICENSE_PLATE",
        _D,
        _L3,
        ("车牌号", "license plate"),
        IDENTIFIER_CLAUSE,
        "车牌|号牌",
        "plate|license_plate|cphm|cph",
    ),
    _words(
        "VIN", _D, _L3, ("车辆识别代号", "vehicle identification number"), IDENTIFIER_CLAUSE, "车架号|车辆识别", "vin"
    ),
    _words(
        "STUDENT_ID",
        _D,
        _L3,
        ("学号", "student number"),
        IDENTIFIER_CLAUSE,
        "学号|学籍号|准考证",
        "student_id|student_no|xh",
    ),
    _words("MILITARY_ID", _D, _L4, ("军人证件号", "military ID"), SENSITIVE_CLAUSE, "军官证|士兵证", "military_id"),
    _words(
        "PERSON",
        _D,
        _L3,
        ("姓名", "person's name"),
        IDENTIFIER_CLAUSE,
        "姓名|户主|联系人|申请人|法定代表人|监护人|负责人",
        "name|full_name|person|person_name|first_name|last_name|surname|xm|xingming",
    ),
    _words(
        "ADDRESS",
        _D,
        _L3,
        ("详细地址", "detailed address"),
        IDENTIFIER_CLAUSE,
        "地址|住址|门牌",
        "address|addr|street_address|home_address|dz",
    ),
    _words("IP", _D, _L3, ("IP 地址", "IP address"), IDENTIFIER_CLAUSE, "ip地址", "ip|ip_address|ipaddr"),
    _words("MAC", _D, _L3, ("MAC 地址", "MAC address"), IDENTIFIER_CLAUSE, "mac地址", "mac|mac_address"),
    _words(
        "DEVICE",
        _D,
        _L3,
        ("设备标识", "device identifier"),
        IDENTIFIER_CLAUSE,
        "设备号|设备标识",
        "imei|imsi|device_id|idfa|oaid",
    ),
    _words(
        "GPS",
        _S,
        _L4,
        ("精确位置、行踪轨迹", "precise location, whereabouts"),
        SENSITIVE_CLAUSE,
        "经度|纬度|轨迹|行踪",
        "latitude|longitude|lat|lng|lon|trajectory|gps",
    ),
    _words(
        "HEALTH",
        _S,
        _L4,
        ("医疗健康信息", "medical or health data"),
        SENSITIVE_CLAUSE,
        "疾病|诊断|病史|症状|用药|手术|检验|检查结果|健康|医疗|就诊|就医|住院|门诊|残疾|慢病|慢性病|过敏|血型|体检|处方|医保",
        "disease|diagnos\\w*|icd(?:10|9)?|symptoms?|medication|surgery|hosp|hospital|hospital_stays?|health|hlth|numchron|chronic\\w*|adl|adldiff|disabilit\\w*|allerg\\w*|blood_type|prescription|medicaid|medicare|privins|ofp|ofnp|opp|opnp|emr|physician_visits?|doctor_visits?|illness",
    ),
    _words("RELIGION", _S, _L4, ("宗教信仰", "religious belief"), SENSITIVE_CLAUSE, "宗教|信仰", "religion|faith"),
    _words(
        "IDENTITY_STATUS",
        _S,
        _L4,
        ("特定身份", "specific identity"),
        SENSITIVE_CLAUSE,
        "犯罪|前科|吸毒|低保|信访",
        "criminal_record|conviction",
    ),
    _words(
        "INCOME",
        _S,
        _L3,
        ("收入与资产", "income and assets"),
        GENERAL_CLAUSE,
        "收入|工资|薪|资产|存款|纳税额",
        "income|faminc|salary|wage|wages|assets|savings|tax_paid",
    ),
    _words(
        "BIRTH_DATE",
        _Q,
        _L2,
        ("出生日期", "date of birth"),
        QUASI_CLAUSE,
        "出生|生日",
        "birth|birth_date|birthday|dob|date_of_birth|csrq|birth_year",
    ),
    _words("AGE", _Q, _L2, ("年龄", "age"), QUASI_CLAUSE, "年龄|周岁", "age|age_years|nl"),
    _words("GENDER", _Q, _L2, ("性别", "sex"), QUASI_CLAUSE, "性别", "sex|gender|male|female|xb"),
    _words(
        "ETHNICITY", _Q, _L2, ("民族", "ethnicity"), QUASI_CLAUSE, "民族|种族|籍贯", "ethnic\\w*|race|black|minority|mz"
    ),
    _words("MARITAL", _Q, _L2, ("婚姻状况", "marital status"), QUASI_CLAUSE, "婚姻|婚否", "marital\\w*|married|maried"),
    _words(
        "EDUCATION",
        _Q,
        _L2,
        ("受教育程度", "education"),
        QUASI_CLAUSE,
        "学历|文化程度|受教育|识字",
        "education|school|schooling|degree|literacy",
    ),
    _words(
        "OCCUPATION",
        _Q,
        _L2,
        ("职业", "occupation"),
        QUASI_CLAUSE,
        "职业|工作单位|就业|职务",
        "occupation|job|employer|employed|employment",
    ),
    _words(
        "HOUSEHOLD",
        _Q,
        _L2,
        ("家庭规模", "household size"),
        QUASI_CLAUSE,
        "户规模|家庭人口|家庭人数|人口数",
        "household|household_size|agpop|family_size|hhsize",
    ),
    _words(
        "POSTCODE",
        _Q,
        _L2,
        ("邮政编码", "post code"),
        QUASI_CLAUSE,
        "邮编|邮政编码",
        "zip|zipcode|zip_code|postcode|postal_code",
    ),
    _words(
        "REGION",
        _Q,
        _L2,
        ("所在地区", "region"),
        QUASI_CLAUSE,
        "省份|城市|区县|县区|街道|乡镇|村|社区|地区|行政区|区划",
        "province|province_code|city|city_code|county|area|area_code|district|street|street_code|town|township|village|region|division",
    ),
    _words("DATE", _Q, _L2, ("日期", "date"), QUASI_CLAUSE, "日期|时间", "date|time|datetime|timestamp|time_hour"),
    _words(
        "FREE_TEXT",
        _S,
        _L3,
        ("自由文本", "free text"),
        QUASI_CLAUSE,
        "备注|说明|描述|意见|内容|摘要|病程|主诉",
        "remark|remarks|comment|comments|note|notes|description|memo|text",
    ),
)
"""Most particular first: 住院号 is a number of a record before 住院 is health."""

BY_TYPE: Final = {entry.type: entry for entry in WORDS}
