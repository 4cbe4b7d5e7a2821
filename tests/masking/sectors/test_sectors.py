"""
The policies by sector, each on a made table that a reader of the register would find plausible.

Limits, joins, intervals and cells are counted again here in plain polars, never by the functions that enforced them.
"""

import functools
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import masking
from masking.detection import Detector, detect_columns
from masking.errors import PolicyError
from masking.policy import check, explain, load
from masking.policy.model import Limits, MaskingPolicy
from masking.policy.propose import statistics_of
from masking.report import MaskingReport
from masking.taxonomy import DataLevel, Role
from tests.masking.sectors.tables import TABLES

SECTORS = Path(__file__).resolve().parents[3] / "policies" / "sectors"
LEVELS = {
    "population": DataLevel.L3,
    "health-insurance": DataLevel.L4,
    "hospital-visits": DataLevel.L4,
    "social-security": DataLevel.L3,
    "enterprises": DataLevel.L2,
    "education": DataLevel.L4,
    "transport": DataLevel.L4,
    "hotline-12345": DataLevel.L3,
}
AGGREGATES = ("hospital-visits", "transport")
MICRODATA = tuple(name for name in TABLES if name not in AGGREGATES)
TOKEN = "<[A-Z_]+(?::[0-9a-f]{16})?>"
SPECIAL = r"^(?:A5[0-9]|A6[0-4]|B2[0-4]|F[0-9]{2}|Z21|T74)"


@functools.cache
def policy(name: str) -> MaskingPolicy:
    return load(SECTORS / f"{name}.yaml")


@functools.cache
def masked(name: str) -> tuple[pl.DataFrame, MaskingReport]:
    done = masking.apply(SECTORS / f"{name}.yaml", TABLES[name](), keys=keys(name))
    return done.table, done.report


def keys(name: str, first: int = 1) -> dict[str, bytes]:
    """One key a name, the same in every table."""
    return {key: f"{first} {key}".encode().ljust(32, b".")[:32] for key in policy(name).key_names}


def unlimited(name: str, table: pl.DataFrame, first: int = 1) -> pl.DataFrame:
    """The masked table before records leave for a limit."""
    done = masking.apply(replace(policy(name), limits=Limits()), table, keys=keys(name, first), files=SECTORS)
    return done.table


def test_every_sector_has_a_policy_and_a_table():
    assert {path.stem for path in SECTORS.glob("*.yaml")} == set(TABLES) == set(LEVELS)


@pytest.mark.parametrize("name", TABLES)
def test_policy_passes_the_check_with_schema_and_statistics(name):
    table = TABLES[name]()
    statistics = statistics_of(detect_columns(table))
    assert set(statistics) == set(policy(name).attributes)
    check(policy(name), table.to_arrow().schema, statistics, files=SECTORS)


@pytest.mark.parametrize("name", TABLES)
def test_policy_says_what_it_does_in_two_languages(name):
    assert policy(name).dataset == name
    assert policy(name).level is LEVELS[name]
    assert policy(name).is_aggregate is (name in AGGREGATES)
    assert not policy(name).bare_identifiers
    for rule in policy(name).attributes.values():
        assert set(rule.title) == {"zh", "en"}, rule.name
        if rule.role is Role.INSENSITIVE or (rule.pseudonym and not rule.dropped):
            assert rule.reason, rule.name
    assert len(explain(policy(name))) == len(explain(policy(name), "en")) == len(policy(name).attributes)


@pytest.mark.parametrize("name", MICRODATA)
def test_limits_hold_when_counted_again(name):
    table, report = masked(name)
    limits, unit = policy(name).limits, policy(name).unit
    if unit in table.columns:
        persons = pl.col(unit).n_unique()
    else:
        assert TABLES[name]()[unit].is_unique().all()
        persons = pl.len()
    classes = table.group_by(policy(name).quasi_identifiers).agg(persons.alias("persons"))
    assert limits.k_anonymity is not None
    assert classes["persons"].min() >= limits.k_anonymity
    assert classes["persons"].min() == report.k_after
    assert classes.height > 20  # not merged into nothing
    if limits.distinct_l_diversity is not None:
        (sensitive,) = policy(name).sensitive
        values = table.group_by(policy(name).quasi_identifiers).agg(pl.col(sensitive).n_unique())
        assert values[sensitive].min() >= limits.distinct_l_diversity
    assert 0 < limits.suppression <= 0.05
    stayed = unlimited_height(name)
    assert stayed - table.height == report.suppressed <= limits.suppression * stayed


