"""The chain from upload to download, in one process."""

import json

import pytest
from sqlalchemy import select, text

from masking.errors import UnknownAttribute
from masking.taxonomy import OpeningClass
from opendata.access.door import open_edition
from opendata.access.errors import AccessDenied
from opendata.catalog.models import Dataset, InformationItem, RecipientLine
from opendata.catalog.service import items_of
from opendata.db import utc_now
from opendata.errors import NotFoundError, OpenDataError
from opendata.ledger.models import LedgerEntry
from opendata.publishing.errors import PublicationRefused
from opendata.publishing.models import Exposure
from opendata.publishing.verify import Verdict, verify_offline, verify_path
from tests.publishing.chain import FLIGHTS, PLACES, flights_csv, places_csv, survey_csv, survey_policy


def published_places(chain):
    dataset = chain.dataset("places")
    intake = chain.upload(dataset, "places.csv", places_csv())
    edition = chain.build(intake, chain.policy(dataset, PLACES), OpeningClass.UNCONDITIONAL)
    chain.publish(edition)
    return dataset, edition


def test_unconditional_from_upload_to_anonymous_download(chain):
    dataset_id, edition_id = published_places(chain)
    edition, dataset = chain.edition(edition_id), chain.get(Dataset, dataset_id)
    assert (edition.state, edition.level, edition.legal_status) == ("published", "L1", "anonymized")
    assert (dataset.state, dataset.current_edition_id, dataset.level) == ("published", edition_id, "L1")
    with chain.database.session() as session:
        opened = open_edition(session, dataset, actor=None, app_key=None, grades=chain.grades, now=utc_now())
        assert [item.name for item in items_of(session, dataset)] == ["code", "name"]
    assert opened.grant is None
    assert {file["format"] for file in opened.files} == {"csv", "parquet", "jsonl", "xlsx"}
    assert chain.file(edition_id, "csv").read_bytes().startswith(b"code,name\n110101001000,")
    with chain.database.session() as session:
        assert verify_path(session, chain.file(edition_id, "csv")).verdict is Verdict.EXACT


def test_receipt_verifies_offline_and_a_flipped_byte_is_found(chain, tmp_path):
    _, edition_id = published_places(chain)
    file = chain.file(edition_id, "csv")
    receipt = file.with_name("receipt.json")
    key = chain.settings.keys_dir / "public" / "release.pub"
    assert verify_offline(file, receipt, key).verdict is Verdict.EXACT
    for format_ in ("parquet", "jsonl", "xlsx"):
        assert verify_offline(chain.file(edition_id, format_), receipt, key).verdict is Verdict.EXACT
    bom = tmp_path / "bom.csv"
    bom.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert verify_offline(bom, receipt, key).verdict is Verdict.SAME_TABLE
    flipped = bytearray(file.read_bytes())
    flipped[-3] ^= 1
    bom.write_bytes(flipped)
    assert verify_offline(bom, receipt, key).verdict is Verdict.NOT_OURS
    document = json.loads(receipt.read_text())
    document["statement"]["rows"] += 1
    changed = tmp_path / "receipt.json"
    changed.write_text(json.dumps(document))
    with pytest.raises(OpenDataError, match="凭证无效"):
        verify_offline(file, changed, key)


def test_unknown_column_in_a_new_intake_stops_publication(chain):
    dataset = chain.dataset("survey")
    intake = chain.upload(dataset, "survey.csv", survey_csv())
    policy = chain.policy(dataset, survey_policy())
    chain.publish(chain.build(intake, policy, OpeningClass.CONDITIONAL))
    again = chain.upload(dataset, "survey.csv", survey_csv(extra="address"))
    with pytest.raises(UnknownAttribute, match="address"):
        chain.start_build(again, policy, OpeningClass.CONDITIONAL)


