"""Recipients' own editions: same table, other pseudonyms; grants, keys, revocation."""

from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from masking.taxonomy import OpeningClass
from opendata.access.door import next_step, open_edition, record_access
from opendata.access.errors import AccessDenied, RequestConflict, RequestDenied
from opendata.access.models import Grant
from opendata.access.service import decide, grant_of_key, issue_app_key, request_access, revoke_grant
from opendata.catalog.models import Dataset
from opendata.db import utc_now
from opendata.identity import User
from opendata.identity.service import deactivate_user
from tests.publishing.chain import FLIGHTS, flights_csv


@pytest.fixture
def flights(chain):
    dataset_id = chain.dataset("flights")
    intake = chain.upload(dataset_id, "flights.csv", flights_csv())
    edition = chain.build(intake, chain.policy(dataset_id, FLIGHTS), OpeningClass.CONDITIONAL)
    chain.publish(edition)
    return dataset_id, edition


def granted(chain, dataset_id, who):
    with chain.database.begin() as session:
        request = ask(chain, session, dataset_id, who)
        grant = decide(session, request, actor=chain.people["officer"], approve=True, reason="用途明确")
    chain.run_queued()
    return chain.get(Grant, grant.id)


def ask(chain, session, dataset_id, who):
    return request_access(
        session,
        session.get_one(Dataset, dataset_id),
        actor=chain.people[who],
        scenario="延误预测",
        purpose="延误预测模型",
        term_days=30,
        safeguards="专用服务器、双人管理",
        pledge=True,
        grades=chain.grades,
        calendar=chain.calendar,
    )


def opened(chain, dataset_id, *, actor=None, key=None, now=None):
    with chain.database.session() as session:
        dataset = session.get_one(Dataset, dataset_id)
        return open_edition(session, dataset, actor=actor, app_key=key, grades=chain.grades, now=now or utc_now())


def test_pseudonyms_of_two_firms_do_not_join_and_the_rest_is_equal(chain, flights):
    dataset_id, base = flights
    one, other = granted(chain, dataset_id, "firm"), granted(chain, dataset_id, "rival")
    assert len({base, one.edition_id, other.edition_id}) == 3
    tables = [pq.read_table(chain.file(each, "parquet")) for each in (one.edition_id, other.edition_id, base)]
    tails = [set(table["tail"].to_pylist()) for table in tables]
    assert not tails[0] & tails[1]
    assert not tails[0] & tails[2]
    assert tables[0]["delay"].to_pylist() == tables[1]["delay"].to_pylist() == sorted(tables[2]["delay"].to_pylist())


def test_anonymous_and_ungranted_are_refused_with_the_nearest_door(chain, flights):
    dataset_id, _ = flights
    with pytest.raises(AccessDenied) as refused:
        opened(chain, dataset_id)
    assert (refused.value.code, refused.value.door.kind) == ("sign_in", "sign_in")
    with pytest.raises(AccessDenied) as refused:
        opened(chain, dataset_id, actor=chain.people["firm"])
    assert refused.value.door.kind == "apply"
    assert all(refused.value.clause.values())


def test_grant_opens_by_person_and_by_key_until_revoked(chain, flights):
    dataset_id, _ = flights
    grant = granted(chain, dataset_id, "firm")
    firm = chain.people["firm"]
    assert opened(chain, dataset_id, actor=firm).edition.id == grant.edition_id
    with chain.database.begin() as session:
        key = issue_app_key(session, session.get_one(Grant, grant.id), actor=firm)
    assert opened(chain, dataset_id, key=key).grant.id == grant.id
    with pytest.raises(AccessDenied):
        opened(chain, dataset_id, key=key + "x")
    with pytest.raises(AccessDenied):
        opened(chain, dataset_id, key=key, now=utc_now() + timedelta(days=31))
    with chain.database.begin() as session:
        revoke_grant(session, session.get_one(Grant, grant.id), actor=chain.people["officer"], reason="停止合作")
    with chain.database.session() as session:
        assert grant_of_key(session, key, now=utc_now()) is None
    for options in ({"key": key}, {"actor": firm}):
        with pytest.raises(AccessDenied):
            opened(chain, dataset_id, **options)


