"""What each technique and each of its parameters does, in words, Chinese and English: the one place for these facts.

``Words.said`` is the sentence, with ``{parameter}`` for a value; ``Words.clauses`` says what a further parameter adds
where a rule gives it. A test goes over the registry: no technique and no parameter is without words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Language = Literal["zh", "en"]
Both = tuple[str, str]
"""A text in Chinese and in English."""
Given = Mapping[str, Any]
"""The parameters of a rule, defaults included."""
Clause = Both | Mapping[Any, Both]
"""What a parameter says, whatever its value, or by its value."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a technique does: a text with places for parameters, or what makes both texts of the parameters."""

    said: Both | Callable[[Given], Both]
    clauses: Mapping[str, Clause] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    """Parameters that ``said`` tells of if it is no plain text."""


def sentence(technique: str, parameters: Given, defaults: Given, key: str | None, lang: Language) -> str:
    """What a rule does; of a technique that was registered elsewhere only its name is known."""
    words = WORDS.get(technique, Words((f"使用技术 {technique}", f"technique {technique}")))
    given = {**defaults, **parameters, "key": key or "?"}
    values = {name: shown(value, lang) for name, value in given.items()}
    parts = [_text(words.said(given), lang)] if callable(words.said) else [_text(words.said, lang).format_map(values)]
    for name, clause in words.clauses.items():
        value = parameters.get(name)
        chosen = clause if isinstance(clause, tuple) else clause.get(value)
        if chosen is not None and value not in (None, False, (), [], ""):
            parts.append(_text(chosen, lang).format_map(values))
    return ("；" if lang == "zh" else "; ").join(parts)


def shown(value: Any, lang: Language) -> str:
    """A parameter's value in words."""
    if isinstance(value, str):
        return _text(VALUES.get(value, (value, value)), lang)
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:g}"
    if isinstance(value, Mapping):
        return f"{len(value)}"
    if isinstance(value, Sequence):
        first = [shown(each, lang) for each in value[:_MOST]]
        rest = "……" if lang == "zh" else ", …"
        return ("、" if lang == "zh" else ", ").join(first) + (rest if len(value) > _MOST else "")
    return str(value)


def names_of(words: Words) -> frozenset[str]:
    """The parameters that ``words`` tells of."""
    said = () if callable(words.said) else [part.split("}")[0] for part in words.said[0].split("{")[1:]]
    return frozenset({*said, *words.says, *words.clauses} - {"key"})


def _text(both: Both, lang: Language) -> str:
    return both[0] if lang == "zh" else both[1]


_MOST: Final = 6

VALUES: Final[Mapping[str, Both]] = {
    "province": ("省级", "province"),
    "city": ("地市级", "city"),
    "county": ("县级", "county"),
    "street": ("街道（乡镇）级", "street"),
    "birth_year": ("出生年", "year of birth"),
    "birth_date": ("出生日期", "date of birth"),
    "gender": ("性别", "sex"),
    "prefix": ("号段（前三位）", "prefix of three digits"),
    "network": ("运营商", "network"),
    "bin": ("发卡机构（前六位）", "issuer (six digits)"),
    "kind": ("机构类别", "kind of organisation"),
    "domain": ("邮箱域名", "domain"),
    "person": ("人名", "persons"),
    "company": ("单位名称", "companies"),
    "address": ("地址", "addresses"),
    "job": ("职业", "jobs"),
    "zh_CN": ("中文", "Chinese"),
    "en_US": ("英文", "English"),
    "laplace": ("拉普拉斯分布", "Laplace"),
    "normal": ("正态分布", "normal"),
    "uniform": ("均匀分布", "uniform"),
    "latitude": ("纬度", "latitude"),
    "longitude": ("经度", "longitude"),
    "aes": ("AES", "AES"),
    "sm4": ("SM4", "SM4"),
}
_STAYS: Final = ("去标识化，不是匿名化", "de-identified, not anonymous")
_INVALID: Final[Mapping[Any, Both]] = {
    "reject": ("遇到格式不符的值则中止", "a value outside the format stops the run"),
    "suppress": ("格式不符的值隐去并计数", "a value outside the format is hidden and counted"),
    "token": ("格式不符的值换成假名并计数", "a value outside the format becomes a token and is counted"),
    "null": ("格式不符的值置空并计数", "a value outside the format is emptied and counted"),
}
_CIPHER: Final = ("密码算法为 {cipher}", "with the cipher {cipher}")
_MARK: Final = ("每个替代值带有标记“{mark}”", "every surrogate bears the mark {mark}")
_ENCODING: Final = ("以 {encoding} 书写", "spelled in {encoding}")
_BOUNDS: Final[Mapping[str, Clause]] = {
    "lower": ("结果不低于 {lower}", "no result is below {lower}"),
    "upper": ("结果不高于 {upper}", "no result is above {upper}"),
}


