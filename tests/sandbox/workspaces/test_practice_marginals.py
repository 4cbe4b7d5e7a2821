"""Practice columns follow published figures, and only those that anybody may download."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import masking
from masking.policy.load import load
from sandbox.workspaces.practice import make_practice, shares, shares_of_cube, shares_of_edition
from sandbox.workspaces.published import published_marginals
from tests.masking.sectors.tables import TABLES

POLICIES = Path(__file__).resolve().parents[3] / "policies"
FIXED = """\
version: 1
dataset: d
title: {zh: 表, en: table}
unit: id
attributes:
  id: {role: direct_identifier, technique: suppression.drop, practice: {type: ID_CARD}}
  sex: {role: quasi_identifier, technique: keep, codes: [男, 女]}
  age: {role: quasi_identifier, technique: generalization.bands, width: 10, practice: {minimum: 0, maximum: 94}}
  cost: {role: sensitive, practice: {minimum: 0, maximum: 1000}}
  ward: {role: sensitive}
sandbox:
  practice_rows: 4000
  tables:
    dimensions:
      sex: {}
      band: {from: age, edges: [20, 40, 60, null]}
      dear: {from: cost, edges: [0, 100, 500, 1000]}
      ward: {codes: [内科, 外科, 儿科]}
"""
SCHEMA = [("id", "string"), ("sex", "string"), ("age", "int64"), ("cost", "double"), ("ward", "string")]


def test_a_published_fixed_table_is_followed() -> None:
    """Sex, age (through the day of birth), kind of visit and chapter of the diagnosis, within sampling error."""
    policy = load(POLICIES / "sectors" / "hospital-visits.yaml")
    raw = TABLES["hospital-visits"]().to_arrow()
    table = pa.table(masking.apply(POLICIES / "sectors" / "hospital-visits.yaml", raw).table)
    marginals = shares_of_edition(policy, table)
    assert set(marginals) == {"visit_type", "diagnosis", "sex", "birth_date"}
    made = make_practice(policy, [(f.name, str(f.type)) for f in raw.schema], seed="w", marginals=marginals)
    again = pl.DataFrame(made)
    assert distance(again["sex"].to_list(), marginals["sex"].shares) < 0.05
    assert distance(again["visit_type"].to_list(), marginals["visit_type"].shares) < 0.05
    assert distance(again["diagnosis"].str.slice(0, 1).to_list(), marginals["diagnosis"].shares) < 0.08
    ages = masking.techniques.get("generalization.age").check(
        policy.attributes["birth_date"].parameters, attribute="birth_date"
    )
    bands = ages.apply(made["birth_date"]).to_pylist()
    assert distance([str(band) for band in bands], marginals["birth_date"].shares) < 0.08
    assert again["resident_id"].str.slice(6, 8).equals(again["birth_date"].dt.strftime("%Y%m%d").alias("resident_id"))
    without = make_practice(policy, [(f.name, str(f.type)) for f in raw.schema], seed="w")
    assert distance(without["visit_type"].to_pylist(), marginals["visit_type"].shares) > 0.1, "control"


def test_a_published_cube_is_followed_by_its_own_categories() -> None:
    policy = load(FIXED)
    figures = {
        "sex": {"男": 300.0, "女": 100.0, "other": 50.0},
        "band": {"20..40": 20.0, "40..60": 30.0, ">=60": 40.0, "other": 10.0},
        "dear": {"0..100": 80.0, "100..500": 15.0, "500..1000": 5.0},
        "ward": {"内科": 6.0, "外科": 3.0, "儿科": None},
    }
    marginals = shares_of_cube(policy, figures)
    made = pl.DataFrame(make_practice(policy, SCHEMA, seed="w", marginals=marginals))
    assert distance(made["sex"].to_list(), {"男": 0.75, "女": 0.25}) < 0.04
    bands = made["age"].cut([19, 39, 59], labels=["<20", "20..40", "40..60", ">=60"]).cast(pl.String).to_list()
    assert distance(bands, {"<20": 0.1, "20..40": 0.2, "40..60": 0.3, ">=60": 0.4}) < 0.05
    dear = (
        made["cost"]
        .cut([100, 500], left_closed=True, labels=["0..100", "100..500", "500..1000"])
        .cast(pl.String)
        .to_list()
    )
    assert distance(dear, {"0..100": 0.8, "100..500": 0.15, "500..1000": 0.05}) < 0.04
    assert distance(made["ward"].to_list(), {"内科": 2 / 3, "外科": 1 / 3}) < 0.04
    assert (2025 - made["id"].str.slice(6, 4).cast(pl.Int64)).equals(made["age"].alias("id"))


def test_totals_and_hidden_cells_count_nothing() -> None:
    cells = pa.table({"sex": ["男", "女", "合计", "男", None], "n": [10, None, 10, 30, 7]})
    found = shares(cells, ["sex", "absent"], "n", skip={"sex": frozenset(["合计"])})
    assert dict(found["sex"].shares) == {"男": 1.0}
    assert shares(cells, ["sex"], "absent") == {}
    assert shares(cells.slice(0, 0), ["sex"], "n") == {}


@pytest.mark.parametrize(
    "figures",
    [{}, {"sex": {}}, {"sex": {"男": None}}, {"sex": {"男": -5.0}}, {"sex": {"neither": 5.0}}, {"absent": {"a": 1.0}}],
)
def test_figures_that_say_nothing_change_nothing(figures: dict[str, dict[str, float]]) -> None:
    policy = load(FIXED)
    followed = make_practice(policy, SCHEMA, seed="w", marginals=shares_of_cube(policy, figures))
    assert followed.equals(make_practice(policy, SCHEMA, seed="w"))


@pytest.mark.parametrize(
    ("kind", "state", "opening", "counts"),
    [
        ("aggregate", "published", "unconditional", True),
        ("aggregate", "published", "conditional", False),  # its recipients' alone
        ("aggregate", "withdrawn", "unconditional", False),
        ("aggregate", "in_review", "unconditional", False),
        ("microdata", "published", "unconditional", False),
    ],
)
def test_only_what_anybody_may_download_counts(kind: str, state: str, opening: str, *, counts: bool) -> None:
    policy = load(
        FIXED.partition("sandbox:")[0]
        + "aggregate: {by: [sex], measures: {persons: {count: '*'}}, threshold: 10, rounding: 5}\n"
    )
    sink = io.BytesIO()
    pq.write_table(pa.table({"sex": ["男", "女"], "persons": [30, 10]}), sink)
    edition = SimpleNamespace(
        kind=kind, state=state, opening_class=opening, digest="0", files=[{"name": "d.parquet", "format": "parquet"}]
    )
    store = SimpleNamespace(open=lambda *_: io.BytesIO(sink.getvalue()))
    found = published_marginals(edition, policy, store, exposed=True)
    assert ({"sex": 0.75} if counts else {}) == {name: each.shares["男"] for name, each in found.items()}
    assert published_marginals(edition, policy, store, exposed=False) == {}, "no output would be compared with it"


def distance(values: list[str], published: dict[str, float]) -> float:
    """Total variation between a column and published shares."""
    counts = Counter(values)
    labels = {*counts, *published}
    return sum(abs(counts[label] / len(values) - published.get(label, 0.0)) for label in labels) / 2
