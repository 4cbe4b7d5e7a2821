"""Three raw tables as public bodies hold them, and practice tables of the same schema from another seed.

Deterministic. Names, streets, numbers and codes are made up; identity numbers carry a right check digit, as raw
ones do. Practice tables share the code lists with the raw ones, and no name, number or rare value.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

DISTRICTS = ("城东区", "城西区", "江北区", "江南区", "高新区", "经开区", "青山县", "白水县", "云岭县", "古渡县")
DEPARTMENTS = ("内科", "外科", "儿科", "妇产科", "眼科", "口腔科", "急诊科", "中医科", "皮肤科", "康复科")
SEXES = ("女", "男")
INSURANCE = ("职工", "居民", "灵活就业")
INDUSTRIES = ("农业", "采矿", "制造", "电力", "建筑", "批发零售", "运输", "住宿餐饮", "信息", "金融", "房地产", "商务")
DIAGNOSES = tuple(f"{letter}{number:02d}" for letter in "IJKEMN" for number in (10, 11, 20, 25, 44, 63))
RARE_DIAGNOSES = ("E75.2", "G71.0", "Q87.1", "D82.3")
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高"
GIVEN = "伟芳娜敏静强磊军洋勇艳杰涛明超秀兰霞平刚桂英华玉梅文建国志红春海燕丽云龙凤山石松柏"
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@dataclass(frozen=True)
class Tables:
    """One set of tables, as a job sees them."""

    visits: pl.DataFrame
    social: pl.DataFrame
    firms: pl.DataFrame

    def items(self) -> dict[str, pl.DataFrame]:
        return {"visits": self.visits, "social": self.social, "firms": self.firms}


DIRECT = frozenset({"visit_no", "id_number", "name", "person_no", "credit_code", "firm"})
CODE_LISTS = frozenset({*DISTRICTS, *DEPARTMENTS, *SEXES, *INSURANCE, *INDUSTRIES, *DIAGNOSES})


def make(seed: int, *, visits: int = 12_000, persons: int = 8_000, firms: int = 3_000) -> Tables:
    """The tables of a seed."""
    rng = np.random.default_rng(seed)
    return Tables(_visits(rng, visits), _social(rng, persons), _firms(rng, firms))


def _visits(rng: np.random.Generator, n: int) -> pl.DataFrame:
    born = [date(1935, 1, 1) + timedelta(days=int(d)) for d in rng.integers(0, 30_000, n)]
    admitted = [date(2025, 1, 1) + timedelta(days=int(d)) for d in rng.integers(0, 365, n)]
    diagnosis = np.array(DIAGNOSES, dtype=object)[np.minimum(rng.zipf(1.3, n) - 1, len(DIAGNOSES) - 1)]
    diagnosis[rng.choice(n, 12, replace=False)] = np.repeat(RARE_DIAGNOSES, 3)
    district = rng.choice(len(DISTRICTS), n, p=_falling(len(DISTRICTS)))
    return pl.DataFrame(
        {
            "visit_no": _numbers(rng, n, 10_000_000, 99_999_999),
            "id_number": [_identity(born[i], int(rng.integers(0, 1000))) for i in range(n)],
            "name": _names(rng, n),
            "sex": rng.choice(SEXES, n),
            "birth_date": born,
            "district": [DISTRICTS[i] for i in district],
            "village": [
                f"{DISTRICTS[d][:2]}{SURNAMES[s]}家村" for d, s in zip(district, rng.integers(0, 20, n), strict=True)
            ],
            "department": rng.choice(DEPARTMENTS, n, p=_falling(len(DEPARTMENTS))),
            "diagnosis": diagnosis.tolist(),
            "admitted": admitted,
            "days": np.minimum(rng.geometric(0.15, n), 90).tolist(),
            "cost": np.round(rng.lognormal(8.2, 0.9, n), 2).tolist(),
        }
    )


def _social(rng: np.random.Generator, n: int) -> pl.DataFrame:
    employers = [f"{a}{b}{kind}" for a in GIVEN for b in GIVEN[:6] for kind in ("商贸行", "制造厂", "服务部")]
    return pl.DataFrame(
        {
            "person_no": [f"S{x}" for x in _numbers(rng, n, 100_000_000, 999_999_999)],
            "name": _names(rng, n),
            "sex": rng.choice(SEXES, n),
            "birth_year": rng.integers(1940, 2006, n).tolist(),
            "district": rng.choice(DISTRICTS, n, p=_falling(len(DISTRICTS))),
            "insurance": rng.choice(INSURANCE, n, p=(0.5, 0.4, 0.1)),
            "employer": [employers[i] for i in np.minimum(rng.zipf(1.2, n) - 1, len(employers) - 1)],
            "wage_base": rng.integers(3_800, 26_000, n).tolist(),
            "months": rng.integers(1, 420, n).tolist(),
            "pension": np.round(rng.normal(3200, 700, n).clip(900), 2).tolist(),
        }
    )


def _firms(rng: np.random.Generator, n: int) -> pl.DataFrame:
    revenue = np.round(rng.lognormal(6.5, 1.0, n), 2)
    industry = rng.choice(len(INDUSTRIES), n, p=_falling(len(INDUSTRIES)))
    # One giant in electricity: whoever sees the sum of its district sees its revenue.
    giant = int(np.flatnonzero(industry == 3)[0])
    revenue[giant] = 9_876_543.21
    chars = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    codes = ["91" + "".join(chars[i] for i in rng.integers(0, len(chars), 16)) for _ in range(n)]
    return pl.DataFrame(
        {
            "credit_code": codes,
            "firm": [f"{DISTRICTS[i % 10][:2]}{a}{b}有限公司" for i, (a, b) in enumerate(_pairs(rng, n))],
            "industry": [INDUSTRIES[i] for i in industry],
            "district": rng.choice(DISTRICTS, n, p=_falling(len(DISTRICTS))),
            "employees": np.ceil(rng.lognormal(2.5, 1.0, n)).astype(int).tolist(),
            "revenue": revenue.tolist(),
            "tax": np.round(revenue * rng.uniform(0.01, 0.09, n), 2).tolist(),
            "founded": rng.integers(1985, 2025, n).tolist(),
        }
    )


def _falling(n: int) -> list[float]:
    weights = 1 / (2 + np.arange(n))
    return (weights / weights.sum()).tolist()


def _numbers(rng: np.random.Generator, n: int, low: int, high: int) -> list[int]:
    drawn = np.unique(rng.integers(low, high, 2 * n))
    return rng.permutation(drawn)[:n].tolist()


def _names(rng: np.random.Generator, n: int) -> list[str]:
    first, a, b = rng.integers(0, len(SURNAMES), n), rng.integers(0, len(GIVEN), n), rng.integers(0, len(GIVEN), n)
    return [f"{SURNAMES[s]}{GIVEN[x]}{GIVEN[y]}" for s, x, y in zip(first, a, b, strict=True)]


def _pairs(rng: np.random.Generator, n: int) -> list[tuple[str, str]]:
    return [(GIVEN[a] + GIVEN[b], GIVEN[c]) for a, b, c in rng.integers(0, len(GIVEN), (n, 3))]


def _identity(born: date, order: int) -> str:
    body = f"110105{born:%Y%m%d}{order:03d}"
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, WEIGHTS, strict=True)) % 11]
