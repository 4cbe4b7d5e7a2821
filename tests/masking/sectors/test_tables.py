"""The policy of three tables, on made tables: every join holds, nothing valid is left, the folder is all or nothing."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from masking import Masked
from masking.cli.commands import app
from masking.detection import Detector, detect_columns
from masking.engines.tables import apply, references
from masking.errors import PolicyError
from masking.keys import create_keys
from masking.policy import check_set, explain, load_set
from masking.policy.explain import explain_set
from masking.policy.propose import statistics_of
from masking.taxonomy import DataLevel, Role
from tests.masking.sectors.tables import health_insurance

POLICY = Path(__file__).resolve().parents[3] / "policies" / "tables" / "outpatient.yaml"
KEYS = {"outpatient-2025": b"p" * 32, "outpatient-dates": b"d" * 32}
SPECIAL = "^(?:A5[0-9]|A6[0-4]|B2[0-4]|F[0-9]{2}|Z21|T74)"
ATC = ("J01CA04", "J01FA09", "C09AA02", "C08CA01", "A10BA02", "A02BC01", "N02BE01", "R05CB01", "C10AA05", "B01AC06")


@functools.cache
def tables() -> Mapping[str, pl.DataFrame]:
    """12,000 patients, their 22,000 visits, 45,000 prescriptions: the settlements of the health insurance, normalised."""
    settled = health_insurance()
    random = np.random.default_rng(101)
    count = 45_000
    visit = random.permutation(
        np.concatenate([np.arange(len(settled)), random.integers(0, len(settled), count - len(settled))])
    )
    return {
        "patients": settled.select("resident_id", "name", "sex", "birth_date", "postcode", "insured_type")
        .unique("resident_id", keep="first", maintain_order=True),
        "visits": settled.select(
            pl.col("settlement_no").alias("visit_no"),
            "resident_id",
            pl.col("admission_date").alias("visit_date"),
            "hospital_level",
            "diagnosis",
            pl.col("total_cost").alias("cost"),
        ),
        "prescriptions": pl.DataFrame(
            {
                "visit_no": settled["settlement_no"][visit.tolist()],
                "doctor": [f"D43{number:08d}" for number in random.integers(0, 900, count)],
                "drug_code": np.array(ATC)[np.minimum(random.geometric(0.2, count) - 1, len(ATC) - 1)],
                "quantity": random.geometric(0.3, count),
            }
        ),
    }  # fmt: skip


@functools.cache
def masked() -> Mapping[str, Masked]:
    return apply(POLICY, tables(), KEYS)


def frames(raw: bool = False) -> tuple[pl.DataFrame, ...]:
    found = tables() if raw else {name: each.table for name, each in masked().items()}
    return found["patients"], found["visits"], found["prescriptions"]


def test_the_policy_passes_against_its_tables():
    policies = load_set(POLICY)
    schemas = {name: table.to_arrow().schema for name, table in tables().items()}
    known = {name: statistics_of(detect_columns(table)) for name, table in tables().items()}
    check_set(policies, schemas, known, files=POLICY.parent)
    assert all(policy.level is DataLevel.L4 for policy in policies.tables.values())
    for policy in policies.tables.values():
        assert not policy.bare_identifiers
        for rule in policy.attributes.values():
            assert set(rule.title) == {"zh", "en"}
            assert rule.reason or rule.role is not Role.INSENSITIVE
        for lang in ("zh", "en"):
            assert len(explain(policy, lang)) == len(policy.attributes)
    assert len(explain_set(policies)) == len(explain_set(policies, "en")) == 5


def test_without_a_period_the_sequence_is_refused():
    text = POLICY.read_text("utf-8").replace(", period: 2025-Q4", "")
    known = {name: statistics_of(detect_columns(table)) for name, table in tables().items()}
    with pytest.raises(PolicyError, match=r"table 'visits'.*sequence of records"):
        check_set(load_set(text), statistics=known)


def test_joins_hold_but_for_the_records_that_left():
    patients, visits, prescriptions = frames(raw=True)
    visits = visits.filter(~pl.col("diagnosis").str.contains(SPECIAL))
    wanted = visits.join(patients, on="resident_id").join(prescriptions, on="visit_no")
    left = frames()
    found = left[1].join(left[0], on="resident_id").join(left[2], on="visit_no")
    reports = {name: each.report for name, each in masked().items()}
    assert reports["patients"].suppressed + reports["visits"].suppressed == 0
    assert found.height == wanted.height == left[2].height > 44_000
    for column in ("resident_id", "visit_no"):
        assert sorted(found.group_by(column).len()["len"]) == sorted(wanted.group_by(column).len()["len"])
        assert not set(found[column]) & set(wanted[column])


def test_no_prescription_tells_that_its_visit_had_to_leave():
    """Without its visit a prescription would name the special diagnosis for which the visit left."""
    _, visits, prescriptions = frames(raw=True)
    special = visits.filter(pl.col("diagnosis").str.contains(SPECIAL))
    gone = prescriptions.join(special, on="visit_no", how="semi").height
    assert frames()[2].height == prescriptions.height - gone
    assert gone > 50
    for of in (tables(), {name: each.table for name, each in masked().items()}):
        make = {name: table.to_arrow().to_reader for name, table in of.items()}
        assert [each.dangling for each in references(load_set(POLICY), make)] == [0, 0]


def test_limits_hold_when_counted_again():
    patients, visits, _ = frames()
    assert patients.group_by("sex", "birth_date", "postcode").len()["len"].min() >= 10
    assert patients.group_by("sex", "birth_date", "postcode").len().height > 40
    classes = visits.group_by("hospital_level").agg(pl.col("resident_id", "diagnosis").n_unique())
    assert classes["resident_id"].min() >= 10
    assert classes["diagnosis"].min() >= 20


def test_no_valid_identifier_is_left():
    detector = Detector()

    def found(table: pl.DataFrame) -> int:
        texts = [text for name in table.columns if table.schema[name] == pl.String for text in table[name].unique()]
        return sum(map(len, detector.find_many(texts)))

    assert found(tables()["patients"].head(200)) >= 200
    assert sum(map(found, frames())) == 0


def test_what_an_analysis_needs_is_kept():
    _, raw, _ = frames(raw=True)
    raw = raw.filter(~pl.col("diagnosis").str.contains(SPECIAL))
    patients, visits, prescriptions = frames()
    assert visits["cost"].mean() == pytest.approx(raw["cost"].mean(), rel=0.005)
    assert (
        visits["diagnosis"].value_counts(sort=True)["diagnosis"][0]
        == raw["diagnosis"].value_counts(sort=True)["diagnosis"][0][:3]
    )
    moved = (visits["visit_date"] - raw["visit_date"]).dt.total_days()
    assert moved.abs().max() == 15
    assert (moved == 0).sum() == 0
    spans = [
        table.group_by("resident_id").agg(span=pl.col("visit_date").max() - pl.col("visit_date").min())
        for table in (raw, visits)
    ]
    assert sorted(spans[0]["span"]) == sorted(spans[1]["span"])  # intervals are exact
    assert set(prescriptions["drug_code"].str.len_chars()) == {4}
    elderly = visits.join(patients.filter(pl.col("birth_date").is_in(["[70,80)", ">=80"])), on="resident_id")
    young = visits.join(patients.filter(pl.col("birth_date").is_in(["[20,30)", "[30,40)"])), on="resident_id")
    assert (elderly["diagnosis"] == "J44").mean() > 3 * (young["diagnosis"] == "J44").mean()  # age still tells


def test_another_period_joins_nothing():
    text = POLICY.read_text("utf-8").replace("period: 2025-Q4", "period: 2026-Q1")
    later = apply(text, tables(), KEYS)
    assert not set(later["patients"].table["resident_id"]) & set(masked()["patients"].table["resident_id"])
    assert not set(later["visits"].table["visit_no"]) & set(masked()["visits"].table["visit_no"])


def test_the_command_checks_and_masks_the_folder(tmp_path):
    (tmp_path / "raw").mkdir()
    for name, table in tables().items():
        table.write_parquet(tmp_path / "raw" / f"{name}.parquet")
    create_keys(tmp_path / "keys.json", KEYS)

    def run(*words):
        done = CliRunner().invoke(app, [*map(str, words), "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.output)

    assert [each["dangling"] for each in run("check", POLICY, "--against", tmp_path / "raw")["references"]] == [0, 0]
    told = run("apply", POLICY, tmp_path / "raw", tmp_path / "out", "--keys", tmp_path / "keys.json")
    assert [each["dangling"] for each in told["references"]["before"]] == [0, 0]
    assert [each["dangling"] for each in told["references"]["after"]] == [0, 0]
    assert told["followed"]["prescriptions"] > 50
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{name}.parquet" for name in sorted(tables())
    ]