def _bands(given: Given) -> Both:
    if given.get("edges"):
        edges = [f"{edge:g}" for edge in given["edges"]]
        return f"分段，界点 {'、'.join(edges)}", f"in bands with edges {', '.join(edges)}"
    zh, en = f"按每 {given.get('width') or 0:g} 一段分段", f"in bands of {given.get('width') or 0:g}"
    lower, upper = given.get("lower"), given.get("upper")
    if lower is not None:
        zh, en = f"{zh}，{lower:g} 以下合并", f"{en}, all below {lower:g} together"
    if upper is not None:
        zh, en = f"{zh}，{upper:g} 及以上合并", f"{en}, all from {upper:g} on together"
    return zh, en


def _date(given: Given) -> Both:
    to = str(given.get("to", ""))
    if to.startswith("year_band:"):
        years = to.split(":", maxsplit=1)[1]
        return f"只保留 {years} 年一段", f"only the band of {years} years is kept"
    zh = {"year": "年份", "month": "年月", "quarter": "季度"}.get(to, to)
    return f"只保留{zh}", f"only the {to} is kept"


def _top_bottom(given: Given) -> Both:
    zh, en = [], []
    if given.get("lower") is not None:
        zh.append(f"小于 {given['lower']:g} 的记为 {given['lower']:g}")
        en.append(f"values below {given['lower']:g} become {given['lower']:g}")
    if given.get("upper") is not None:
        zh.append(f"大于 {given['upper']:g} 的记为 {given['upper']:g}")
        en.append(f"values above {given['upper']:g} become {given['upper']:g}")
    return "，".join(zh), ", ".join(en)


def _age(given: Given) -> Both:
    zh, en = f"出生日期换成 {given.get('at')} 的周岁", f"the birth date becomes the age on {given.get('at')}"
    if given.get("width") is not None:
        zh, en = f"{zh}，每 {given['width']} 岁一段", f"{en}, in bands of {given['width']} years"
    if given.get("upper") is not None:
        zh, en = f"{zh}，{given['upper']} 岁及以上合并", f"{en}, all from {given['upper']} on together"
    return zh, en


def _local(given: Given) -> Both:
    if given.get("all"):
        return "该项全部置空", "every cell is emptied"
    zh, en = [], []
    if given.get("values"):
        zh.append(f"等于{shown(given['values'], 'zh')}")
        en.append(f"equal to {shown(given['values'], 'en')}")
    if given.get("pattern") is not None:
        zh.append(f"形如 {given['pattern']}")
        en.append(f"of the form {given['pattern']}")
    if given.get("lower") is not None:
        zh.append(f"小于 {given['lower']:g}")
        en.append(f"below {given['lower']:g}")
    if given.get("upper") is not None:
        zh.append(f"大于 {given['upper']:g}")
        en.append(f"above {given['upper']:g}")
    return f"{'或'.join(zh)}的单元格置空", f"cells {' or '.join(en)} are emptied"


def _hierarchy(given: Given) -> Both:
    zh, en = (
        f"按层级表归并到第 {given.get('level', 1)} 层",
        f"replaced by level {given.get('level', 1)} of its hierarchy",
    )
    if given.get("file"):
        zh, en = f"{zh}（{given['file']}）", f"{en} ({given['file']})"
    if given.get("mapping"):
        zh, en = (
            f"{zh}（策略内列出 {len(given['mapping'])} 个值）",
            f"{en} ({len(given['mapping'])} values listed in the policy)",
        )
    return zh, en


