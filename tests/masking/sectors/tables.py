"""
Made tables of eight sectors, plausible to who knows the register: one generator a policy, seeded, columns only.

Three cities of Hunan (长沙, 株洲, 湘潭); the age pyramid is that of the census of 2020 in broad strokes. Identifiers are
those of ``masking.detection.invented``: valid, and nobody's.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from masking.detection.invented import bank_cards, credit_codes, emails, mobiles, plates, resident_ids
from masking.techniques.generalization.divisions import full_names, names

ROWS: Final = 12_000
"""Above 10,000 distinct persons, so that a token of them cannot be guessed by its frequency (PRIVACY 12)."""
DAY: Final = np.datetime64("2025-12-31", "D")
CITIES: Final = ("4301", "4302", "4303")
CITY_SHARES: Final = (0.61, 0.23, 0.16)
POSTCODES: Final = {"4301": "4100", "4302": "4120", "4303": "4111"}
PYRAMID: Final = (
    *((0, 5, 0.047), (5, 10, 0.062), (10, 15, 0.063), (15, 20, 0.054), (20, 25, 0.053), (25, 30, 0.063)),
    *((30, 35, 0.086), (35, 40, 0.073), (40, 45, 0.066), (45, 50, 0.077), (50, 55, 0.086), (55, 60, 0.076)),
    *((60, 65, 0.053), (65, 70, 0.053), (70, 75, 0.037), (75, 80, 0.023), (80, 85, 0.016), (85, 98, 0.012)),
)
"""Ages from, to, share."""
SURNAMES: Final = tuple("王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡")
GIVEN: Final = tuple("伟芳娜敏静强磊军洋勇艳杰娟涛明超霞平刚桂英华玉兰红建国志文丽萍浩宇欣怡子涵梓轩")
ROADS: Final = ("人民", "芙蓉", "韶山", "解放", "建设", "劳动", "枫林", "湘府", "新华", "书院")
DIAGNOSES: Final[Mapping[str, tuple[float, float, float]]] = {
    # code: (share of visits, middle age, share that is inpatient)
    "J06.903": (0.15, 22, 0.05),
    "J18.901": (0.06, 40, 0.7),
    "J44.101": (0.03, 71, 0.8),
    "J20.900": (0.05, 30, 0.2),
    "I10.x00": (0.14, 63, 0.1),
    "I25.103": (0.06, 68, 0.6),
    "I63.900": (0.04, 70, 0.9),
    "E11.900": (0.09, 60, 0.2),
    "E78.500": (0.03, 55, 0.1),
    "K29.500": (0.06, 45, 0.1),
    "K80.200": (0.02, 52, 0.9),
    "K02.900": (0.04, 35, 0.0),
    "M51.202": (0.05, 52, 0.5),
    "M17.900": (0.03, 64, 0.3),
    "N39.000": (0.03, 50, 0.3),
    "N18.900": (0.02, 60, 0.6),
    "C34.900": (0.015, 66, 0.9),
    "C50.900": (0.01, 54, 0.9),
    "D50.900": (0.015, 38, 0.3),
    "H25.900": (0.02, 71, 0.8),
    "L30.900": (0.03, 33, 0.0),
    "O80.000": (0.02, 29, 1.0),
    "S82.800": (0.015, 45, 0.9),
    "F32.900": (0.012, 36, 0.2),
    "B24.x01": (0.003, 42, 0.3),
    "A53.900": (0.003, 35, 0.1),
    "Z51.100": (0.02, 60, 1.0),
}
CONTENTS: Final = (
    "来电人反映{road}路{number}号附近夜间施工噪音扰民，联系人{name}，电话{phone}，希望尽快处理。",
    "市民反映车牌{plate}的车辆长期占用{road}路消防通道，请核实。回电{phone}。",
    "本人{name}，身份证号{id}，咨询异地就医备案需要哪些材料，手机{phone}。",
    "多次接到{phone}的骚扰电话，自称贷款公司，要求查处。工单备注{number}。",
    "{road}路{number}号小区物业不作为，电梯停用三天，业主{name}要求限期维修，联系方式{phone}。",
    "联系人{name}反映被拖欠工资，工资卡号{card}，邮箱{mail}，请劳动监察部门介入。编号{number}。",
    "建议{road}路增设公交站点，早晚高峰等车时间过长，第{number}次反映，可致电{phone}。",
)
REPLIES: Final = (
    "已转{road}街道办理，经办人{name}，电话{phone}，三日内回复。",
    "执法人员现场核查，已责令整改。",
    "已电话告知来电人所需材料，回拨{phone}。",
    "经核实情况属实，已协调相关单位于当日解决。",
)

Numbers = npt.NDArray[Any]


@functools.cache
def population() -> pl.DataFrame:
    """人口基本信息: one row a person, households of about three."""
    random = np.random.default_rng(1)
    ages = _ages(random, ROWS, PYRAMID)
    born, sex = _born(random, ages), _pick(random, ROWS, ("1", "2"), (0.512, 0.488))
    counties = _counties(random, ROWS)
    adult = ages >= 18
    young, old = ages < 45, ages >= 60
    schooling = _by_group(
        random,
        [~adult, young, ~old, old],
        ("10", "20", "30", "40", "60", "70", "80", "90"),
        (
            (0, 0, 0, 0, 0.08, 0.22, 0.6, 0.1),
            (0.04, 0.24, 0.22, 0.12, 0.14, 0.2, 0.04, 0),
            (0.01, 0.1, 0.12, 0.1, 0.19, 0.37, 0.1, 0.01),
            (0, 0.03, 0.05, 0.05, 0.14, 0.33, 0.33, 0.07),
        ),
    )
    married = _by_group(
        random,
        [ages < 20, ages < 30, ages < 60, ages >= 60],
        ("10", "20", "30", "40"),
        ((0.995, 0.005, 0, 0), (0.66, 0.33, 0.0, 0.01), (0.09, 0.85, 0.015, 0.045), (0.02, 0.76, 0.2, 0.02)),
    )
    phones = np.array(mobiles(ROWS, seed=3), dtype=object)
    phones[ages < 12] = None
    return pl.DataFrame(
        {
            "resident_id": _ids(born, sex == "1", 2),
            "name": _names(random, ROWS),
            "household_no": (random.integers(0, ROWS // 3, ROWS) + 4_301_000_000).astype(str),
            "mobile": phones.tolist(),
            "address": _addresses(random, counties),
            "division": _joined(counties, (random.integers(1, 13, ROWS) * 1000 + random.integers(1, 20, ROWS)), 6),
            "sex": sex,
            "birth_date": born,
            "ethnicity": _pick(random, ROWS, ("01", "15", "06", "12"), (0.972, 0.014, 0.009, 0.005)),
            "education": schooling,
            "marital": married,
        }
    )


@functools.cache
def health_insurance() -> pl.DataFrame:
    """医保结算: 22,000 settlements of some 11,000 insured; four in five of them stand in the population register."""
    random = np.random.default_rng(11)
    count = 22_000
    people = population().head(9_600).select("resident_id", "name", "sex", "birth_date", "division")
    extra = 2_400
    ages = _ages(random, extra, PYRAMID)
    born, sex = _born(random, ages), _pick(random, extra, ("1", "2"), (0.51, 0.49))
    others = pl.DataFrame(
        {
            "resident_id": _ids(born, sex == "1", 12),
            "name": _names(random, extra),
            "sex": sex,
            "birth_date": born,
            "division": _joined(_counties(random, extra), np.full(extra, 1001), 6),
        }
    )
    people = pl.concat([people, others])
    # Everybody has one settlement at least as likely as an old person has four: the old come more often.
    age = ((DAY - people["birth_date"].to_numpy().astype("datetime64[D]")).astype(int) / 365.25).astype(int)
    rows = np.concatenate(
        [np.arange(people.height), _weighted(random, count - people.height, people.height, 0.3 + age / 60)]
    )
    visits, age = people[rows.tolist()], age[rows]
    diagnosis, inpatient = _diagnoses(random, age)
    employee = (age >= 18) & (random.random(count) < 0.45)
    retired = employee & (age >= 58)
    kinds = np.select([age < 18, age < 60], ["1403", "1501"], "1601").astype(object)
    kinds[employee] = "1101"
    kinds[retired] = "1201"
    kinds[employee & (age > 85)] = "1301"
    level = np.where(inpatient, _pick(random, count, ("二级", "三级", "一级"), (0.4, 0.45, 0.15)), "一级")
    level = np.where(~inpatient & (random.random(count) < 0.4), "三级", level)
    chronic = ~inpatient & np.isin([code[:3] for code in diagnosis], ["I10", "E11", "J44", "N18"])
    days = np.where(inpatient, np.clip(random.lognormal(2.0, 0.55, count).round(), 1, 90), 0).astype(int)
    admitted = np.datetime64("2025-01-01") + random.integers(0, 330, count).astype("timedelta64[D]")
    total = np.where(inpatient, random.lognormal(8.9, 0.75, count), random.lognormal(5.1, 0.8, count)).round(2)
    share = np.clip(random.normal(np.where(inpatient, 0.68, 0.45) + 0.1 * employee, 0.07), 0, 0.95)
    fund = (total * share).round(2)
    cards = np.array(bank_cards(count, seed=13), dtype=object)
    cards[random.random(count) > 0.03] = None
    codes = visits["division"].str.slice(0, 4).replace_strict(POSTCODES).to_numpy()
    return pl.DataFrame(
        {
            "settlement_no": [f"43{number:012d}" for number in random.permutation(count)],
            "resident_id": visits["resident_id"],
            "insurance_no": visits["resident_id"].hash(7).cast(pl.String),
            "name": visits["name"],
            "bank_card": cards.tolist(),
            "birth_date": visits["birth_date"],
            "sex": visits["sex"],
            "postcode": _joined(codes, random.integers(0, 30, count), 2),
            "insured_type": kinds.tolist(),
            "hospital_code": [f"H430{number:08d}" for number in random.integers(0, 180, count)],
            "hospital_level": level,
            "medical_type": np.where(inpatient, "普通住院", np.where(chronic, "门诊慢特病", "普通门诊")),
            "diagnosis": diagnosis,
            "admission_date": admitted,
            "discharge_date": admitted + days.astype("timedelta64[D]"),
            "total_cost": total,
            "fund_paid": fund,
            "self_paid": (total - fund).round(2),
        }
    )


@functools.cache
def hospital_visits() -> pl.DataFrame:
    """门诊与住院就诊: 8,000 visits of some 5,000 patients."""
    random = np.random.default_rng(21)
    count, patients = 8_000, 5_000
    ages = _ages(random, patients, PYRAMID)
    born, sex = _born(random, ages), _pick(random, patients, ("男", "女"), (0.47, 0.53))
    ids = np.array(_ids(born, sex == "男", 22))
    called = np.array(_names(random, patients), dtype=object)
    phones = np.array(mobiles(patients, seed=23))
    homes = np.array(_addresses(random, _counties(random, patients)), dtype=object)
    rows = _weighted(random, count, patients, 0.4 + ages / 50)
    diagnosis, inpatient = _diagnoses(random, ages[rows])
    days = np.where(inpatient, np.clip(random.lognormal(2.0, 0.55, count).round(), 1, 120), 0).astype(int)
    days[random.random(count) < 0.002] = 365  # long-term care
    days[random.random(count) < 0.001] = -1  # a mistyped date
    cost = np.where(
        inpatient, random.lognormal(8.1, 0.5, count) * np.sqrt(days.clip(0, 90) + 1), random.lognormal(5.2, 0.8, count)
    )
    complaints = ("咳嗽3天", "胸闷气促1周", "腰痛半月", "头晕2天", "发现血糖升高1年")
    departments = np.array(["内科", "外科", "骨科", "儿科", "妇产科", "眼科"], dtype=object)
    return pl.DataFrame(
        {
            "visit_no": [f"{'ZY' if stay else 'MZ'}{n:09d}" for n, stay in zip(range(count), inpatient, strict=True)],
            "resident_id": ids[rows],
            "name": called[rows].tolist(),
            "phone": phones[rows],
            "address": homes[rows].tolist(),
            "chief_complaint": _pick(random, count, complaints, (0.3, 0.2, 0.2, 0.2, 0.1))
            + "，联系电话"
            + phones[rows],
            "sex": sex[rows],
            "birth_date": born[rows],
            "visit_type": np.where(inpatient, "住院", "门诊"),
            "department": departments[random.integers(0, 6, count)].tolist(),
            "diagnosis": diagnosis,
            "admission_date": np.datetime64("2025-01-01") + random.integers(0, 365, count).astype("timedelta64[D]"),
            "days": days,
            "cost": cost.round(2),
            "doctor": np.array(_names(random, 120), dtype=object)[random.integers(0, 120, count)].tolist(),
        }
    )


@functools.cache
def social_security() -> pl.DataFrame:
    """社保参保缴费: one row an insured person of working age; bases stand at 60 % to 300 % of the mean wage."""
    random = np.random.default_rng(31)
    ages = _ages(random, ROWS, [band for band in PYRAMID if 20 <= band[0] < 60])
    born, sex = _born(random, ages), _pick(random, ROWS, ("1", "2"), (0.54, 0.46))
    flexible = random.random(ROWS) < 0.27
    middle = _pick(
        random,
        ROWS,
        (
            "1-05",
            "2-02",
            "2-05",
            "2-06",
            "2-08",
            "3-01",
            "4-01",
            "4-02",
            "4-03",
            "4-06",
            "4-12",
            "6-02",
            "6-20",
            "6-29",
        ),
        (0.02, 0.08, 0.04, 0.06, 0.05, 0.12, 0.13, 0.07, 0.08, 0.05, 0.05, 0.05, 0.12, 0.08),
    )
    group = np.array([code[0] for code in middle])
    centre = np.select([np.isin(group, ["1", "2"]), group == "6"], [8.95, 8.65], 8.5) - 0.25 * flexible
    base = np.clip(random.lognormal(centre + 0.004 * (ages - 40), 0.42), 4_200, 21_000).round()
    most = (ages - 20) * 12
    months = np.clip((most * random.beta(3, 1.6, ROWS)).round(), 1, 480).astype(int)
    employers = np.array(credit_codes(400, seed=33))
    employer = _weighted(random, ROWS, 400, 1 / np.arange(1, 401))
    none = np.where(flexible, None, employers[employer].astype(object))
    counties = _counties(random, ROWS)
    first = np.datetime64("2025-06", "M") - months.astype("timedelta64[M]")
    return pl.DataFrame(
        {
            "personal_no": [f"4300{number:010d}" for number in random.permutation(ROWS)],
            "resident_id": _ids(born, sex == "1", 32),
            "name": _names(random, ROWS),
            "phone": mobiles(ROWS, seed=34),
            "employer_code": none.tolist(),
            "employer_name": [
                None if each is None else f"湖南某某{n}有限公司" for n, each in zip(employer, none, strict=True)
            ],
            "industry": _pick(random, ROWS, ("C39", "F52", "I65", "E47", "O80"), (0.3, 0.3, 0.15, 0.15, 0.1)),
            "division": counties,
            "sex": sex,
            "birth_date": born,
            "occupation": middle,
            "insured_as": np.where(flexible, "灵活就业", "单位职工"),
            "first_paid": first.astype("datetime64[D]"),
            "months_paid": months,
            "base": base,
            "contribution": (base * 0.08).round(2),
        }
    )


@functools.cache
def enterprises() -> pl.DataFrame:
    """市场主体登记: two in three are sole traders, most of them shops, restaurants and services."""
    random = np.random.default_rng(41)
    kinds = ("个体工商户", "有限责任公司", "股份有限公司", "个人独资企业", "合伙企业", "农民专业合作社")
    kind = _pick(random, ROWS, kinds, (0.66, 0.29, 0.004, 0.022, 0.009, 0.015))
    trader, farmer = kind == "个体工商户", kind == "农民专业合作社"
    industries = (
        "F5219",
        "F5135",
        "H6210",
        "O8040",
        "G5430",
        "C3989",
        "L7299",
        "I6513",
        "M7590",
        "E4990",
        "A0190",
        "P8399",
    )
    industry = _by_group(
        random,
        [trader, farmer, ~trader & ~farmer],
        industries,
        (
            (0.41, 0.07, 0.2, 0.13, 0.05, 0.04, 0.03, 0.005, 0.005, 0.01, 0.04, 0.01),
            (0.02, 0.05, 0, 0, 0, 0, 0, 0, 0, 0, 0.93, 0),
            (0.1, 0.19, 0.03, 0.03, 0.04, 0.12, 0.16, 0.1, 0.1, 0.08, 0.03, 0.02),
        ),
    )
    capital = np.where(
        trader,
        random.choice([1, 2, 3, 5, 10, 20, 50], ROWS, p=[0.12, 0.15, 0.18, 0.25, 0.2, 0.07, 0.03]),
        random.choice(
            [10, 50, 100, 200, 500, 1000, 2000, 5000], ROWS, p=[0.08, 0.18, 0.26, 0.19, 0.14, 0.1, 0.03, 0.02]
        ),
    )
    founded = DAY - (random.beta(1.1, 4.2, ROWS) * 30 * 365).astype("timedelta64[D]")
    staff = np.where(trader, random.poisson(1.6, ROWS) + 1, np.clip(random.lognormal(2.1, 1.1, ROWS), 1, 4000).round())
    counties = _counties(random, ROWS)
    called = _names(random, ROWS)
    mail = np.array(emails(ROWS, seed=43), dtype=object)
    mail[trader] = None
    return pl.DataFrame(
        {
            "credit_code": credit_codes(ROWS, seed=42),
            "name": [
                f"{names()[c]}{n}{'商店' if t else '有限公司'}"
                for c, n, t in zip(counties, called, trader, strict=True)
            ],
            "legal_person": called,
            "phone": mobiles(ROWS, seed=44),
            "email": mail.tolist(),
            "kind": kind,
            "address": _addresses(random, counties),
            "postcode": _joined(np.array([POSTCODES[c[:4]] for c in counties]), random.integers(0, 30, ROWS), 2),
            "industry": industry,
            "founded": founded,
            "capital": capital.astype(float),
            "employees": staff.astype(int),
            "status": _pick(random, ROWS, ("存续", "注销", "吊销"), (0.83, 0.14, 0.03)),
        }
    )


@functools.cache
def education() -> pl.DataFrame:
    """中小学生学籍: grades 1 to 12 in the autumn of 2025; who is six by the end of August goes to school."""
    random = np.random.default_rng(51)
    weights = np.array([9.2, 9.4, 9.3, 9.0, 8.8, 8.6, 8.5, 8.3, 8.1, 7.3, 7.0, 6.5])
    grade = random.choice(np.arange(1, 13), ROWS, p=weights / weights.sum())
    late = (random.random(ROWS) < 0.03).astype(int)
    eldest = (2025 - 6 - grade).astype(int)  # the first of a year of pupils: born in September of that year
    start = np.array([f"{year}-09-01" for year in range(2005, 2020)], dtype="datetime64[D]")[eldest - late - 2005]
    born = start + random.integers(0, 365, ROWS).astype("timedelta64[D]")
    sex = _pick(random, ROWS, ("男", "女"), (0.532, 0.468))
    ids = _ids(born, sex == "男", 52)
    counties = _counties(random, ROWS, CITIES[:1])
    boards = random.random(ROWS) < np.select([grade <= 6, grade <= 9], [0.04, 0.3], 0.6)
    return pl.DataFrame(
        {
            "student_no": [f"G{each}" for each in ids],
            "resident_id": ids,
            "name": _names(random, ROWS),
            "guardian": _names(random, ROWS),
            "guardian_phone": mobiles(ROWS, seed=53),
            "birth_date": born,
            "sex": sex,
            "division": counties,
            "school_code": [f"21430{number:05d}" for number in random.integers(0, 60, ROWS)],
            "class_no": random.integers(1, 13, ROWS).astype(str),
            "grade": grade,
            "migrant": np.where(random.random(ROWS) < 0.18, "是", "否"),
            "boarding": np.where(boards, "是", "否"),
            "hardship": _pick(random, ROWS, ("无", "低保", "残疾", "孤儿"), (0.965, 0.025, 0.008, 0.002)),
            "performance": _pick(random, ROWS, ("A", "B", "C", "D", "E"), (0.18, 0.32, 0.3, 0.15, 0.05)),
        }
    )


@functools.cache
def transport() -> pl.DataFrame:
    """公交刷卡: 8,000 taps of 3,600 cards on one working day, with the two rush hours; 120 stations."""
    random = np.random.default_rng(61)
    count, cards, stations = 8_000, 3_600, 120
    places = np.column_stack([random.normal(28.20, 0.05, stations), random.normal(112.97, 0.06, stations)]).round(5)
    card = random.integers(0, cards, count)
    kind = _pick(random, cards, ("普通卡", "学生卡", "老年卡"), (0.72, 0.13, 0.15))
    rush = random.random(count)
    hour = np.select([rush < 0.33, rush < 0.62], [random.normal(8.0, 0.7, count), random.normal(18.0, 0.9, count)])
    hour = np.where(rush < 0.62, hour, random.uniform(6, 22.5, count)).clip(5.6, 22.9)
    station = _weighted(random, count, stations, 1 / np.arange(1, stations + 1) ** 0.7)
    metro = random.random(count) < 0.45
    full = np.where(metro, random.choice([2, 3, 4, 5, 6, 7], count, p=[0.2, 0.3, 0.25, 0.15, 0.07, 0.03]), 2)
    fare = full * np.select([kind[card] == "老年卡", kind[card] == "学生卡"], [0, 0.5], 0.9)
    vehicle = np.where(metro, None, np.array(plates(300, seed=63), dtype=object)[random.integers(0, 300, count)])
    seconds = (hour * 3600).astype("timedelta64[s]")
    return pl.DataFrame(
        {
            "trip_no": [f"20250603{number:010d}" for number in range(count)],
            "card_no": [f"4100{number:012d}" for number in (card * 7919 + 13)],
            "card_type": kind[card],
            "plate": vehicle.tolist(),
            "line": np.where(metro, "地铁", "公交") + random.integers(1, 7, count).astype(str) + "号线",
            "station": np.char.add("站点", station.astype(str)),
            "latitude": places[station, 0],
            "longitude": places[station, 1],
            "tap_time": np.datetime64("2025-06-03T00:00:00", "us") + seconds,
            "hour": hour.astype(int),
            "fare": fare.round(2),
        }
    )


@functools.cache
def hotline() -> pl.DataFrame:
    """12345 热线工单: sentences of templates; names, numbers and plates stand in them as callers say them."""
    random = np.random.default_rng(71)
    callers = 11_200
    numbers = np.array(mobiles(callers, seed=72), dtype=object)
    who = np.concatenate([np.arange(callers), random.integers(0, callers, ROWS - callers)])
    counties = _counties(random, ROWS, CITIES[:1])
    subjects = (
        *("噪音扰民", "占道停车", "油烟污染", "物业服务", "停水停电"),
        *("燃气供暖", "社保医保", "拖欠工资", "骚扰电话", "消费纠纷"),
    )
    words = {
        "road": np.array(ROADS, dtype=object)[random.integers(0, len(ROADS), ROWS)],
        "number": random.integers(1, 999, ROWS),
        "name": _names(random, ROWS),
        "phone": np.where(random.random(ROWS) < 0.8, numbers[who], _spaced(mobiles(ROWS, seed=73))),
        "plate": plates(ROWS, seed=74),
        "id": resident_ids(random.integers(1950, 2005, ROWS), random.random(ROWS) < 0.5, seed=75),
        "card": bank_cards(ROWS, seed=76),
        "mail": emails(ROWS, seed=77),
    }
    spans = [dict(zip(words, values, strict=True)) for values in zip(*words.values(), strict=True)]
    content = random.integers(0, len(CONTENTS), ROWS)
    reply = random.integers(0, len(REPLIES), ROWS)
    return pl.DataFrame(
        {
            "ticket_no": [f"12345{number:09d}" for number in range(ROWS)],
            "caller_name": words["name"],
            "caller_phone": numbers[who].tolist(),
            "call_time": np.datetime64("2025-07-01T00:00:00", "us")
            + random.integers(0, 92 * 86_400, ROWS).astype("timedelta64[s]"),
            "channel": _pick(random, ROWS, ("电话", "微信小程序", "网站"), (0.78, 0.16, 0.06)),
            "kind": _pick(
                random, ROWS, ("咨询", "投诉", "求助", "建议", "举报", "表扬"), (0.34, 0.33, 0.2, 0.06, 0.06, 0.01)
            ),
            "subject": _pick(random, ROWS, subjects, (0.18, 0.15, 0.06, 0.14, 0.08, 0.05, 0.14, 0.08, 0.04, 0.08)),
            "address": _addresses(random, counties),
            "content": [CONTENTS[place].format_map(each) for place, each in zip(content, spans, strict=True)],
            "reply": [REPLIES[place].format_map(each) for place, each in zip(reply, spans, strict=True)],
            "hours": random.lognormal(3.3, 0.8, ROWS).round(1),
            "satisfaction": _pick(random, ROWS, ("满意", "基本满意", "不满意"), (0.71, 0.17, 0.12)),
        }
    )


TABLES: Final = {
    "population": population,
    "health-insurance": health_insurance,
    "hospital-visits": hospital_visits,
    "social-security": social_security,
    "enterprises": enterprises,
    "education": education,
    "transport": transport,
    "hotline-12345": hotline,
}


def _pick(random: np.random.Generator, count: int, values: Sequence[str], shares: Sequence[float]) -> Numbers:
    return np.array(values)[random.choice(len(values), count, p=np.array(shares) / sum(shares))]


def _weighted(random: np.random.Generator, count: int, size: int, weights: Numbers) -> Numbers:
    return random.choice(size, count, p=weights / weights.sum())


def _by_group(
    random: np.random.Generator, groups: Sequence[Numbers], values: Sequence[str], shares: Sequence[Sequence[float]]
) -> Numbers:
    """Each record's value by the shares of the first group that it is in."""
    group = np.argmax(np.column_stack(groups), axis=1)
    steps = np.cumsum(np.array([np.array(each) / sum(each) for each in shares]), axis=1)
    drawn = random.random(len(group))
    return np.array(values)[np.minimum((drawn[:, None] >= steps[group]).sum(axis=1), len(values) - 1)]


