"""Applications and grants as values: who decides, what must be said, when a grant lives."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from opendata.access import rules
from opendata.access.errors import InvalidRequest, RequestDenied
from opendata.access.models import AccessRequest, Grant, RequestState
from opendata.access.permissions import can_decide, can_revoke, check_can_take_back, check_can_use
from opendata.access.states import TRANSITIONS
from opendata.catalog.models import Dataset
from opendata.identity import Actor, Role

NOW = datetime(2026, 11, 23, tzinfo=UTC)
DATASET = Dataset(organization_id="ours")
REQUEST = AccessRequest(user_id="applicant", organization_id="firm")
GRANT = Grant(user_id="applicant", organization_id="firm", starts_at=NOW, expires_at=NOW + timedelta(days=1))


def person(role, organization, id_="p"):
    return Actor(id_, "u", "n", organization, "o", frozenset({role}))


@pytest.mark.parametrize(("role", "organization"), list(product(Role, ["ours", "theirs", "firm"])))
def test_who_decides_and_who_revokes(role, organization):
    actor = person(role, organization)
    officer = role is Role.DATA_OFFICER and organization == "ours"
    reviewer = role is Role.REVIEWER
    assert can_decide(actor, REQUEST, DATASET) == (officer or (reviewer and organization != "firm"))
    assert can_revoke(actor, GRANT, DATASET) == (officer or reviewer)


@pytest.mark.parametrize("role", Role)
def test_the_applicant_never_decides_and_may_always_end_the_own_grant(role):
    applicant = person(role, "ours", "applicant")
    assert not can_decide(applicant, REQUEST, DATASET)
    assert can_revoke(applicant, GRANT, DATASET)
    check_can_take_back(applicant, REQUEST)
    check_can_use(applicant, GRANT)


def test_nobody_else_takes_back_or_uses():
    other = person(Role.APPLICANT, "firm", "colleague")
    for check, thing in ((check_can_take_back, REQUEST), (check_can_use, GRANT)):
        with pytest.raises(RequestDenied):
            check(other, thing)


GOOD = {"scenario": "延误预测", "purpose": "预测模型", "term_days": 30, "safeguards": "专用服务器", "pledge": True}


@pytest.mark.parametrize(("field", "value"), [
    ("scenario", " "),
    ("purpose", "a"),
    ("safeguards", "x" * 2001),
    ("term_days", 0),
    ("term_days", 366),
    ("pledge", False),
])  # fmt: skip
def test_application(field, value):
    rules.check_application(**GOOD)
    with pytest.raises(InvalidRequest) as refused:
        rules.check_application(**GOOD | {field: value})
    assert refused.value.field == field


@pytest.mark.parametrize(("offset", "revoked", "living"), [
    (timedelta(0), None, True),
    (timedelta(seconds=-1), None, False),
    (timedelta(days=1), None, False),
    (timedelta(hours=23), None, True),
    (timedelta(hours=1), NOW, False),
])  # fmt: skip
def test_living(offset, revoked, living):
    grant = Grant(starts_at=GRANT.starts_at, expires_at=GRANT.expires_at, revoked_at=revoked)
    assert rules.is_living(grant, NOW + offset) is living


def test_a_decision_is_final():
    assert all(not TRANSITIONS[state] for state in RequestState if state is not RequestState.SUBMITTED)