def _recoding(given: Given) -> Both:
    zh, en = "每个值，再到 *", "each value, then *"
    if given.get("intervals"):
        steps = "、".join(f"{step:g}" for step in given["intervals"])
        zh, en = f"区间 {steps}", f"intervals of {steps.replace('、', ', ')}"
        if given.get("origin"):
            zh, en = f"{zh}（自 {given['origin']:g} 起）", f"{en} from {given['origin']:g} on"
    elif given.get("prefixes"):
        lengths = "、".join(str(length) for length in given["prefixes"])
        zh = f"前 {lengths} 位，其余写作 {given.get('fill', '*')}"
        en = f"the first {lengths.replace('、', ', ')} characters, the rest {given.get('fill', '*')}"
    elif given.get("calendar"):
        zh, en = "月、季、年、年代", "month, quarter, year, decade"
    elif given.get("file"):
        zh, en = f"层级表 {given['file']}", f"the hierarchy {given['file']}"
    elif given.get("mapping"):
        zh, en = f"策略内列出的 {len(given['mapping'])} 个值", f"{len(given['mapping'])} values listed in the policy"
    low, high = given.get("lowest") or 0, given.get("highest")
    if low or high is not None:
        zh = f"{zh}；第 {low} 层至{'最粗层' if high is None else f'第 {high} 层'}"
        en = f"{en}; level {low} to {'the coarsest' if high is None else high}"
    return f"按限值泛化到够用为止（{zh}）", f"generalized as far as the limits ask ({en})"


def _noise(given: Given) -> Both:
    share = bool(given.get("multiplicative"))
    scale = f"{given.get('scale', 0):g}"
    zh, en = (shown(given.get("distribution"), lang) for lang in ("zh", "en"))
    return (
        f"加入{zh}噪声，尺度为{'原值的 ' if share else ' '}{scale}{' 倍' if share else ''}，每条记录只抽取一次",
        f"{en} noise of scale {scale}{' times the value' if share else ''} is added, drawn once for each record",
    )


def _identifier(zh: str, en: str, form: Both) -> Words:
    """Structure-preserving pseudonyms of one kind of identifier; ``form`` is how they are seen to be none in use."""

    def said(given: Given) -> Both:
        key = given.get("key")
        seen = ("；看起来是真实有效的号码，只能用于测试", "; it looks valid: for tests only")
        if not given.get("valid_looking"):
            seen = (f"，{form[0]}", f", {form[1]}")
        return (
            f"换成密钥“{key}”下的另一个{zh}，一一对应{seen[0]}（{_STAYS[0]}）",
            f"becomes another {en} under the key {key!r}, one to one{seen[1]} ({_STAYS[1]})",
        )

    kept = ("保留{keep}，作为准标识符计入风险", "kept legible and counted as quasi-identifiers: {keep}")
    return Words(said, {"keep": kept, "cipher": _CIPHER, "on_invalid": _INVALID}, ("valid_looking",))


