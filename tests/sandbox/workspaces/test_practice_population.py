"""Practice tables of one workspace speak about one population: they join, and a person agrees with herself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from masking.policy.load import load, load_set
from masking.policy.model import MaskingPolicy
from sandbox.workspaces.practice import make_practice, make_practice_set
from tests.sandbox.workspaces.test_practice import sector

POLICIES = Path(__file__).resolve().parents[3] / "policies"
TEXT = "string"


def table(name: str) -> pl.DataFrame:
    return pl.DataFrame(sector(name)[2])


@pytest.mark.parametrize(
    ("name", "sexes"),
    [("population", "12"), ("health-insurance", "12"), ("hospital-visits", "男女"), ("social-security", "12"),
     ("education", "男女")],
)  # fmt: skip
def test_sex_and_day_of_birth_agree_with_the_resident_id(name: str, sexes: str) -> None:
    people = table(name)
    told = people.select(
        born=pl.col("resident_id").str.slice(6, 8).str.to_date("%Y%m%d"),
        sex=pl.col("resident_id")
        .str.slice(16, 1)
        .str.contains("[13579]")
        .replace_strict({True: sexes[0], False: sexes[1]}),
    )
    assert told["born"].equals(people["birth_date"])
    assert told["sex"].equals(people["sex"])
    assert told["sex"].n_unique() == 2


def test_age_in_years_agrees_with_the_resident_id() -> None:
    policy = _policy("a: {role: quasi_identifier, technique: keep, practice: {type: AGE, minimum: 30, maximum: 60}}")
    people = pl.DataFrame(make_practice(policy, [("id", TEXT), ("a", "int64")], seed="w"))
    assert people["a"].min() == 30
    assert people["a"].max() == 60
    assert (2025 - people["id"].str.slice(6, 4).cast(pl.Int64)).equals(people["a"])


def test_ages_are_within_the_policy_whatever_numbers_the_persons() -> None:
    text = (
        "version: 1\ndataset: d\ntitle: {zh: 表, en: table}\nunit: patient\nattributes:\n"
        "  patient: {role: direct_identifier, technique: suppression.drop}\n"
        "  age: {role: quasi_identifier, technique: keep, practice: {minimum: 60, maximum: 95}}\n"
    )
    ages = make_practice(load(text), [("patient", TEXT), ("age", "int64")], seed="w")["age"].to_pylist()
    assert min(ages) >= 60
    assert max(ages) <= 95


def test_a_person_is_the_same_on_all_rows() -> None:
    visits = table("hospital-visits")
    rows = visits.group_by("resident_id").len()["len"]
    assert rows.min() == 1
    assert rows.max() > 5
    for name in ("name", "phone", "sex", "birth_date", "address"):
        assert visits.group_by("resident_id").agg(pl.col(name).n_unique())[name].max() == 1, name
    assert visits["visit_no"].is_unique().all()
    for name in ("diagnosis", "cost", "admission_date"):
        assert visits.group_by("resident_id").agg(pl.col(name).n_unique())[name].max() > 1, name


def test_registers_of_persons_have_one_row_each() -> None:
    for name, key in (("population", "resident_id"), ("education", "resident_id"), ("enterprises", "credit_code")):
        assert table(name)[key].is_unique().all(), name


def test_tables_of_a_workspace_join_on_the_same_identifier() -> None:
    """1:n, with names that agree, and some rows without a match."""
    people, settlements = table("population"), table("health-insurance")
    joined = settlements.join(people, on="resident_id", suffix="_of_person")
    assert 0.5 < joined.height / settlements.height < 1
    assert joined["resident_id"].is_duplicated().any()
    for name in ("name", "sex", "birth_date"):
        assert joined[name].equals(joined[f"{name}_of_person"].cast(joined[name].dtype).alias(name)), name
    visits = table("hospital-visits").join(people, on="resident_id")
    assert visits.height > 500
    firms = table("social-security").join(table("enterprises"), left_on="employer_code", right_on="credit_code")
    assert firms.height > 300
    assert firms["employer_name"].equals(firms["name_right"].alias("employer_name"))


def test_tables_of_other_workspaces_do_not_join() -> None:
    policy, raw, mine = sector("population")
    schema = [(field.name, str(field.type)) for field in raw]
    other = make_practice(policy, schema, seed="another", files=POLICIES / "sectors")
    assert not set(mine["resident_id"].to_pylist()) & set(other["resident_id"].to_pylist())


@pytest.mark.parametrize("rows", [30, 300, 3000])
def test_tables_of_different_length_join(rows: int) -> None:
    people = table("population")
    policy = _policy("x: {role: sensitive}")
    policy = replace(policy, sandbox=replace(policy.sandbox, practice_rows=rows))
    other = pl.DataFrame(make_practice(policy, [("id", TEXT), ("x", "int64")], seed="w"))
    joined = other.join(people, left_on="id", right_on="resident_id")
    assert joined.height > 0.7 * min(rows, people.height)


def test_foreign_keys_of_a_policy_of_several_tables_join() -> None:
    policies = load_set(POLICIES / "tables" / "outpatient.yaml")
    schemas = {
        name: [
            (each, "double" if each == "cost" else "date32[day]" if "date" in each else TEXT)
            for each in policy.attributes
        ]
        for name, policy in policies.tables.items()
    }
    made = {name: pl.DataFrame(each) for name, each in make_practice_set(policies, schemas, seed="w").items()}
    patients, visits, prescriptions = made["patients"], made["visits"], made["prescriptions"]
    assert patients["resident_id"].is_unique().all()
    assert visits["visit_no"].is_unique().all()
    assert prescriptions["visit_no"].is_duplicated().any()
    assert visits.join(patients, on="resident_id").height > 0.7 * visits.height
    assert prescriptions.join(visits, on="visit_no").height > 0.7 * prescriptions.height
    assert prescriptions.join(visits, on="visit_no").join(patients, on="resident_id").height > 500


def test_columns_of_one_key_domain_join_whatever_they_are_called() -> None:
    text = (
        "version: 1\ndataset: {d}\ntitle: {{zh: 表, en: table}}\n"
        "key_domains:\n  tails: {{datasets: [a, b], joins: [{c}]}}\n"
        "attributes:\n  {c}: {{role: quasi_identifier, technique: pseudonymization.keyed, key: tails}}\n"
    )
    one, two = (
        make_practice(load(text.format(d=d, c=c)), [(c, TEXT)], seed="w")[c].to_pylist()
        for d, c in (("a", "tailnum"), ("b", "aircraft"))
    )
    assert len(set(one) & set(two)) > 0.5 * len(set(one))
    assert len(set(one)) < 100  # an aircraft flies often


def _policy(attribute: str) -> MaskingPolicy:
    return load(
        "version: 1\ndataset: d\ntitle: {zh: 表, en: table}\nunit: id\nattributes:\n"
        "  id: {role: direct_identifier, technique: suppression.drop, practice: {type: ID_CARD}}\n"
        f"  {attribute}\n"
    )
