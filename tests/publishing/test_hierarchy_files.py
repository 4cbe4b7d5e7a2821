"""Policies that name a hierarchy's file: saved, tried and published with what the file said at saving."""

import os
import shutil
from pathlib import Path

import polars as pl
import pytest

import masking
from masking.errors import InvalidParameter, PolicyError
from masking.policy import load
from masking.taxonomy import OpeningClass
from opendata.catalog.models import Dataset
from opendata.publishing import service as publishing
from opendata.publishing.errors import InvalidSubmission
from opendata.publishing.hierarchy_files import MOST_BYTES, Sources
from opendata.publishing.hierarchy_files import written_out as written_out_from
from opendata.publishing.models import PolicyVersion
from opendata.publishing.rawdoor import preview
from opendata.storage.rawdoor import RawDoorContext
from tests.masking.sectors.tables import TABLES
from tests.publishing.chain import survey_policy

POLICIES = Path(__file__).resolve().parents[2] / "policies"


def written_out(yaml, folder):
    return written_out_from(yaml, Sources(folder))


def naming(name):
    """The survey's policy with this file as the hierarchy of sexes."""
    return survey_policy().replace(
        "sex: {role: quasi_identifier, technique: keep",
        f'sex: {{role: quasi_identifier, technique: generalization.hierarchy, file: "{name}"',
    )


@pytest.fixture
def folder(tmp_path):
    """A policies' folder with one good file and every way out of it."""
    inside, outside = tmp_path / "policies", tmp_path / "outside"
    (inside / "sectors" / "deep").mkdir(parents=True)
    outside.mkdir()
    for place in (inside / "good.csv", inside / "sectors" / "sector.csv", outside / "secret.csv"):
        place.write_text("男;人\n女;人\n")
    (inside / "link.csv").symlink_to(outside / "secret.csv")
    (inside / "inner.csv").symlink_to(inside / "good.csv")
    (inside / "linked").symlink_to(outside)
    (inside / "folder.csv").mkdir()
    (inside / "grades.yaml").write_text("secret: 1\n")
    os.mkfifo(inside / "fifo.csv")
    (inside / "long.csv").write_bytes(b"x;y\n" * (MOST_BYTES // 4 + 1))
    return inside


@pytest.mark.parametrize("name", ["good.csv", "sector.csv", "sectors/sector.csv", "./good.csv"])
def test_a_file_of_the_folder_is_written_into_the_policy(folder, name):
    assert load(written_out(naming(name), folder)).attributes["sex"].parameters == {
        "mapping": {"男": ["人"], "女": ["人"]}
    }


@pytest.mark.parametrize(
    "name",
    [
        "../outside/secret.csv",
        "sectors/../../outside/secret.csv",
        "sectors/../good.csv",
        "ABSOLUTE",
        "link.csv",
        "inner.csv",
        "linked/secret.csv",
        "folder.csv",
        "fifo.csv",
        "grades.yaml",
        "good.csv/",
        "good.csv\\0.csv",
        "none.csv",
        "deep",
        ".csv",
        "long.csv",
    ],
)
def test_no_other_file_can_be_named(folder, name):
    named = str(folder.parent / "outside" / "secret.csv") if name == "ABSOLUTE" else name
    with pytest.raises((InvalidSubmission, PolicyError)) as refused:
        written_out(naming(named), folder)
    assert "人" not in getattr(refused.value, "reason", {}).get("zh", str(refused.value)).replace("人口", "")


def test_without_a_folder_no_file_can_be_named():
    with pytest.raises(InvalidSubmission):
        written_out(naming("good.csv"), None)
    assert written_out(survey_policy(), None) == survey_policy()


def test_a_file_that_is_no_hierarchy_is_refused_without_its_text(folder):
    (folder / "good.csv").write_bytes(b"\xff\xfe secret")
    with pytest.raises(InvalidParameter, match=r"attribute 'sex': the hierarchy file 'good.csv', line 1: not UTF-8"):
        written_out(naming("good.csv"), folder)


def test_a_sector_policy_is_saved_tried_built_and_published_as_its_file_was(chain, tmp_path):
    policies = tmp_path / "policies"
    shutil.copytree(POLICIES, policies)
    table = TABLES["population"]()
    yaml = (policies / "sectors" / "population.yaml").read_text("utf-8")
    content = table.write_csv().encode()
    dataset = chain.dataset("population")
    intake = chain.upload(dataset, "population.csv", content)
    with chain.database.begin() as session:
        version = publishing.save_policy(
            session, session.get_one(Dataset, dataset), yaml=yaml, actor=chain.people["officer"], files=policies
        ).id
    saved = chain.get(PolicyVersion, version)
    assert "education.csv" not in saved.yaml
    # What the file says later changes nothing of what was saved.
    (policies / "sectors" / "education.csv").write_text("10;不可见\n")
    resources = chain.resources
    door = RawDoorContext(resources.settings, resources.database, resources.vault, resources.keys)
    question = {"intake_id": intake, "purpose": "核对脱敏效果", "policy_yaml": saved.yaml}
    tried = preview(door, chain.people["officer"], question).body
    edition = chain.build(intake, version, OpeningClass.CONDITIONAL)
    chain.publish(edition)
    shown = pl.read_parquet(chain.file(edition, "parquet"))
    assert chain.edition(edition).state == "published"
    expected = masking.apply(
        POLICIES / "sectors" / "population.yaml", table, keys={"people-2025": bytes(range(32))}
    ).table
    assert set(shown["education"]) <= set(expected["education"])
    assert len(set(shown["education"])) > 1
    place = tried["after_columns"].index("education")
    assert {row[place] for row in tried["after"]} <= set(expected["education"]) | {None}


def test_the_raw_door_reads_no_file(chain):
    from tests.publishing.chain import survey_csv

    intake = chain.upload(chain.dataset("survey"), "survey.csv", survey_csv(30))
    resources = chain.resources
    door = RawDoorContext(resources.settings, resources.database, resources.vault, resources.keys)
    question = {"intake_id": intake, "purpose": "核对脱敏效果", "policy_yaml": naming("sectors/education.csv")}
    with pytest.raises(InvalidParameter, match="only next to a policy file"):
        preview(door, chain.people["officer"], question)