def unlimited_height(name: str) -> int:
    """Records that no ``suppress:`` condition leaves out."""
    return len(eligible(name))


def eligible(name: str) -> pl.DataFrame:
    table = TABLES[name]()
    if name == "population":
        return table.filter(pl.col("birth_date") < pl.date(2012, 1, 1))
    if name in ("health-insurance", "hospital-visits"):
        return table.filter(~pl.col("diagnosis").str.contains(SPECIAL))
    return table


@pytest.mark.parametrize("name", TABLES)
def test_effect_is_what_the_level_asks_for(name):
    """Aggregates 4 and microdata 3, as the matrix of grades asks for; free text caps it at 2."""
    assert masked(name)[1].effect == (4 if name in AGGREGATES else 2 if policy(name).free_text else 3)


@pytest.mark.parametrize("name", TABLES)
def test_no_valid_identifier_is_left(name):
    assert found(TABLES[name]().head(500)) > 0  # the raw table holds some, so that finding none means something
    assert found(masked(name)[0]) == 0


def found(table: pl.DataFrame) -> int:
    """Findings in all text columns. A token of sixteen digits in a text may pass for a bank card: it is in <TYPE:…>."""
    texts = itertools.chain.from_iterable(
        table[column].drop_nulls().unique().str.replace_all(TOKEN, "<>")
        for column in table.columns
        if table.schema[column] == pl.String
    )
    return sum(map(len, Detector().find_many(texts)))


@pytest.mark.parametrize("name", TABLES)
def test_no_raw_direct_identifier_is_left(name):
    raw, table = TABLES[name](), masked(name)[0]
    for identifier in policy(name).with_role(Role.DIRECT_IDENTIFIER):
        values = raw[identifier].drop_nulls().unique().cast(pl.String)
        if identifier in ("content", "reply"):
            values = values.filter(values.str.contains(r"[0-9]{3}"))  # 已责令整改。 is nobody's
        for column in (column for column in table.columns if table.schema[column] == pl.String):
            assert not table[column].is_in(values.implode()).any(), (identifier, column)


@pytest.mark.parametrize("name", TABLES)
def test_same_input_and_keys_give_the_same_table(name):
    texts = any(rule.free_text for rule in policy(name).attributes.values())
    some = TABLES[name]().head(200 if texts else 1_500)  # a text takes a thousand times what a code does
    once = unlimited(name, some)
    assert once.equals(unlimited(name, some))
    tokens = [rule.name for rule in policy(name).attributes.values() if rule.pseudonym and not rule.free_text]
    other = unlimited(name, some, first=2) if tokens else once
    for token in tokens:
        assert not other[token].drop_nulls().is_in(once[token].implode()).any()
    if name in MICRODATA:  # a record becomes what it is in the whole table, but for those that leave for a limit
        table, report = masked(name)
        assert once.join(table, on=once.columns, how="anti", nulls_equal=True).height <= report.suppressed


# Joins.


def test_population_joins_health_insurance_under_one_key_domain():
    before = joined(eligible("population"), eligible("health-insurance"))
    after = joined(*(unlimited(name, TABLES[name]()) for name in ("population", "health-insurance")))
    assert after == before > 10_000


def test_education_joins_neither():
    pupils = TABLES["education"]().with_columns(TABLES["population"]()["resident_id"])
    assert joined(pupils, TABLES["population"]()) == pupils.height  # the same persons in both registers
    registers = [unlimited(name, TABLES[name]()) for name in ("population", "health-insurance")]
    assert [joined(unlimited("education", pupils), register) for register in registers] == [0, 0]
    # Not because the pseudonyms look different: with the technique of the registers the key alone keeps them apart.
    rules = dict(policy("education").attributes)
    rules["resident_id"] = replace(
        rules["resident_id"], technique="pseudonymization.resident_id", parameters={"on_invalid": "token"}
    )
    alike = replace(policy("education"), attributes=rules, limits=Limits())
    table = masking.apply(alike, pupils, keys=keys("education"), files=SECTORS).table
    assert table["resident_id"].str.len_chars().unique().to_list() == [18]
    assert [joined(table, register) for register in registers] == [0, 0]