def _ages(random: np.random.Generator, count: int, pyramid: Sequence[tuple[int, int, float]]) -> Numbers:
    low, high, share = (np.array(part) for part in zip(*pyramid, strict=True))
    band = random.choice(len(low), count, p=share / share.sum())
    return low[band] + (random.random(count) * (high - low)[band]).astype(int)


def _born(random: np.random.Generator, ages: Numbers) -> Numbers:
    """A day of birth of who is so old on the last day of 2025."""
    return np.datetime64("2025-12-31") - (ages * 365.25 + random.integers(0, 365, len(ages))).astype("timedelta64[D]")


def _ids(born: Numbers, male: Numbers, seed: int) -> list[str]:
    return resident_ids(born.astype("datetime64[Y]").astype(int) + 1970, male, seed=seed)


def _names(random: np.random.Generator, count: int) -> list[str]:
    """A surname, the frequent ones first, and one or two characters."""
    surname = np.array(SURNAMES, dtype=object)[
        _weighted(random, count, len(SURNAMES), 1 / np.arange(2, len(SURNAMES) + 2))
    ]
    given = np.array(GIVEN, dtype=object)[random.integers(0, len(GIVEN), (2, count))]
    return (surname + given[0] + np.where(random.random(count) < 0.8, given[1], "")).tolist()


