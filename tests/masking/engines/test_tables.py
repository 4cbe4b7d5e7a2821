"""Several tables in one policy: joins hold, foreign keys must be masked alike, all or nothing."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from masking.detection.invented import resident_ids
from masking.engines.tables import apply, apply_folder, files_of, references
from masking.errors import BadFile, Cancelled, InvalidValue, KeyMissing, LimitsNotMet, MaskingError, PolicyError
from masking.keys import MappingKeys
from masking.policy import check_set, load_set

POLICY = """version: 1
dataset: hospital
key_domains:
  people: {joins: [id, patient], period: 2026-03, datasets: [hospital]}
tables:
  patients:
    unit: id
    attributes:
      id: {role: direct_identifier, technique: pseudonymization.resident_id, key: people}
      born: {role: quasi_identifier, technique: generalization.bands, width: 10}
    limits: {k_anonymity: 5, suppression: 0.1}
  visits:
    unit: patient
    attributes:
      patient: {role: direct_identifier, technique: pseudonymization.resident_id, key: people}
      cost: {role: sensitive, technique: generalization.rounding, base: 10}
foreign_keys:
  - {from: visits.patient, to: patients.id}
"""
KEYS = {"people": b"k" * 32}


@pytest.fixture(scope="module")
def tables():
    random = np.random.default_rng(4)
    born = random.integers(1950, 2000, 500)
    born[:2] = 1890  # two persons alone in their band: they leave
    ids = np.array(resident_ids(born, born % 2 == 0, seed=1))
    chosen = np.concatenate([[0, 0, 1], random.integers(2, 500, 1500)])
    stray = resident_ids([1970] * 3, [True] * 3, seed=99)
    visits = np.concatenate([ids[chosen], stray])
    return {
        "patients": pa.table({"id": ids.tolist(), "born": born}),
        "visits": pa.table({"patient": visits.tolist(), "cost": random.integers(0, 900, len(visits))}),
    }


def joined(tables):
    patients, visits = (pl.from_arrow(tables[name]) for name in ("patients", "visits"))
    return visits.join(patients, left_on="patient", right_on="id").sort("cost", "born")


def test_joins_hold_after_masking(tables):
    masked = {name: each.table for name, each in apply(POLICY, tables, KEYS).items()}
    raw = joined(tables).filter(pl.col("born") > 1900)
    after = joined(masked)
    assert after.height == raw.height == 1500
    assert not set(masked["visits"]["patient"].to_pylist()) & set(tables["visits"]["patient"].to_pylist())
    pairs = raw.group_by("patient").len().sort("len")["len"].to_list()
    assert after.group_by("patient").len().sort("len")["len"].to_list() == pairs
    polars = apply(load_set(POLICY), {name: pl.from_arrow(table) for name, table in tables.items()}, KEYS)
    assert isinstance(polars["visits"].table, pl.DataFrame)
    assert polars["visits"].table.to_arrow().cast(masked["visits"].schema) == masked["visits"]
    assert polars["patients"].report.suppressed == 2
    assert polars["visits"].report.rows_in == 1500  # six refer to who is not there


def test_dangling_references_are_counted(tables):
    (before,) = references(load_set(POLICY), {name: table.to_reader for name, table in tables.items()})
    assert (before.references, before.dangling) == (1506, 3)


def test_records_follow_those_they_refer_to(tables):
    """A reference to nothing would say that a record left; limits are counted over what is left then."""
    masked = {name: each.table.to_reader for name, each in apply(POLICY, tables, KEYS).items()}
    assert references(load_set(POLICY), masked)[0].dangling == 0
    sampled = POLICY.replace("    unit: id\n", "    unit: id\n    sample: {share: 0.3, key: people}\n")
    few = apply(sampled.replace("k_anonymity: 5", "k_anonymity: 2"), tables, KEYS)
    patients, visits = set(few["patients"].table["id"].to_pylist()), few["visits"].table["patient"].to_pylist()
    assert 0.2 < len(patients) / 500 < 0.4
    assert patients >= set(visits)
    assert 0.2 < len(visits) / 1506 < 0.4
    with_nulls = pa.table({"patient": [None, *tables["visits"]["patient"].to_pylist()], "cost": [*range(1507)]})
    kept = apply(POLICY, {**tables, "visits": with_nulls}, KEYS)["visits"].table
    assert kept["patient"].null_count == 1  # refers to nothing, so nothing is missing


def test_tables_that_refer_to_each_other_have_no_order():
    with pytest.raises(PolicyError, match="in a circle"):
        check_set(load_set(POLICY + "  - {from: patients.id, to: visits.patient}\n"))


def test_a_value_outside_the_format_is_told_by_its_record(tables):
    visits = tables["visits"].slice(0, 10)
    wrong = pa.concat_tables([visits, pa.table({"patient": ["CANARY"], "cost": [1]})])
    with pytest.raises(InvalidValue) as caught:
        apply(POLICY, {**tables, "visits": wrong}, KEYS)
    assert "CANARY" not in str(caught.value)
    assert (caught.value.attribute, caught.value.first_rows) == ("patient", (10,))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("keyed: 0", ""), "table.column"),
        (
            ("      patient: {role: direct_identifier, technique: pseudonymization.resident_id",
             "      patient: {role: direct_identifier, technique: pseudonymization.keyed"),
            "technique (pseudonymization.keyed and pseudonymization.resident_id)",
        ),
        (
            ("      patient: {role: direct_identifier, technique: pseudonymization.resident_id, ",
             "      patient: {role: direct_identifier, technique: pseudonymization.resident_id, keep: [gender], "),
            "keep (['gender'] and [])",
        ),
        (("joins: [id, patient]", "joins: [id]"), "`joins` of 'people' must name both 'patient' and 'id'"),
        (("joins: [id, patient]", "joins: [id, pateint]"), "did you mean 'patient'"),
        (("datasets: [hospital]", "datasets: [other]"), "'hospital' may not use it"),
        (("visits.patient, to", "visits.patent, to"), "did you mean 'patient'"),
        (("visits.patient, to", "visit.patient, to"), "did you mean 'visits'"),
        ((" id: {role: direct_identifier, technique: pseudonymization.resident_id, key: people}",
          " id: {role: direct_identifier, technique: suppression.drop}"), "it is dropped"),
        (("technique: generalization.rounding, base: 10", "technique: generalization.rounding, base: 0"), "table 'visits'"),
        (("visits.patient, to: patients.id", "visits.cost, to: patients.id"), "does not give each value one of its own"),
    ],
)  # fmt: skip
def test_keys_must_be_masked_alike(change, words):
    old, new = change
    if old == "keyed: 0":
        old, new = "visits.patient, to", "patient, to"
    with pytest.raises(PolicyError) as caught:
        check_set(load_set(POLICY.replace(old, new)))
    assert words in str(caught.value)
    if "foreign_keys" in str(caught.value):
        assert caught.value.line == 18


@pytest.mark.parametrize(
    ("technique", "words"),
    [
        ("pseudonymization.surrogate, kind: person, key: people", "different values may become equal"),
        ("pseudonymization.sequence, key: people", "other records of its table"),
        ("cryptographic.aes_gcm, key: people", "does not give each value"),
    ],
)
def test_what_does_not_join_is_no_key(technique, words):
    text = POLICY.replace("pseudonymization.resident_id, key: people", technique)
    text = text.replace("    unit: id\n", "    unit: id\n    record: [id]\n")
    text = text.replace("    unit: patient\n", "    unit: patient\n    record: [patient]\n")
    with pytest.raises(PolicyError, match=words):
        check_set(load_set(text))


def test_a_key_that_is_missing_is_known_before_a_record_is_read(tables):
    def unread():
        raise AssertionError("a record was read")
        yield

    readers = {name: pa.RecordBatchReader.from_batches(table.schema, unread()) for name, table in tables.items()}
    with pytest.raises(KeyMissing, match="people"):
        apply(POLICY, readers, {})


def test_tables_and_policies_have_the_same_names(tables):
    with pytest.raises(PolicyError, match="'more'"):
        apply(POLICY, {**tables, "more": tables["visits"]}, KEYS)
    with pytest.raises(PolicyError, match="'visits'"):
        apply(POLICY, {"patients": tables["patients"]}, KEYS)


@pytest.fixture
def folder(tables, tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    pq.write_table(tables["patients"], raw / "patients.parquet")
    pl.from_arrow(tables["visits"]).write_csv(raw / "visits.csv")
    (raw / "README.md").write_text("no table")
    return raw


def test_a_folder_is_masked_as_a_whole(folder, tmp_path):
    seen = []
    done = apply_folder(
        load_set(POLICY), folder, tmp_path / "out", MappingKeys(KEYS), progress=lambda *told: seen.append(told)
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["patients.parquet", "visits.csv"]
    assert done.reports["patients"].rows_out == 498
    assert (done.before[0].dangling, done.after[0].dangling) == (3, 0)
    assert done.followed == {"patients": 0, "visits": 6}
    assert {(table, stage) for table, stage, _ in seen} >= {("patients", "measure"), ("visits", "write")}
    assert set(done.to_dict()["tables"]) == {"patients", "visits"}
    masked = {"patients": pl.read_parquet(tmp_path / "out" / "patients.parquet").to_arrow()}
    masked["visits"] = pl.read_csv(tmp_path / "out" / "visits.csv", schema_overrides={"patient": pl.String}).to_arrow()
    assert joined(masked).height == 1500


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda raw: (raw / "visits.csv").write_text("patient,cost\n1,2,3\n"), BadFile),  # the second table
        (lambda raw: (raw / "visits.csv").write_text("patient,cost\n123,2\n"), MaskingError),
        (lambda raw: (raw / "more.csv").write_text("a\n1\n"), PolicyError),
        (lambda raw: (raw / "visits.csv").unlink(), PolicyError),
        (lambda raw: (raw / "visits.jsonl").write_text("{}\n"), BadFile),
    ],
)
def test_one_bad_table_leaves_nothing(folder, tmp_path, change, error):
    change(folder)
    with pytest.raises(error):
        apply_folder(load_set(POLICY), folder, tmp_path / "out", MappingKeys(KEYS))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


def test_limits_of_one_table_stop_all(folder, tmp_path):
    with pytest.raises(LimitsNotMet):
        apply_folder(
            load_set(POLICY.replace("suppression: 0.1", "suppression: 0.001")),
            folder,
            tmp_path / "out",
            MappingKeys(KEYS),
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


def test_cancelling_leaves_nothing(folder, tmp_path):
    asked = iter([False] + [True] * 1000)
    with pytest.raises(Cancelled):
        apply_folder(load_set(POLICY), folder, tmp_path / "out", MappingKeys(KEYS), cancelled=lambda: next(asked))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


def test_nothing_is_overwritten(folder, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(BadFile, match="there already"):
        apply_folder(load_set(POLICY), folder, tmp_path / "out", MappingKeys(KEYS))
    with pytest.raises(BadFile, match="no folder"):
        files_of(load_set(POLICY), tmp_path / "none")


def test_masking_apply_takes_several_tables():
    import masking

    policies = """version: 1
dataset: clinic
tables:
  patients:
    attributes: {id: {role: direct_identifier, technique: pseudonymization.keyed, key: k}}
  visits:
    attributes: {patient: {role: direct_identifier, technique: pseudonymization.keyed, key: k}}
foreign_keys: [{from: visits.patient, to: patients.id}]
"""
    import pandas as pd

    done = masking.apply(
        policies,
        {"patients": pd.DataFrame({"id": ["a", "b"]}), "visits": pd.DataFrame({"patient": ["b", "b", "a"]})},
        {"k": b"k" * 32},
    )
    assert isinstance(done["visits"].table, pd.DataFrame)
    assert set(done["visits"].table["patient"]) == set(done["patients"].table["id"])
