"""Hierarchies that officers upload: whose they are, how a policy takes them over, and that it keeps what it took."""

import hashlib
import json

import polars as pl
import pytest
from sqlalchemy import select

import masking
from masking.errors import InvalidParameter
from masking.policy import load
from masking.taxonomy import OpeningClass
from opendata.catalog.models import Dataset
from opendata.errors import NotFoundError
from opendata.ledger.models import LedgerEntry, LedgerOpening
from opendata.publishing import curves, hierarchies
from opendata.publishing import service as publishing
from opendata.publishing.errors import InvalidSubmission, PublishingDenied
from opendata.publishing.hierarchy_files import MOST_BYTES
from opendata.publishing.models import HierarchyFile, Intake, PolicyVersion

PEOPLE = "男;人\n女;人\n".encode()
PERSONS = "男;个人\n女;个人\n".encode()
POLICY = """version: 1
dataset: survey
level: L3
attributes:
  person: {role: direct_identifier, technique: suppression.drop, reason: 虚构}
  phone: {role: direct_identifier, technique: suppression.drop, reason: 虚构}
  age: {role: quasi_identifier, technique: generalization.bands, width: 20, lower: 0, upper: 100, reason: 年龄}
  sex: {role: quasi_identifier, technique: TECHNIQUE, reason: 性别}
  score: {role: sensitive, technique: keep, reason: 调查结果}
"""
FIXED = POLICY.replace("TECHNIQUE", 'generalization.hierarchy, file: "sexes.csv"')


@pytest.fixture
def dataset(chain):
    return chain.dataset("survey")


def upload(chain, dataset, content=PEOPLE, *, name="sexes.csv", who="officer"):
    with chain.database.begin() as session:
        owner = session.get_one(Dataset, dataset)
        return hierarchies.upload(session, owner, name=name, content=content, actor=chain.people[who])


def remove(chain, dataset, *, name="sexes.csv", who="officer"):
    with chain.database.begin() as session:
        hierarchies.remove(session, session.get_one(Dataset, dataset), name, actor=chain.people[who])


def names(chain, dataset):
    with chain.database.session() as session:
        return [(each.name, each.number) for each in hierarchies.files_of(session, session.get_one(Dataset, dataset))]


def events(chain, *wanted):
    """Type and contents of what was recorded."""
    wanted = wanted or (hierarchies.UPLOADED, hierarchies.REMOVED)
    chosen = select(LedgerEntry.type, LedgerOpening.payload).join(
        LedgerOpening, LedgerOpening.index == LedgerEntry.index
    )
    with chain.database.session() as session:
        found = session.execute(chosen.where(LedgerEntry.type.in_(wanted)).order_by(LedgerEntry.index)).all()
    return [(type_, json.loads(payload)["payload"]) for type_, payload in found]


def test_an_upload_is_kept_with_its_digest_and_recorded_without_its_text(chain, dataset):
    file = upload(chain, dataset)
    assert (file.number, file.entries, file.levels) == (1, 2, 2)
    assert file.sha256 == hashlib.sha256(PEOPLE).hexdigest()
    ((_, payload),) = events(chain)
    assert (payload["sha256"], payload["entries"]) == (file.sha256, 2)
    assert "人" not in str(payload)


def test_the_same_bytes_again_change_nothing_and_others_are_the_next_version(chain, dataset):
    first = upload(chain, dataset)
    assert upload(chain, dataset).id == first.id
    assert len(events(chain)) == 1
    assert upload(chain, dataset, PERSONS).number == 2
    assert names(chain, dataset) == [("sexes.csv", 2)]


def test_what_was_removed_cannot_be_named_and_is_erased(chain, dataset):
    upload(chain, dataset)
    upload(chain, dataset, PERSONS)
    remove(chain, dataset)
    assert names(chain, dataset) == []
    with chain.database.session() as session:
        assert [each.content for each in session.scalars(select(HierarchyFile))] == [None, None]
    with pytest.raises(InvalidSubmission):
        chain.policy(dataset, FIXED)
    with pytest.raises(NotFoundError):
        remove(chain, dataset)
    assert [type_ for type_, _ in events(chain)] == [hierarchies.UPLOADED, hierarchies.UPLOADED, hierarchies.REMOVED]
    assert upload(chain, dataset).number == 3


@pytest.mark.parametrize("who", ["other_officer", "reviewer", "firm", "auditor"])
def test_only_officers_of_the_department_upload_and_remove(chain, dataset, who):
    with pytest.raises(PublishingDenied):
        upload(chain, dataset, who=who)
    upload(chain, dataset)
    with pytest.raises(PublishingDenied):
        remove(chain, dataset, who=who)
    assert names(chain, dataset) == [("sexes.csv", 1)]


@pytest.mark.parametrize("name", ["sexes.txt", ".csv/", "a/b.csv", "a\\b.csv", "a\nb.csv", "x" * 97 + ".csv", ""])
def test_names_that_are_refused(chain, dataset, name):
    with pytest.raises(InvalidSubmission):
        upload(chain, dataset, name=name)