def _counties(random: np.random.Generator, count: int, cities: Sequence[str] = CITIES) -> Numbers:
    """Six-digit codes of counties of the package's own table; the first of a city hold the most people."""
    codes, weights = [], []
    for city, share in zip(cities, CITY_SHARES, strict=False):
        inside = [code for code in names() if code.startswith(city) and not code.endswith("00")]
        codes += inside
        weights += list(share / np.arange(3, len(inside) + 3))
    return np.array(codes)[_weighted(random, count, len(codes), np.array(weights))]


def _addresses(random: np.random.Generator, counties: Numbers) -> list[str]:
    count = len(counties)
    place = np.array([full_names()[code] for code in counties.tolist()], dtype=object)
    road = np.array(ROADS, dtype=object)[random.integers(0, len(ROADS), count)]
    number = random.integers(1, 999, count).astype(str).astype(object)
    flat = random.integers(1, 33, count).astype(str).astype(object)
    return (place + road + "路" + number + "号" + flat + "栋").tolist()


def _joined(codes: Numbers, numbers: Numbers, width: int) -> list[str]:
    return [f"{code}{number:0{width}d}" for code, number in zip(codes, numbers, strict=True)]


def _spaced(numbers: Sequence[str]) -> list[str]:
    """138 0000 0000, as people say them."""
    return [f"{number[:3]} {number[3:7]} {number[7:]}" for number in numbers]


def _diagnoses(random: np.random.Generator, ages: Numbers) -> tuple[list[str], Numbers]:
    """ICD-10 codes by age and whether each visit is inpatient."""
    codes = np.array(list(DIAGNOSES), dtype=object)
    share, middle, stays = (np.array(part) for part in zip(*DIAGNOSES.values(), strict=True))
    fit = share * np.exp(-(((ages[:, None] - middle) / 22.0) ** 2) / 2) + share * 0.02
    steps = np.cumsum(fit / fit.sum(axis=1, keepdims=True), axis=1)
    chosen = np.minimum((random.random(len(ages))[:, None] >= steps).sum(axis=1), len(codes) - 1)
    return codes[chosen].tolist(), random.random(len(ages)) < stays[chosen]