def test_conditional_needs_effect_and_names_what_is_missing(chain):
    dataset = chain.dataset("survey")
    intake = chain.upload(dataset, "survey.csv", survey_csv())
    assert chain.intake(intake).encoding == "gb18030"
    with pytest.raises(PublicationRefused, match="合法性基础"):
        chain.start_build(intake, chain.policy(dataset, survey_policy()), OpeningClass.CONDITIONAL, legal_basis=" ")
    with pytest.raises(PublicationRefused) as refused:
        chain.start_build(intake, chain.policy(dataset, survey_policy()), OpeningClass.CLOSED)
    assert "个人信息保护法" in refused.value.clause["zh"]
    edition = chain.edition(chain.build(intake, chain.policy(dataset, survey_policy()), OpeningClass.CONDITIONAL))
    assert (edition.state, edition.effect, edition.legal_status) == ("draft", 3, "deidentified")
    assert edition.internal_report["unique_before"] > 0
    assert edition.internal_report["unique_after"] == 0


def test_withdrawal_shuts_the_door_and_keeps_the_digest(chain):
    dataset_id, edition_id = published_places(chain)
    digest = chain.edition(edition_id).digest
    chain.withdraw(edition_id)
    edition, dataset = chain.edition(edition_id), chain.get(Dataset, dataset_id)
    assert (edition.state, edition.digest) == ("withdrawn", digest)
    assert not chain.resources.editions.exists(digest)
    with chain.database.session() as session, pytest.raises(AccessDenied):
        open_edition(session, dataset, actor=None, app_key=None, grades=chain.grades, now=utc_now())


def test_a_new_edition_supersedes_the_earlier_one(chain):
    dataset_id, first = published_places(chain)
    intake = chain.upload(dataset_id, "places.csv", places_csv(310))
    second = chain.build(intake, chain.policy(dataset_id, PLACES), OpeningClass.UNCONDITIONAL)
    chain.publish(second)
    assert (chain.edition(first).state, chain.edition(second).state) == ("superseded", "published")
    assert chain.get(Dataset, dataset_id).current_edition_id == second
    assert chain.count(Exposure, population=dataset_id) == 2


def test_key_of_an_unconditional_edition_is_destroyed_before_signing(chain):
    dataset = chain.dataset("flights")
    intake = chain.upload(dataset, "flights.csv", flights_csv())
    edition_id = chain.build(intake, chain.policy(dataset, FLIGHTS), OpeningClass.UNCONDITIONAL)
    line_id = chain.edition(edition_id).line_id
    assert chain.edition(edition_id).legal_status == "deidentified"
    chain.publish(edition_id)
    edition = chain.edition(edition_id)
    assert (edition.state, edition.legal_status) == ("published", "anonymized")
    assert chain.get(RecipientLine, line_id).destroyed_at is not None
    with pytest.raises(NotFoundError):
        chain.resources.keys.line_key(line_id)
    with chain.database.session() as session:
        types = list(session.scalars(select(LedgerEntry.type).order_by(LedgerEntry.index)))
    assert types.index("publishing:line:destroy") < types.index("publishing:edition:publish")


def test_canaries_stand_in_no_database_row(chain):
    dataset = chain.dataset("survey")
    intake = chain.upload(dataset, "survey.csv", survey_csv())
    chain.publish(chain.build(intake, chain.policy(dataset, survey_policy()), OpeningClass.CONDITIONAL))
    content = survey_csv().decode("gb18030").splitlines()[1:]
    canaries = {cell for line in content for cell in line.split(",")[:2]}
    with chain.database.begin() as session:
        session.execute(text("SELECT 1"))
    for path in chain.settings.home.rglob("*"):
        if path.is_file():
            stored = path.read_bytes()
            assert not [canary for canary in canaries if canary.encode() in stored], path.name


def test_information_items_come_with_the_intake(chain):
    dataset = chain.dataset("survey")
    chain.upload(dataset, "survey.csv", survey_csv())
    with chain.database.session() as session:
        items = session.scalars(select(InformationItem).order_by(InformationItem.position)).all()
    assert [(item.name, item.role) for item in items][:2] == [
        ("person", "direct_identifier"),
        ("phone", "direct_identifier"),
    ]
