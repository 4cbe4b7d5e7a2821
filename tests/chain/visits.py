"""The dataset of the worked notebooks: its policy, a raw table of invented residents, a survey of some of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
POLICY = (NOTEBOOKS / "visits.yaml").read_text("utf-8")
STRANGERS = 600


def notebook(name: str, dataset: str) -> bytes:
    """A worked notebook about a dataset of another name, as a researcher would adapt it."""
    text = (NOTEBOOKS / f"{name}.ipynb").read_text("utf-8")
    here = 'DATASET = \\"visits\\"'
    assert here in text
    return text.replace(here, f'DATASET = \\"{dataset}\\"').encode()


def policy(dataset: str) -> str:
    """The same policy for a dataset of another name."""
    assert "dataset: visits\n" in POLICY
    return POLICY.replace("dataset: visits\n", f"dataset: {dataset}\n")


def visits(persons: int = 6_000) -> pa.Table:
    """The raw table: cost rises with age, visits and insurance."""
    random = np.random.default_rng(5)
    age, female, covered = random.integers(0, 95, persons), random.random(persons) < 0.52, random.random(persons) < 0.6
    times = 1 + random.poisson(2 + age / 30)
    cost = times * random.gamma(4, 40, persons) * np.where(covered, 1.3, 1.0) * (1 + age / 100)
    return pa.table(
        {
            "person_no": [f"P{number:08d}" for number in random.permutation(10**7)[:persons]],
            "sex": np.where(female, "女", "男"),
            "age": age,
            "district": np.array(["福田", "罗湖", "南山", "宝安"])[random.integers(0, 4, persons)],
            "insured": np.where(covered, "职工", "居民"),
            "visits": np.minimum(times, 30),
            "cost": cost.round(2),
        }
    )


def as_csv(table: pa.Table) -> bytes:
    """As an officer uploads it."""
    sink = pa.BufferOutputStream()
    csv.write_csv(table, sink)
    return sink.getvalue().to_pybytes()


def survey(table: pa.Table) -> pa.Table:
    """Occupations, told by two thirds of them and by some who are not in the table."""
    known = table["person_no"].to_pylist()[: table.num_rows * 2 // 3]
    persons = [*known, *(f"P{number:08d}" for number in range(9 * 10**7, 9 * 10**7 + STRANGERS))]
    names = ["工人", "教师", "农民", "职员", "退休"]
    return pa.table({"person_no": persons, "occupation": [names[i % 5] for i in range(len(persons))]})