def test_education_may_not_use_the_key_of_the_registers():
    rules = dict(policy("education").attributes)
    rules["resident_id"] = replace(rules["resident_id"], key="people-2025")
    with pytest.raises(PolicyError, match="may not use it"):
        check(replace(policy("education"), attributes=rules, key_domains=policy("population").key_domains))


def joined(left: pl.DataFrame, right: pl.DataFrame) -> int:
    return left.select("resident_id").join(right.select("resident_id"), on="resident_id").height


# What each table is still good for.


def test_dates_of_one_person_keep_their_intervals():
    raw, table = eligible("health-insurance"), masked("health-insurance")[0]
    assert masked("health-insurance")[1].suppressed == 0
    both = pl.DataFrame(
        {
            "person": raw["resident_id"],
            "admitted": table["admission_date"] - raw["admission_date"],
            "discharged": table["discharge_date"] - raw["discharge_date"],
        }
    )
    assert (both["admitted"] == both["discharged"]).all()  # so days in hospital stay
    shifts = both.group_by("person").agg(pl.col("admitted").n_unique().alias("n"), pl.col("admitted").first())
    assert shifts["n"].max() == 1
    assert shifts.height < raw.height * 0.6  # many persons have several settlements
    days = shifts["admitted"].dt.total_days()
    assert (days.min(), days.max(), (days == 0).sum(), days.n_unique()) == (-15, 15, 0, 30)


def test_settlements_keep_their_amounts_on_the_whole():
    raw, table = eligible("health-insurance"), masked("health-insurance")[0]
    for amount in ("total_cost", "fund_paid"):
        assert table[amount].mean() == pytest.approx(raw[amount].mean(), rel=0.01)
        change = (table[amount] / raw[amount])[(raw[amount] > 1).to_numpy().nonzero()[0].tolist()]
        assert 0.949 < change.min() < change.max() < 1.051
        assert (table[amount] == raw[amount]).mean() < 0.02
    shares = [each["fund_paid"].sum() / each["total_cost"].sum() for each in (raw, table)]
    assert shares[1] == pytest.approx(shares[0], rel=0.005)
    factors = [(table[amount] / raw[amount]).to_numpy() for amount in ("total_cost", "fund_paid")]
    some = raw["fund_paid"].to_numpy() > 1
    assert abs(np.corrcoef(factors[0][some], factors[1][some])[0, 1]) < 0.03  # one true amount does not tell the other


def test_special_diagnoses_leave_and_others_are_categories():
    assert TABLES["health-insurance"]()["diagnosis"].str.contains(SPECIAL).sum() > 100
    diagnosis = masked("health-insurance")[0]["diagnosis"]
    assert not diagnosis.str.contains(SPECIAL).any()
    assert diagnosis.str.len_chars().unique().to_list() == [3]
    assert not masked("hospital-visits")[0]["diagnosis"].is_in(["F", "B"]).any()


@pytest.mark.parametrize("name", ["population", "health-insurance", "social-security"])
def test_ages_keep_their_distribution(name):
    at, top = (np.datetime64("2025-06-30"), 60) if name == "social-security" else (np.datetime64("2025-12-31"), 80)
    born = eligible(name)["birth_date"].to_numpy().astype("datetime64[D]")
    months = at.astype("datetime64[M]").astype(int) - born.astype("datetime64[M]").astype(int)
    day = (born - born.astype("datetime64[M]")).astype(int) + 1
    ages = (months - (day > int(str(at)[-2:]))) // 12
    bands = pl.Series(np.where(ages >= top, f">={top}", [f"[{age // 10 * 10},{age // 10 * 10 + 10})" for age in ages]))
    assert distance(bands, masked(name)[0]["birth_date"]) < 0.02


@pytest.mark.parametrize(
    ("name", "column", "edge"),
    [("education", "performance", 0.01), ("hotline-12345", "satisfaction", 0.01), ("enterprises", "status", 0.01)],
)
def test_kept_columns_keep_their_distribution(name, column, edge):
    assert distance(TABLES[name]()[column], masked(name)[0][column]) < edge