def test_a_file_is_checked_before_it_is_kept(chain, dataset):
    with pytest.raises(InvalidParameter, match="line 2: a hole at level 1"):
        upload(chain, dataset, "男;人\n女;\n".encode())
    with pytest.raises(InvalidSubmission):
        upload(chain, dataset, b"a;b\n" * (MOST_BYTES // 4 + 1))
    assert names(chain, dataset) == []
    assert events(chain) == []


def test_there_is_an_end_to_the_number_of_files(chain, dataset, monkeypatch):
    monkeypatch.setattr(hierarchies, "MOST_FILES", 2)
    upload(chain, dataset, name="a.csv")
    upload(chain, dataset, name="b.csv")
    with pytest.raises(InvalidSubmission):
        upload(chain, dataset, name="c.csv")
    assert upload(chain, dataset, PERSONS, name="b.csv").number == 2


def test_files_of_another_dataset_cannot_be_named(chain, dataset):
    upload(chain, chain.dataset("another"))
    with pytest.raises(InvalidSubmission):
        chain.policy(dataset, FIXED)
    upload(chain, dataset)
    assert chain.policy(dataset, FIXED)


def test_a_policy_keeps_the_rows_and_the_digest_of_the_file_that_it_named(chain, dataset):
    file = upload(chain, dataset)
    saved = chain.get(PolicyVersion, chain.policy(dataset, FIXED))
    assert load(saved.yaml).attributes["sex"].parameters == {"mapping": {"男": ["人"], "女": ["人"]}}
    (pin,) = saved.hierarchies
    assert (pin["attribute"], pin["name"], pin["sha256"]) == ("sex", "sexes.csv", file.sha256)
    assert (pin["entries"], pin["levels"]) == (2, 2)
    ((_, payload),) = events(chain, "publishing:policy:save")
    assert payload["hierarchies"] == [file.sha256]


def test_the_next_version_knows_where_its_rows_came_from_also_when_the_file_is_gone(chain, dataset):
    file = upload(chain, dataset)
    saved = chain.get(PolicyVersion, chain.policy(dataset, FIXED))
    remove(chain, dataset)
    again = chain.get(PolicyVersion, chain.policy(dataset, saved.yaml.replace("性别", "登记性别")))
    assert again.hierarchies == saved.hierarchies
    assert again.hierarchies[0]["sha256"] == file.sha256
    by_hand = chain.get(PolicyVersion, chain.policy(dataset, saved.yaml.replace('"人"', '"人们"')))
    assert by_hand.hierarchies == []


def test_the_named_file_counts_before_one_of_the_service_with_its_name(chain, dataset, tmp_path):
    (tmp_path / "sexes.csv").write_bytes(PERSONS)
    with chain.database.begin() as session:
        owner = session.get_one(Dataset, dataset)
        options = {"yaml": FIXED, "actor": chain.people["officer"], "files": tmp_path}
        of_service = publishing.save_policy(session, owner, **options)
        assert of_service.hierarchies[0]["sha256"] == hashlib.sha256(PERSONS).hexdigest()
        hierarchies.upload(session, owner, name="sexes.csv", content=PEOPLE, actor=chain.people["officer"])
        own = publishing.save_policy(session, owner, **options)
        assert own.hierarchies[0]["sha256"] == hashlib.sha256(PEOPLE).hexdigest()


def test_an_edition_is_made_from_what_the_file_said_when_the_policy_was_saved(chain, dataset):
    from tests.publishing.chain import survey_csv

    content = survey_csv(200)
    intake = chain.upload(dataset, "survey.csv", content)
    upload(chain, dataset)
    version = chain.policy(dataset, FIXED)
    upload(chain, dataset, PERSONS)
    edition = chain.build(intake, version, OpeningClass.CONDITIONAL)
    remove(chain, dataset)
    again = chain.build(intake, version, OpeningClass.CONDITIONAL)
    for each in (edition, again):
        made = chain.edition(each)
        assert made.state == "draft", made.error
        staged = pl.read_parquet(chain.resources.editions.staged(each) / "survey.parquet")
        assert set(staged["sex"]) == {"人"}
        assert "男" not in str(made.public_report)
        (sex,) = (item for item in made.public_report["attributes"] if item["name"] == "sex")
        assert sex["parameters"] == {"mapping": {"entries": 2}}
    assert chain.edition(edition).table_digest == chain.edition(again).table_digest
    expected = masking.apply(
        chain.get(PolicyVersion, version).yaml,
        pl.read_csv(content.decode("gb18030").encode(), schema_overrides={"person": pl.String, "phone": pl.String}),
    ).table
    assert sorted(expected["sex"]) == sorted(staged["sex"])


def test_a_curve_goes_up_the_uploaded_hierarchy_and_its_plan_keeps_the_digest(chain, dataset):
    from tests.publishing.chain import survey_csv

    intake = chain.upload(dataset, "survey.csv", survey_csv(200))
    file = upload(chain, dataset)
    chain.policy(dataset, POLICY.replace("TECHNIQUE", "generalization.hierarchy, level: 1, file: sexes.csv"))
    remove(chain, dataset)
    officer = chain.people["officer"]
    with chain.database.begin() as session:
        _, job = curves.start(session, session.get_one(Intake, intake), actor=officer)
    chain.run(job.id)
    with chain.database.begin() as session:
        found = curves.of_intake(session, session.get_one(Intake, intake))
        assert found.state == "ready", found.error
        picked = curves.pick(session, session.get_one(Intake, intake), found.points[0]["number"], actor=officer)
        assert [(each["attribute"], each["sha256"]) for each in picked.hierarchies] == [("sex", file.sha256)]