WORDS: Final[Mapping[str, Words]] = {
    "keep": Words(("保持原样", "kept as it is")),
    # Suppression.
    "suppression.drop": Words(("删除，不发布", "dropped, not published")),
    "suppression.mask": Words(
        (
            "只显示前 {keep_first} 位和后 {keep_last} 位，其余遮盖",
            "the first {keep_first} and last {keep_last} characters are shown, the rest covered",
        ),
        {"character": ("遮盖字符为 {character}", "covered with {character}")},
    ),
    "suppression.local": Words(_local, says=("values", "pattern", "lower", "upper", "all")),
    # Generalization.
    "generalization.rounding": Words(("取整到 {base} 的倍数", "rounded to multiples of {base}")),
    "generalization.top_bottom": Words(_top_bottom, says=("lower", "upper")),
    "generalization.bands": Words(_bands, says=("edges", "width", "lower", "upper")),
    "generalization.date": Words(_date, says=("to",)),
    "generalization.age": Words(_age, {"on_invalid": _INVALID}, ("at", "width", "upper")),
    "generalization.hierarchy": Words(_hierarchy, {"on_missing": _INVALID}, ("level", "mapping", "file")),
    "generalization.recoding": Words(
        _recoding,
        {"weight": ("信息损失按 {weight} 倍计", "its loss counts {weight} times")},
        ("mapping", "file", "intervals", "origin", "prefixes", "fill", "calendar", "lowest", "highest"),
    ),
    "generalization.division": Words(
        ("行政区划代码归并到{to}", "the division code is that of its {to}"),
        {"names": ("写作区划名称", "written as a name"), "on_invalid": _INVALID},
    ),
    "generalization.address": Words(
        ("地址只保留到{to}的区划名称", "only the name of the {to} is left of the address"), {"on_invalid": _INVALID}
    ),
    "generalization.postcode": Words(
        ("邮政编码只保留前 {digits} 位", "only the first {digits} digits of the postcode are kept"),
        {"on_invalid": _INVALID},
    ),
    "generalization.code_prefix": Words(
        ("代码只保留前 {keep_first} 位", "only the first {keep_first} characters of the code are kept"),
        {
            "character": ("其余各位写作 {character}", "each other one is written {character}"),
            "on_invalid": _INVALID,
        },
    ),
    "generalization.ip": Words(
        (
            "IP 地址只保留网络部分：IPv4 前 {v4} 位，IPv6 前 {v6} 位",
            "only the network of the IP address is kept: {v4} bits of IPv4, {v6} of IPv6",
        ),
        {"on_invalid": _INVALID},
    ),
    "generalization.grid": Words(
        ("{axis}归并到 {step} 度的网格", "the {axis} is that of a grid of {step} degrees"),
        {
            "to": {
                "centre": ("取格子中心", "the centre of the cell"),
                "lower": ("取格子下边", "the lower edge of the cell"),
            },
            "on_invalid": _INVALID,
        },
    ),
    # Randomization.
    "randomization.noise": Words(_noise, _BOUNDS, ("distribution", "scale", "multiplicative")),
    "randomization.date_shift": Words(
        (
            "同一“{per}”的各日期一起平移，最多前后 {max_days} 天，间隔不变；知道其中一个真实日期的人可推出其余日期",
            (
                "all dates of one {per} move together by at most {max_days} days, intervals stay; whoever knows one "
                "true date knows them all"
            ),
        )
    ),
    "randomization.pram": Words(
        (
            "以 {keep} 的概率保留原类别，否则从 {values} 中随机抽取，每条记录只抽取一次",
            "kept with probability {keep}, else drawn from {values}, once for each record",
        ),
        {"weights": ("抽取权重为 {weights}", "drawn with the weights {weights}"), "on_invalid": _INVALID},
    ),
    "randomization.permutation": Words(
        ("各记录之间随机交换该项的值", "values are permuted among the records"),
        {"within": ("只在“{within}”相同的记录之间交换", "only among records that are equal in {within}")},
    ),
    "randomization.rank_swapping": Words(
        (
            "与排名相差不超过 {percent}% 的记录交换值",
            "exchanged with a record whose rank differs by at most {percent} % of the records",
        )
    ),
    "randomization.microaggregation": Words(
        (
            "换成至少 {size} 条相近记录的平均值",
            "replaced by the mean of a group of at least {size} near records",
        ),
        {"together": ("与{together}一起分组", "grouped by {together} together")},
    ),
    # Pseudonymization.
    "pseudonymization.keyed": Words(
        (
            f"换成密钥“{{key}}”下的假名（{_STAYS[0]}）",
            f"replaced by a pseudonym under the key '{{key}}' ({_STAYS[1]})",
        ),
        {
            "algorithm": {
                "aes-cmac": ("算法为 AES-CMAC", "by AES-CMAC"),
                "hmac-sm3": ("算法为 HMAC-SM3", "by HMAC-SM3"),
            }
        },
    ),
    "pseudonymization.surrogate": Words(
        (
            f"换成密钥“{{key}}”下虚构的{{kind}}，同值同名，不同的值也可能同名（{_STAYS[0]}）",
            (
                f"replaced by invented {{kind}} under the key '{{key}}': equal values alike, different ones mostly not "
                f"({_STAYS[1]})"
            ),
        ),
        {"locale": ("用{locale}", "in {locale}"), "mark": _MARK},
    ),
    "pseudonymization.sequence": Words(
        (
            "换成密钥“{key}”下随机次序的编号，以“{prefix}”开头；只在本表内对应，不与其他表关联",
            (
                "replaced by running numbers in an order drawn under the key '{key}', beginning with {prefix}; they "
                "join within this table only"
            ),
        ),
        {"width": ("编号 {width} 位", "of {width} digits")},
    ),
    "pseudonymization.resident_id": _identifier(
        "居民身份证号", "resident ID number", ("校验码必错，不会与真实号码相同", "with a wrong check character")
    ),
    "pseudonymization.mobile": _identifier(
        "手机号", "mobile number", ("以 2 开头，不是在用号码", "beginning with 2, which none in use does")
    ),
    "pseudonymization.bank_card": _identifier(
        "银行卡号", "bank card number", ("末位校验必错，不是在用卡号", "with a wrong last digit")
    ),
    "pseudonymization.credit_code": _identifier(
        "统一社会信用代码", "unified social credit code", ("校验码必错，不是在用代码", "with a wrong check character")
    ),
    "pseudonymization.plate": _identifier(
        "车牌号", "vehicle plate", ("首字不是任何省份简称", "beginning with no province")
    ),
    "pseudonymization.email": _identifier(
        "邮箱地址", "e-mail address", ("域名为 .invalid，无法投递", "in the domain .invalid, where no mail arrives")
    ),
    # Cryptographic tools.
    "cryptographic.ff1": Words(
        (
            f"以密钥“{{key}}”保留格式加密（{_STAYS[0]}）",
            f"encrypted under the key '{{key}}', format kept ({_STAYS[1]})",
        ),
        {
            "radix": ("字母表有 {radix} 个字符", "over an alphabet of {radix} characters"),
            "cipher": _CIPHER,
            "mark": _MARK,
            "on_invalid": _INVALID,
        },
    ),
    "cryptographic.aes_siv": Words(
        (
            f"以密钥“{{key}}”确定性加密，同值同文，持钥者可还原（{_STAYS[0]}）",
            f"encrypted under the key '{{key}}', equal values alike; the holder of the key reads them ({_STAYS[1]})",
        ),
        {"encoding": _ENCODING},
    ),
    "cryptographic.aes_gcm": Words(
        (
            f"以密钥“{{key}}”封装，同值不同文，只有持钥者可打开（{_STAYS[0]}）",
            (
                f"sealed under the key '{{key}}', equal values look different; only the holder of the key opens them "
                f"({_STAYS[1]})"
            ),
        ),
        {"pad": ("长度按 {pad} 字节补齐", "lengths show in steps of {pad} bytes"), "encoding": _ENCODING},
    ),
    # Synthetic data.
    "synthetic.constant": Words(("一律写作 {value}", "{value} in every cell")),
    "synthetic.codes": Words(
        (
            "与原值无关，每条记录从公开代码 {values} 中随机抽取一次",
            "drawn once for each record from the public codes {values}; the value plays no part",
        ),
        {"weights": ("抽取权重为 {weights}", "drawn with the weights {weights}")},
    ),
    "synthetic.faker": Words(
        (
            "与原值无关，每条记录各写一个虚构的{kind}",
            "invented {kind}, drawn once for each record; the value plays no part",
        ),
        {"locale": ("用{locale}", "in {locale}"), "mark": _MARK},
    ),
    # Free text.
    "text.redact": Words(
        (
            "文本中查出的标识符换成类型名；去标识化效果最高为 2 级",
            "identifiers found in the text are replaced by their type; the effect is at most 2",
        ),
        {"types": ("只查找{types}", "looked for: {types}")},
    ),
    "text.token": Words(
        (
            "文本中查出的标识符换成密钥“{key}”下的假名；去标识化效果最高为 2 级",
            "identifiers found in the text are replaced by pseudonyms under the key '{key}'; the effect is at most 2",
        ),
        {"types": ("只查找{types}", "looked for: {types}")},
    ),
    "text.surrogate": Words(
        (
            "文本中查出的标识符换成密钥“{key}”下虚构的人名、单位、地址和号码；去标识化效果最高为 2 级",
            (
                "identifiers found in the text are replaced by invented names, firms, addresses and numbers under the "
                "key '{key}'; the effect is at most 2"
            ),
        ),
        {"types": ("只查找{types}", "looked for: {types}")},
    ),
}