def test_bands_of_contribution_bases_keep_their_distribution():
    edges = [5000, 7000, 10000, 15000]
    labels = ["<5000", "[5000,7000)", "[7000,10000)", "[10000,15000)", ">=15000"]
    bands = TABLES["social-security"]()["base"].cut(edges, labels=labels, left_closed=True).cast(pl.String)
    assert distance(bands, masked("social-security")[0]["base"]) < 0.02


def test_industries_keep_their_distribution():
    assert distance(TABLES["enterprises"]()["industry"].str.slice(0, 1), masked("enterprises")[0]["industry"]) < 0.02
    assert masked("enterprises")[0]["employees"].max() == 300
    assert masked("enterprises")[0]["address"].unique().sort().to_list() == [
        "湖南省株洲市",
        "湖南省湘潭市",
        "湖南省长沙市",
    ]


def distance(left: pl.Series, right: pl.Series) -> float:
    """Total variation: the largest change of the share of any set of values."""
    shares = [
        side.alias("value").value_counts(name="n").select("value", pl.col("n") / len(side)) for side in (left, right)
    ]
    both = shares[0].join(shares[1], on="value", how="full", coalesce=True).fill_null(0)
    return float((both["n"] - both["n_right"]).abs().sum() / 2)


def test_minors_are_stricter():
    schools = masked("education")[0].group_by("grade").agg(pl.col("division").unique())
    places = {grade: set(codes) for grade, codes in schools.iter_rows()}
    assert places["小学低年级"] == places["小学高年级"] == {"430100"}
    assert len(places["高中"]) > 5
    married = masked("population")[0]
    assert set(married.filter(pl.col("birth_date") == "[20,30)")["marital"]) <= {"未婚", "有配偶", "离婚或丧偶"}
    children = TABLES["population"]().filter(pl.col("birth_date") >= pl.date(2012, 1, 1))
    assert children.height > 1_000
    assert married.height <= TABLES["population"]().height - children.height


# Cells.


def test_hospital_cells_when_counted_again():
    raw = eligible("hospital-visits").with_columns(
        pl.col("diagnosis").str.slice(0, 1),
        pl.when(pl.col("days").is_between(0, 120)).then(pl.col("days")).alias("days"),
        age_band("birth_date", 20, 80),
    )
    compare_cells("hospital-visits", raw, "persons", {"mean_days": "days", "mean_cost": "cost"})
    assert (raw["days"] > 60).mean() < 1 / 200
    assert (TABLES["hospital-visits"]()["cost"] > 100_000).mean() < 1 / 200
    assert not set(masked("hospital-visits")[0]["mean_days"]) <= {0.0}


def test_transport_cells_when_counted_again():
    hour, step = pl.col("hour"), 0.05
    low = (hour - 6) // 2 * 2 + 6
    raw = TABLES["transport"]().with_columns(
        ((pl.col("latitude") / step).floor() * step + step / 2).round(3).alias("latitude"),
        ((pl.col("longitude") / step).floor() * step + step / 2).round(3).alias("longitude"),
        pl.when(hour < 6).then(pl.lit("<6")).when(hour >= 22).then(pl.lit(">=22"))
        .otherwise(pl.format("[{},{})", low, low + 2)).alias("hour"),
    )  # fmt: skip
    compare_cells("transport", raw, "passengers", {"mean_fare": "fare"})
    hours = masked("transport")[0].group_by("hour").agg(pl.col("passengers").sum()).sort("passengers")["hour"]
    assert set(hours.to_list()[-4:]) == {"[6,8)", "[8,10)", "[16,18)", "[18,20)"}  # the rush hours stay legible


def age_band(column: str, width: int, top: int) -> pl.Expr:
    born = pl.col(column)
    age = 2025 - born.dt.year()  # on the last day of the year
    low = age // width * width
    banded = pl.format("[{},{})", low, low + width)
    return pl.when(age >= top).then(pl.lit(f">={top}")).otherwise(banded).alias(column)


