"""Who may do what, when: every role × every act, every state × every act."""

from itertools import product

import pytest

from opendata.catalog.models import Dataset, Edition, EditionState
from opendata.identity import Actor, Role
from opendata.publishing import rules
from opendata.publishing.errors import PublishingDenied, WrongState
from opendata.publishing.permissions import check_another_person, check_may
from opendata.publishing.states import TRANSITIONS, Act

ROLES_OF = {  # everything not listed is refused; {} is a step of a job, which nobody may ask for
    Act.BUILT: {},
    Act.FAIL: {},
    Act.PUBLISH: {},
    Act.SUPERSEDE: {},
    Act.DESTROY: {},
    Act.SUBMIT: {Role.DATA_OFFICER},
    Act.APPROVE: {Role.REVIEWER},
    Act.RETURN: {Role.REVIEWER},
    Act.REJECT: {Role.REVIEWER},
    Act.WITHDRAW: {Role.DATA_OFFICER, Role.REVIEWER},
}
ENDS = {
    (Act.BUILT, "building"): "draft",
    (Act.FAIL, "building"): "failed",
    (Act.FAIL, "approved"): "failed",
    (Act.SUBMIT, "draft"): "in_review",
    (Act.SUBMIT, "returned"): "in_review",
    (Act.APPROVE, "in_review"): "approved",
    (Act.RETURN, "in_review"): "returned",
    (Act.REJECT, "in_review"): "rejected",
    (Act.PUBLISH, "approved"): "published",
    (Act.PUBLISH, "building"): "published",  # a recipient's own edition repeats a reviewed one
    (Act.SUPERSEDE, "published"): "superseded",
    (Act.WITHDRAW, "approved"): "withdrawn",
    (Act.WITHDRAW, "published"): "withdrawn",
    (Act.WITHDRAW, "superseded"): "withdrawn",
    (Act.DESTROY, "withdrawn"): "destroyed",
    (Act.DESTROY, "superseded"): "destroyed",
}


def person(role, organization="ours", id_="p"):
    return Actor(id_, "u", "n", organization, "o", frozenset({role}))


@pytest.mark.parametrize(("act", "role"), list(product(Act, Role)))
def test_every_role_and_act(act, role):
    dataset = Dataset(organization_id="ours")
    if role in ROLES_OF[act]:
        check_may(person(role), act, dataset)
    else:
        with pytest.raises(PublishingDenied):
            check_may(person(role), act, dataset)


@pytest.mark.parametrize(("act", "state"), list(product(Act, EditionState)))
def test_every_state_and_act(act, state):
    edition = Edition(state=state)
    if (act, state) in ENDS:
        assert rules.check_state(edition, act) == ENDS[act, state]
    else:
        with pytest.raises(WrongState):
            rules.check_state(edition, act)


@pytest.mark.parametrize("act", [Act.SUBMIT, Act.WITHDRAW])
def test_officers_of_another_department_are_refused(act):
    with pytest.raises(PublishingDenied):
        check_may(person(Role.DATA_OFFICER, "theirs"), act, Dataset(organization_id="ours"))


def test_nobody_reviews_own_work():
    edition = Edition(created_by="creator", submitted_by="submitter")
    for own in ("creator", "submitter", "author"):
        with pytest.raises(PublishingDenied, match="不能审核自己"):
            check_another_person(person(Role.REVIEWER, id_=own), edition, ["author"])
    check_another_person(person(Role.REVIEWER, id_="other"), edition, ["author"])


def test_states_without_a_way_out_are_the_final_ones():
    starts = {state for move in TRANSITIONS.values() for state in move.start}
    assert set(EditionState) - starts == {"destroyed", "rejected", "failed"}
