"""The public report says nothing that the masked table does not say (PRIVACY.md 5)."""

import json

from masking.taxonomy import OpeningClass
from opendata.catalog.models import Dataset
from opendata.publishing import service as publishing
from tests.publishing.chain import id_number, start, survey_csv, survey_policy


def report_of(home, content):
    """The public report of the same policy over this raw table, and what the catalogue says beside it."""
    chain = start(home)
    dataset = chain.dataset("survey")
    intake = chain.upload(dataset, "survey.csv", content)
    with chain.database.begin() as session:
        officer = chain.people["officer"]
        publishing.confirm_level(
            session, session.get_one(Dataset, dataset), level="L3", reason="虚构数据", actor=officer
        )
    edition = chain.edition(chain.build(intake, chain.policy(dataset, survey_policy(k=5)), OpeningClass.CONDITIONAL))
    chain.database.dispose()
    return json.dumps(edition.public_report, sort_keys=True), (edition.effect, edition.level, edition.legal_status)


def test_two_raw_tables_that_differ_in_one_record_give_the_same_public_report(tmp_path):
    header, first, *rest = survey_csv(400).decode("gb18030").splitlines()
    cells = first.split(",")
    tables = {
        "as it is": first,
        "another person": ",".join([id_number(900), "13800009999", *cells[2:]]),
        "the same person twice": ",".join([id_number(7), *cells[1:]]),
        "another age in the band": ",".join([*cells[:2], str(int(cells[2]) // 20 * 20), *cells[3:]]),
    }
    reports = {
        name: report_of(tmp_path / str(number), "\n".join([header, row, *rest, ""]).encode())
        for number, (name, row) in enumerate(tables.items())
    }
    assert len(set(reports.values())) == 1, reports


def test_a_record_that_is_suppressed_leaves_no_trace(tmp_path):
    table = survey_csv(400).decode("gb18030")
    alone = ",".join([id_number(900), "13800009999", "99", "未知", "50"])
    assert report_of(tmp_path / "1", table.encode()) == report_of(tmp_path / "2", f"{table}{alone}\n".encode())
