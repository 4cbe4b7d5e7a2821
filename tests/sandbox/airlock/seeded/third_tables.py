"""Raw tables of a third author: inpatients, pupils, trips, firms, calls, insured persons. Deterministic and made up."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl


class Tables:
    """Frames by name, as a job sees them; attributes give them as pandas does."""

    def __init__(self, **frames):
        self.frames = frames

    def items(self):
        return self.frames

    def __getattr__(self, n):
        frame = self.__dict__["frames"].get(n)
        if frame is None:
            raise AttributeError(n)
        return frame.to_pandas()


S = "赵钱孙李周吴郑王冯陈蒋沈韩杨朱秦许何吕张孔曹严华金魏陶姜"

G = "子轩浩宇涵欣怡雨桐思远佳琪俊杰晓明海燕秀珍桂芳志强国庆建华玉兰淑英永福"


def names(r, n):
    return [
        S[a] + G[b] + G[c]
        for a, b, c in zip(r.integers(0, len(S), n), r.integers(0, len(G), n), r.integers(0, len(G), n), strict=True)
    ]


def fall(n, k=2):
    w = 1 / (k + np.arange(n))
    return w / w.sum()


DIST = (
    "海曙街道",
    "鼓楼街道",
    "江厦街道",
    "白云街道",
    "段塘街道",
    "望春街道",
    "石碶街道",
    "高桥镇",
    "古林镇",
    "横街镇",
)

DEPTS = (
    "Internal",
    "Surgery",
    "Paediatrics",
    "Obstetrics",
    "Emergency",
    "Orthopaedics",
    "Oncology",
    "Psychiatry",
    "Rehabilitation",
)

PAYER = ("employee", "resident", "self_pay", "rural")

SCHOOLS = tuple(
    f"{a}{b}" for a in ("实验", "育才", "明德", "江东", "城北", "启航") for b in ("小学", "中学", "学校", "外国语学校")
)

LINES = ("1号线", "2号线", "3号线", "4号线", "5号线")

STOPS = tuple(f"{a}{b}站" for a in "东西南北中" for b in ("门", "湖", "桥", "市场", "公园", "大学"))

CARD = ("普通卡", "学生卡", "老年卡", "爱心卡")

IND = ("C13", "C17", "C26", "C33", "C39", "F51", "F52", "G54", "H62", "I65", "K70", "M73")

SIZE = ("large", "medium", "small", "micro")

TYPE = (
    "物业管理",
    "噪声扰民",
    "交通拥堵",
    "劳动纠纷",
    "社保咨询",
    "水电气",
    "市容环卫",
    "教育收费",
    "医疗服务",
    "消费维权",
    "违章建筑",
    "其他",
)

STATE = ("已办结", "办理中", "退回")


def hosp(seed, n=12000, p=7000):
    r = np.random.default_rng(seed)
    byear = r.integers(1935, 2020, p)
    sex = r.choice(["F", "M"], p)
    town = r.choice(len(DIST), p, p=fall(len(DIST)))
    nm = names(r, p)
    pid = r.permutation(np.arange(3000000, 3000000 + 3 * p))[:p]
    smoker = r.random(p) < 0.24
    who = np.concatenate([np.arange(p), r.integers(0, p, n - p)])
    who = r.permutation(who)
    age = 2024 - byear[who]
    los = np.minimum(r.geometric(0.16, n), 90)
    charge = np.round(r.lognormal(7.6, 0.7, n) * (1 + age / 120) * (0.7 + los / 10), 2)
    dep = r.choice(len(DEPTS), n, p=fall(len(DEPTS)))
    adm = [date(2023, 1, 1) + timedelta(days=int(d)) for d in r.integers(0, 731, n)]
    pay = r.choice(len(PAYER), n, p=(0.45, 0.38, 0.05, 0.12))
    read = r.random(n) < 1 / (1 + np.exp(2.6 - age / 60 - los / 40))
    death = r.random(n) < 0.01 + 0.0004 * age
    return Tables(
        inpatient=pl.DataFrame(
            {
                "encounter": r.permutation(np.arange(70000000, 70000000 + 9 * n, 9) + r.integers(0, 9, n)).tolist(),
                "patient_id": [f"H{pid[w]}" for w in who],
                "patient_name": [nm[w] for w in who],
                "sex": sex[who],
                "birth_year": byear[who].tolist(),
                "town": [DIST[town[w]] for w in who],
                "department": [DEPTS[d] for d in dep],
                "payer": [PAYER[i] for i in pay],
                "admit_date": adm,
                "los": los.tolist(),
                "total_charge": charge.tolist(),
                "drug_share": np.round(r.beta(3, 6, n), 3).tolist(),
                "sbp": np.round(r.normal(128, 17, n)).astype(int).tolist(),
                "bmi": pl.Series(np.where(r.random(n) < 0.06, np.nan, np.round(r.normal(23.9, 3.5, n), 1))).fill_nan(
                    None
                ),
                "smoker": smoker[who].tolist(),
                "readmit30": read.tolist(),
                "died": death.tolist(),
                "follow_days": r.integers(1, 720, n).tolist(),
            }
        )
    )


def school(seed, n=9000):
    r = np.random.default_rng(seed)
    sch = r.choice(len(SCHOOLS), n, p=fall(len(SCHOOLS), 6))
    g = r.integers(1, 10, n)
    base = r.normal(0, 1, n)

    def f(m, s, w):
        return (
            np.clip(np.round(m + s * (w * base + np.sqrt(1 - w * w) * r.normal(0, 1, n)) + 0.3 * (sch % 4)), 0, 100)
            .astype(int)
            .tolist()
        )

    return Tables(
        学籍=pl.DataFrame(
            {
                "学籍号": [
                    f"G{x}" for x in r.permutation(np.arange(330200000, 330200000 + 5 * n, 5) + r.integers(0, 5, n))
                ],
                "姓名": names(r, n),
                "性别": r.choice(["男", "女"], n, p=(0.52, 0.48)),
                "年级": g.tolist(),
                "学校": [SCHOOLS[i] for i in sch],
                "户籍": r.choice(["本市", "本省外市", "外省"], n, p=(0.6, 0.18, 0.22)),
                "住宿": r.choice(["是", "否"], n, p=(0.15, 0.85)),
                "语文": f(78, 10, 0.7),
                "数学": f(74, 15, 0.8),
                "英语": f(76, 14, 0.75),
                "身高cm": np.round(115 + 6 * g + r.normal(0, 6, n), 1).tolist(),
                "视力": np.round(np.clip(r.normal(4.9, 0.25, n), 3.8, 5.3), 1).tolist(),
                "资助": r.choice(["无", "一般", "重点"], n, p=(0.9, 0.07, 0.03)),
            }
        )
    )


def trips(seed, n=15000, c=5000):
    r = np.random.default_rng(seed)
    card = r.permutation(np.arange(880000000, 880000000 + 4 * c))[:c]
    kind = r.choice(len(CARD), c, p=(0.62, 0.15, 0.18, 0.05))
    who = np.concatenate([np.arange(c), np.minimum(r.geometric(2 / c, n - c) - 1, c - 1)])
    hour = np.clip(
        np.where(
            r.random(n) < 0.4, r.normal(8, 1, n), np.where(r.random(n) < 0.6, r.normal(18, 1.4, n), r.uniform(5, 23, n))
        ),
        5,
        22.99,
    )
    day = r.integers(0, 91, n)
    t = [datetime(2024, 4, 1) + timedelta(days=int(d), seconds=int(3600 * h)) for d, h in zip(day, hour, strict=True)]  # noqa: DTZ001
    fare = np.array([2.0, 1.0, 0.0, 0.0])[kind[who]] + np.where(kind[who] < 2, r.integers(0, 5, n), 0)
    return Tables(
        刷卡=pl.DataFrame(
            {
                "交易号": r.permutation(np.arange(10**9, 10**9 + 7 * n, 7) + r.integers(0, 7, n)).tolist(),
                "卡号": card[who].tolist(),
                "卡类型": [CARD[kind[w]] for w in who],
                "线路": r.choice(LINES, n, p=fall(5)),
                "进站": r.choice(STOPS, n, p=fall(len(STOPS), 8)),
                "进站时间": t,
                "时长分钟": np.round(r.gamma(6, 4, n), 1).tolist(),
                "票价": fare.tolist(),
            }
        )
    )


def firms(seed, n=5000):
    r = np.random.default_rng(seed)
    size = r.choice(len(SIZE), n, p=(0.03, 0.12, 0.4, 0.45))
    ind = r.choice(len(IND), n, p=fall(len(IND), 4))
    emp = np.ceil(np.exp(r.normal([6.2, 4.8, 3.2, 1.6], 0.5, (n, 4))[np.arange(n), size])).astype(int)
    rev = np.round(emp * np.exp(r.normal(4.2, 0.6, n)), 1)
    prev = np.round(rev * np.exp(r.normal(-0.05, 0.2, n)), 1)
    return Tables(
        enterprise=pl.DataFrame(
            {
                "uscc": [
                    "9133" + "".join("0123456789ABCDEFGHJKLMNPQRTUWXY"[i] for i in r.integers(0, 31, 14))
                    for _ in range(n)
                ],
                "name": [f"{a}科技{i}有限公司" for i, a in enumerate(names(r, n))],
                "industry": [IND[i] for i in ind],
                "size": [SIZE[i] for i in size],
                "town": r.choice(DIST, n, p=fall(len(DIST))),
                "founded": r.integers(1990, 2024, n).tolist(),
                "employees": emp.tolist(),
                "revenue_2023": rev.tolist(),
                "revenue_2022": prev.tolist(),
                "rd_spend": np.where(r.random(n) < 0.55, 0, np.round(rev * r.beta(1, 25, n), 2)).tolist(),
                "high_tech": (r.random(n) < 0.12).tolist(),
                "exporter": (r.random(n) < 0.25).tolist(),
            }
        )
    )


def calls(seed, n=14000):
    r = np.random.default_rng(seed)
    day = r.integers(0, 365, n)
    ty = r.choice(len(TYPE), n, p=fall(len(TYPE)))
    return Tables(
        工单=pl.DataFrame(
            {
                "工单编号": [
                    f"GD{x}" for x in r.permutation(np.arange(2024000000, 2024000000 + 6 * n, 6) + r.integers(0, 6, n))
                ],
                "来电号码": [f"13{x:09d}" for x in r.integers(0, 10**9 - 1, n)],
                "来电人": names(r, n),
                "受理日期": [date(2024, 1, 1) + timedelta(days=int(d)) for d in day],
                "诉求类别": [TYPE[i] for i in ty],
                "街道": r.choice(DIST, n, p=fall(len(DIST))),
                "渠道": r.choice(["电话", "微信", "网站", "App"], n, p=(0.62, 0.2, 0.08, 0.1)),
                "办理天数": np.minimum(r.geometric(0.17, n), 60).tolist(),
                "满意度": pl.Series(
                    np.where(r.random(n) < 0.2, np.nan, r.choice([1, 2, 3, 4, 5], n, p=(0.06, 0.08, 0.16, 0.3, 0.4)))
                ).fill_nan(None),
                "状态": r.choice(STATE, n, p=(0.86, 0.1, 0.04)),
            }
        )
    )


def social(seed, n=10000):
    r = np.random.default_rng(seed)
    age = r.integers(16, 90, n)
    base = np.round(np.clip(r.lognormal(8.75, 0.45, n), 3957, 24000), 0)
    return Tables(
        social=pl.DataFrame(
            {
                "person_no": [f"S{x}" for x in r.permutation(np.arange(10**8, 10**8 + 7 * n, 7) + r.integers(0, 7, n))],
                "id_name": names(r, n),
                "gender": r.choice(["F", "M"], n),
                "age": age.tolist(),
                "town": r.choice(DIST, n, p=fall(len(DIST))),
                "scheme": r.choice(["urban", "flexible", "civil", "farmer"], n, p=(0.55, 0.2, 0.08, 0.17)),
                "wage_base": base.astype(int).tolist(),
                "months_paid": np.minimum(r.integers(0, 12 * np.maximum(age - 16, 1) + 1), 500).tolist(),
                "status": r.choice(["active", "suspended", "retired"], n, p=(0.6, 0.15, 0.25)),
                "unemployed_before": (r.random(n) < 0.1).tolist(),
            }
        )
    )


DIRECT = frozenset(
    {
        "encounter",
        "patient_id",
        "patient_name",
        "学籍号",
        "姓名",
        "交易号",
        "卡号",
        "uscc",
        "name",
        "工单编号",
        "来电号码",
        "来电人",
        "person_no",
        "id_name",
    }
)

CODES = frozenset(
    {*DIST, *DEPTS, *PAYER, *SCHOOLS, *LINES, *STOPS, *CARD, *IND, *SIZE, *TYPE, *STATE, "F", "M", "男", "女"}
)

MAKE = {"h": hosp, "s": school, "t": trips, "e": firms, "c": calls, "i": social}
