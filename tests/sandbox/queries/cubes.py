"""Small cubes without a service: a policy, a table of persons, and the steps from one to the published tables."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import contextmanager
from functools import cache

import numpy as np
import pyarrow as pa

from masking.policy import check, load
from sandbox.queries import tables
from sandbox.queries.counting import Counted, count
from sandbox.queries.design import Design
from sandbox.queries.noise import secret_for
from sandbox.queries.registration import Registration

ROWS = 8000
POLICY = """\
version: 1
dataset: visits
title: {zh: 就诊, en: visits}
unit: patient
attributes:
  patient: {role: direct_identifier, technique: suppression.drop}
  sex: {role: quasi_identifier, technique: keep, codes: [F, M], title: {zh: 性别, en: sex}}
  age: {role: quasi_identifier, technique: keep, title: {zh: 年龄, en: age}}
  kind: {role: sensitive, title: {zh: 类别, en: kind}}
  cost: {role: sensitive, title: {zh: 费用, en: cost}}
sandbox:
  tables:
    dimensions:
      sex: {other: false}
      age: {edges: [0, 30, 60, null], other: false}
      kind: {codes: {=a: {zh: 甲, en: one}, b: 乙, c: 丙}, other: false}
    measures: {cost: {lower: 0, upper: 1000}}
"""


@cache
def persons_table(rows: int = ROWS, seed: int = 1) -> pa.Table:
    """One record a person."""
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "patient": [f"P{place:06d}" for place in range(rows)],
            "sex": pa.array(["F", "M"]).take(pa.array(rng.integers(0, 2, rows))),
            "age": rng.integers(0, 90, rows),
            "kind": pa.array(["=a", "b", "c"]).take(pa.array(rng.choice(3, rows, p=[0.5, 0.3, 0.2]))),
            "cost": np.round(rng.gamma(2, 120, rows), 2),
        }
    )


def registered(yaml: str = POLICY) -> Registration:
    """What a policy registers."""
    policy = load(yaml)
    check(policy)
    found = Registration.of(policy)
    assert found is not None
    return found


def counted(
    registration: Registration, table: pa.Table, *, key: bytes = b"k" * 32, batch: int = 1000, **given
) -> Counted:
    """The true base cube."""

    @contextmanager
    def opened():
        yield table.to_reader(max_chunksize=batch)

    secret = secret_for(key, dataset="d", use="contribution")
    return count(registration, opened, secret=secret, records=table.num_rows, **given)


def noisy(registration: Registration, found: Counted, *, number: int = 1, key: bytes | None = None) -> tables.Noisy:
    """With noise under a key of this intake."""
    design = Design.of(registration, number)
    return tables.with_noise(found, registration, design, key or secrets.token_bytes(32), "d")


def shown(registration: Registration, table: pa.Table, *, key: bytes = b"k" * 32, batch: int = 1000) -> Mapping:
    """The published set of a table."""
    base = noisy(registration, counted(registration, table, key=key, batch=batch), key=key)
    return tables.published(base, registration, Design.of(registration, 1))