def compare_cells(name: str, raw: pl.DataFrame, count: str, means: dict[str, str]) -> None:
    """Exactly the cells with enough persons are shown; counts are rounded, means are those of persons."""
    rules, unit, shown = policy(name).aggregate, policy(name).unit, masked(name)[0]
    assert rules is not None
    clamped = [pl.col(column).clip(*rules.clamp[column]) for column in means.values()]
    persons = (
        raw.with_columns(clamped).group_by(*rules.by, unit).agg(pl.col(column).mean() for column in means.values())
    )
    columns = [pl.col(column).mean() for column in means.values()]
    behind = pl.min_horizontal(pl.len(), *(pl.col(column).count() for column in means.values())).alias("behind")
    cells = persons.group_by(rules.by).agg(pl.len().alias("n"), behind, *columns)
    both = shown.join(cells, on=rules.by)
    assert both.height == shown.height == cells.filter(pl.col("behind") >= rules.threshold).height > 50
    assert cells.height - shown.height > 10  # some are hidden
    assert (both[count] % rules.rounding).max() == 0
    assert (both[count] - both["n"]).abs().max() <= rules.rounding / 2
    for measure, column in means.items():
        assert both[measure].to_list() == pytest.approx(both[column].to_list(), rel=0.005)
    assert shown[count].sum() > 0.85 * cells["n"].sum()


# Free text.


def test_hotline_texts_keep_no_number():
    raw, table = TABLES["hotline-12345"](), masked("hotline-12345")[0]
    number = r"(?:1[3-9][0-9]{9}|[0-9]{17}[0-9Xx]|[0-9]{16}|[\w.]+@[\w.]+|[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵青藏宁琼]Z[A-Z0-9]{5})"
    for column in ("content", "reply"):
        spelled = raw[column].str.replace_all(" ", "")
        assert spelled.str.contains(number).mean() > 0.4
        left = table[column].str.replace_all(TOKEN, "").str.replace_all(" ", "")
        assert not left.str.contains(number).any()
    assert table["content"].str.contains("<PHONE:[0-9a-f]{16}>").mean() > 0.6
    assert table["reply"].str.contains("<PHONE>").mean() > 0.4
    for name in ("LICENSE_PLATE", "ID_CARD", "BANK_CARD", "EMAIL", "PERSON"):
        assert table["content"].str.contains(f"<{name}:[0-9a-f]{{16}}>").any()


def test_hotline_tokens_count_what_is_mentioned_again():
    texts = pl.Series(["多次接到13800000000的骚扰电话", "又接到138 0000 0000的骚扰电话", "接到13900000000的骚扰电话"])
    some = TABLES["hotline-12345"]().head(3).with_columns(texts.alias("content"))
    first, again, other = unlimited("hotline-12345", some)["content"].str.extract("<PHONE:([0-9a-f]{16})>")
    assert first == again != other
    assert other is not None


def test_hotline_hours_stay_close():
    raw, table = TABLES["hotline-12345"](), masked("hotline-12345")[0]
    assert table["hours"].mean() == pytest.approx(raw["hours"].mean(), rel=0.02)
    assert table["hours"].min() >= 0
    assert masked("hotline-12345")[1].rows_out == table.height


# The made tables.


def test_tables_are_plausible():
    settled, taps, pupils = TABLES["health-insurance"](), TABLES["transport"](), TABLES["education"]()
    assert (settled["total_cost"] - settled["fund_paid"] - settled["self_paid"]).abs().max() < 0.005
    stays = settled.filter(pl.col("medical_type") == "普通住院")
    days = (stays["discharge_date"] - stays["admission_date"]).dt.total_days()
    assert 6 < days.median() < 10
    outpatient = settled.filter(pl.col("medical_type") != "普通住院")
    assert 5_000 < stays["total_cost"].median() < 10_000
    assert 120 < outpatient["total_cost"].median() < 250
    rush = taps["hour"].is_in([7, 8, 17, 18]).mean()
    assert 0.45 < rush < 0.65
    age = 2025 - pupils["birth_date"].dt.year() - (pupils["birth_date"].dt.month() >= 9).cast(int)
    on_time = (age - pupils["grade"]).value_counts(name="n").sort("n")
    assert on_time.row(-1)[0] == 5  # six in grade one
    assert set(age - pupils["grade"]) == {5, 6}
    bases = TABLES["social-security"]()["base"]
    assert bases.min() == 4_200
    assert bases.max() <= 21_000
    people = TABLES["population"]()
    seniors = (people["birth_date"].dt.year() < 1966).mean()
    assert 0.17 < seniors < 0.22
    traders = (TABLES["enterprises"]()["kind"] == "个体工商户").mean()
    assert 0.6 < traders < 0.7