def test_clear_app_keys_are_nowhere(chain, flights):
    dataset_id, _ = flights
    grant = granted(chain, dataset_id, "firm")
    with chain.database.begin() as session:
        key = issue_app_key(session, session.get_one(Grant, grant.id), actor=chain.people["firm"])
    for path in chain.settings.home.rglob("*"):
        assert not path.is_file() or key.encode() not in path.read_bytes()


def test_quota_shuts_the_door_for_the_day(chain, flights):
    dataset_id, _ = flights
    grant = granted(chain, dataset_id, "firm")
    firm = chain.people["firm"]
    with chain.database.begin() as session:
        session.get_one(Grant, grant.id).quota_per_day = 2
    for _ in range(2):
        passage = opened(chain, dataset_id, actor=firm)
        with chain.database.begin() as session:
            record_access(session, passage, door="rows", actor=firm, rows=5, nbytes=100)
    with pytest.raises(AccessDenied) as refused:
        opened(chain, dataset_id, actor=firm)
    assert refused.value.code == "quota"
    assert opened(chain, dataset_id, actor=firm, now=utc_now() + timedelta(days=1)).grant.id == grant.id


def test_withdrawal_takes_recipients_editions_with_it(chain, flights):
    dataset_id, base = flights
    grant = granted(chain, dataset_id, "firm")
    digest = chain.edition(grant.edition_id).digest
    chain.withdraw(base)
    assert chain.edition(grant.edition_id).state == "withdrawn"
    assert not chain.resources.editions.exists(digest)
    with pytest.raises(AccessDenied) as refused:
        opened(chain, dataset_id, actor=chain.people["firm"])
    assert refused.value.door.kind == "later"  # a workspace over it could not be applied for either


def test_raising_the_level_shuts_the_door_at_once(chain, flights):
    dataset_id, _ = flights
    granted(chain, dataset_id, "firm")
    with chain.database.begin() as session:
        session.get_one(Dataset, dataset_id).level = "L4"
    with pytest.raises(AccessDenied) as refused:
        opened(chain, dataset_id, actor=chain.people["firm"])
    assert refused.value.code == "not_open"


def test_nobody_decides_their_own_application(chain, flights):
    dataset_id, _ = flights
    with chain.database.begin() as session:
        request = ask(chain, session, dataset_id, "officer2")
        for who in ("officer2", "other_officer", "auditor", "firm"):
            with pytest.raises(RequestDenied):
                decide(session, request, actor=chain.people[who], approve=True, reason="")


def test_a_decided_application_stays_decided(chain, flights):
    dataset_id, _ = flights
    with chain.database.begin() as session:
        request = ask(chain, session, dataset_id, "firm")
        with pytest.raises(RequestConflict):
            ask(chain, session, dataset_id, "firm")
        assert decide(session, request, actor=chain.people["reviewer"], approve=False, reason="用途不明") is None
        with pytest.raises(RequestConflict):
            decide(session, request, actor=chain.people["officer"], approve=True, reason="")


def test_next_step_follows_the_application(chain, flights):
    dataset_id, _ = flights

    def step(who):
        with chain.database.session() as session:
            dataset = session.get_one(Dataset, dataset_id)
            actor = chain.people[who] if who else None
            return next_step(session, dataset, actor=actor, grades=chain.grades, now=utc_now()).kind

    assert (step(None), step("firm")) == ("sign_in", "apply")
    with chain.database.begin() as session:
        request = ask(chain, session, dataset_id, "firm")
    assert step("firm") == "wait"
    with chain.database.begin() as session:
        decide(session, session.merge(request), actor=chain.people["officer"], approve=True, reason="")
    assert step("firm") == "preparing"
    chain.run_queued()
    assert step("firm") == "grant"


def test_a_closed_account_closes_its_keys(chain, flights):
    dataset_id, _ = flights
    grant = granted(chain, dataset_id, "firm")
    with chain.database.begin() as session:
        key = issue_app_key(session, grant, actor=chain.people["firm"])
    assert opened(chain, dataset_id, key=key).grant.id == grant.id
    with chain.database.begin() as session:
        deactivate_user(session, session.get_one(User, chain.people["firm"].id), actor_id=None, now=utc_now())
    with pytest.raises(AccessDenied):
        opened(chain, dataset_id, key=key)
