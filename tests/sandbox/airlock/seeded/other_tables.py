"""Raw tables of a second red team: claims (several a person, gaps, one giant) and a register in Chinese.

Deterministic and made up, as `tables`; identity numbers carry a right check digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

COUNTIES = ("临江区", "望湖区", "南塘区", "北门区", "东岭县", "西坪县", "石桥县", "三河县")
HOSPITALS = tuple(
    f"{a}{b}"
    for a in ("市第一", "市第二", "县中心", "江滨", "康宁", "仁爱")
    for b in ("人民医院", "中医院", "妇幼保健院")
)
WARDS = ("心内科", "神经内科", "骨科", "普外科", "呼吸科", "肿瘤科", "儿科", "产科", "眼科", "康复科", "急诊科")
SCHEMES = ("职工医保", "居民医保", "新农合")
OUTCOMES = ("治愈", "好转", "未愈", "死亡")
ICD = tuple(f"{c}{n:02d}" for c in "IJKCMNE" for n in (9, 10, 15, 20, 25, 34, 48, 50, 63, 69))
RARE = ("G71.0", "E75.2", "Q78.0", "D61.9", "M31.4")
KINDS = ("城镇职工", "城乡居民", "灵活就业", "机关事业")
EDUCATION = ("小学", "初中", "高中", "大专", "本科", "研究生")
S = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华"
G = "子轩浩宇梓涵欣怡雨桐思远佳琪俊杰晓明海燕秀珍桂芳志强国庆建华玉兰淑英永福长根"
W = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@dataclass(frozen=True)
class Tables:
    claims: pl.DataFrame
    register: pl.DataFrame

    def items(self):
        return {"claims": self.claims, "register": self.register}


DIRECT = frozenset({"claim_id", "person_id", "id_card", "name", "phone", "人员编号", "姓名"})
CODE_LISTS = frozenset({*COUNTIES, *HOSPITALS, *WARDS, *SCHEMES, *OUTCOMES, *KINDS, *EDUCATION, "M", "F", "男", "女"})


def make(seed, *, persons=20000, claims=50000, register=30000):
    rng = np.random.default_rng(seed)
    return Tables(_claims(rng, persons, claims), _register(rng, register))


def _claims(rng, persons, n):
    born = np.array([date(1930, 1, 1) + timedelta(days=int(d)) for d in rng.integers(0, 32000, persons)])
    gender = rng.choice(["M", "F"], persons)
    county = rng.choice(len(COUNTIES), persons, p=_fall(len(COUNTIES)))
    names = _names(rng, persons)
    ids = [_id(born[i], int(rng.integers(0, 1000))) for i in range(persons)]
    numbers = rng.permutation(np.arange(1000000, 1000000 + 3 * persons))[:persons]
    phones = [f"13{x:09d}" for x in rng.integers(0, 999999999, persons)]
    who = np.concatenate([np.arange(persons), np.minimum(rng.geometric(3 / persons, n - persons) - 1, persons - 1)])
    who = rng.permutation(who)
    los = np.minimum(rng.geometric(0.13, n), 120)
    age = np.array([2025 - b.year for b in born])[who]
    fee = np.round(rng.lognormal(8.0, 0.8, n) * (1 + age / 100) * (0.6 + los / 12), 2)
    fee[0] = 3876543.21
    hospital = rng.choice(len(HOSPITALS), n, p=_fall(len(HOSPITALS)))
    hospital[0] = len(HOSPITALS) - 1
    icd = np.array(ICD, dtype=object)[np.minimum(rng.zipf(1.25, n) - 1, len(ICD) - 1)]
    icd[rng.choice(n, 20, replace=False)] = np.repeat(RARE, 4)
    streets = [f"{COUNTIES[c][:2]}{a}{b}街道" for c in range(8) for a in "新旧上下大小" for b in "兴安和"]
    days = [date(2024, 1, 1) + timedelta(days=int(d)) for d in rng.integers(0, 731, n)]
    bmi = np.round(rng.normal(23.5, 3.4, n), 1)
    bmi[rng.random(n) < 0.08] = np.nan
    return pl.DataFrame(
        {
            "claim_id": rng.permutation(np.arange(20000000, 20000000 + 7 * n, 7) + rng.integers(0, 7, n)).tolist(),
            "person_id": [f"P{numbers[w]}" for w in who],
            "id_card": [ids[w] for w in who],
            "name": [names[w] for w in who],
            "phone": [phones[w] for w in who],
            "gender": gender[who],
            "birth_date": [born[w] for w in who],
            "age": age.tolist(),
            "county": [COUNTIES[county[w]] for w in who],
            "street": [
                streets[18 * county[w] + int(s)]
                for w, s in zip(who, np.minimum(rng.geometric(0.15, n) - 1, 17), strict=False)
            ],
            "hospital": [HOSPITALS[h] for h in hospital],
            "ward": rng.choice(WARDS, n, p=_fall(len(WARDS))),
            "icd": icd.tolist(),
            "scheme": rng.choice(SCHEMES, n, p=(0.5, 0.38, 0.12)),
            "admitted": days,
            "los": los.tolist(),
            "fee": fee.tolist(),
            "fund_pay": np.round(fee * rng.beta(7, 3, n), 2).tolist(),
            "bmi": pl.Series(bmi).fill_nan(None),
            "outcome": rng.choice(OUTCOMES, n, p=(0.5, 0.4, 0.08, 0.02)),
        }
    )


def _register(rng, n):
    firms = [f"{a}{b}{k}" for a in G[:30] for b in G[10:20] for k in ("贸易公司", "机械厂", "餐饮店")]
    return pl.DataFrame(
        {
            "人员编号": rng.permutation(np.arange(50000000, 50000000 + 11 * n, 11) + rng.integers(0, 11, n)).tolist(),
            "姓名": _names(rng, n),
            "性别": rng.choice(["男", "女"], n),
            "年龄": rng.integers(16, 96, n).tolist(),
            "区县": rng.choice(COUNTIES, n, p=_fall(len(COUNTIES))),
            "学历": rng.choice(EDUCATION, n, p=(0.1, 0.25, 0.25, 0.2, 0.16, 0.04)),
            "单位名称": [firms[i] for i in np.minimum(rng.zipf(1.15, n) - 1, len(firms) - 1)],
            "参保类型": rng.choice(KINDS, n, p=(0.45, 0.35, 0.12, 0.08)),
            "缴费基数": (rng.integers(400, 2600, n) * 10 + rng.integers(0, 10, n)).tolist(),
            "缴费月数": rng.integers(1, 450, n).tolist(),
            "养老金": np.round(rng.normal(3100, 800, n).clip(600), 2).tolist(),
        }
    )


def _fall(n):
    w = 1 / (2 + np.arange(n))
    return (w / w.sum()).tolist()


def _names(rng, n):
    a, b, c = (rng.integers(0, len(S), n), rng.integers(0, len(G), n), rng.integers(0, len(G), n))
    return [f"{S[x]}{G[y]}{G[z]}" for x, y, z in zip(a, b, c, strict=True)]


def _id(born, order):
    body = f"330106{born:%Y%m%d}{order:03d}"
    return body + "10X98765432"[sum((int(d) * w for d, w in zip(body, W, strict=True))) % 11]
