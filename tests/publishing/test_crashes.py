"""``kill -9`` at any step, restart: nothing lost, doubled or half-visible."""

import pytest

from masking.taxonomy import OpeningClass
from opendata.access.door import open_edition
from opendata.access.errors import AccessDenied
from opendata.access.models import Grant
from opendata.access.service import decide, request_access
from opendata.catalog.errors import DatasetNotFound
from opendata.catalog.models import Dataset, Edition, InformationItem
from opendata.db import new_id, utc_now
from opendata.ledger.models import LedgerEntry
from opendata.publishing import service as publishing
from opendata.publishing.models import Exposure
from opendata.storage.vault import SealedWriter
from tests.publishing.chain import FLIGHTS, PLACES, Killed, flights_csv, places_csv

pytestmark = pytest.mark.integration  # each runs the chain twice
WHEN = ("before", "after")


def killed_once(chain, job_id, step, when):
    with pytest.raises(Killed):
        chain.run(job_id, kill=(step, when))


def entries(chain, kind):
    return chain.count(LedgerEntry, type=kind)


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("step", ["read", "profile", "save", "discard_upload"])
def test_intake_goes_on(chain, step, when):
    dataset_id = chain.dataset("places")
    intake_id = new_id()
    with SealedWriter(chain.settings, intake_id) as sealed:
        sealed.write(places_csv())
    with chain.database.begin() as session:
        _, job = publishing.create_intake(
            session,
            session.get_one(Dataset, dataset_id),
            filename="places.csv",
            nbytes=10,
            actor=chain.people["officer"],
            intake_id=intake_id,
        )
    killed_once(chain, job.id, step, when)
    chain.run(job.id)
    assert (chain.intake(intake_id).state, chain.intake(intake_id).rows) == ("ready", 300)
    assert chain.count(InformationItem, dataset_id=dataset_id) == 2
    assert entries(chain, "publishing:intake:profile") == 1


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("step", ["mask", "scan", "compose", "finish"])
def test_build_goes_on(chain, step, when):
    dataset_id = chain.dataset("places")
    intake = chain.upload(dataset_id, "places.csv", places_csv())
    edition, job = chain.start_build(intake, chain.policy(dataset_id, PLACES), OpeningClass.UNCONDITIONAL)
    killed_once(chain, job, step, when)
    assert chain.edition(edition).state in ("building", "draft")
    chain.run(job)
    assert chain.edition(edition).state == "draft"
    assert chain.count(Edition) == 1
    chain.publish(edition)
    assert chain.edition(edition).state == "published"


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("step", ["check", "destroy_key", "sign", "store", "switch"])
def test_publication_is_whole_or_not_there(chain, step, when):
    dataset_id = chain.dataset("flights")
    intake = chain.upload(dataset_id, "flights.csv", flights_csv())
    edition = chain.build(intake, chain.policy(dataset_id, FLIGHTS), OpeningClass.UNCONDITIONAL)
    chain.submit(edition)
    job = chain.approve(edition)
    killed_once(chain, job, step, when)
    visible = chain.edition(edition).state == "published"
    assert visible == (step == "switch" and when == "after")
    with chain.database.session() as session:
        dataset = session.get_one(Dataset, dataset_id)
        if not visible:
            with pytest.raises((AccessDenied, DatasetNotFound)):
                open_edition(session, dataset, actor=None, app_key=None, grades=chain.grades, now=utc_now())
    chain.run(job)
    assert chain.edition(edition).state == "published"
    assert entries(chain, "publishing:edition:publish") == 1
    assert entries(chain, "publishing:line:destroy") == 1
    assert chain.count(Exposure) == 1
    assert chain.file(edition, "csv").with_name("receipt.json").is_file()


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("step", ["prepare", "mask", "scan", "compare", "sign", "store", "switch"])
def test_recipient_line_goes_on(chain, step, when):
    dataset_id = chain.dataset("flights")
    intake = chain.upload(dataset_id, "flights.csv", flights_csv())
    chain.publish(chain.build(intake, chain.policy(dataset_id, FLIGHTS), OpeningClass.CONDITIONAL))
    with chain.database.begin() as session:
        request = request_access(
            session,
            session.get_one(Dataset, dataset_id),
            actor=chain.people["firm"],
            scenario="延误预测",
            purpose="延误预测模型",
            term_days=30,
            safeguards="专用服务器、双人管理",
            pledge=True,
            grades=chain.grades,
            calendar=chain.calendar,
        )
        grant = decide(session, request, actor=chain.people["officer"], approve=True, reason="")
    killed_once(chain, grant.job_id, step, when)
    chain.run(grant.job_id)
    own = chain.get(Grant, grant.id).edition_id
    assert chain.edition(own).state == "published"
    assert chain.count(Edition) == 2
    assert entries(chain, "publishing:edition:publish") == 2
    assert chain.count(Exposure) == 2
