"""Who must agree to a workspace: tables of cases, and laws over all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opendata.identity import Actor, Role
from sandbox.workspaces import approval
from sandbox.workspaces.approval import ApprovalRule, Part, Question
from sandbox.workspaces.errors import WorkspaceConflict, WorkspaceDenied, WorkspaceInvalid
from sandbox.workspaces.pledge import Pledge, check_signature, current_pledge
from sandbox.workspaces.quotas import LEVELS, Quotas, check_jobs, check_members, default_quotas

CONTROLLERS = frozenset({Role.DATA_OFFICER, Role.REVIEWER})
OTHERS = frozenset({Role.REVIEWER})


def rule(persons: int) -> ApprovalRule:
    return ApprovalRule(CONTROLLERS, OTHERS, persons)


def question(*providers: str, persons: int = 1, own: str = "uni", outsider_there: bool = True) -> Question:
    return Question(frozenset(providers), frozenset({"owner"}), frozenset({own}), rule(persons), outsider_there)


def agrees(person: str, organization: str) -> Part:
    return Part(person, organization, approve=True)


@pytest.mark.parametrize(
    ("asked", "parts", "agreed", "needed", "outcome"),
    [
        (question("health"), [], 0, 1, None),
        (question("health"), [agrees("h1", "health")], 1, 1, "approved"),
        (question("health", "civil"), [agrees("h1", "health")], 1, 2, None),  # each provider agrees for itself
        (question("health", "civil"), [agrees("h1", "health"), agrees("h2", "health")], 1, 2, None),  # not twice one
        (question("health", "civil"), [agrees("h1", "health"), agrees("c1", "civil")], 2, 2, "approved"),
        (question("health", persons=2), [agrees("h1", "health")], 1, 2, None),  # L3-L4: two different persons
        (question("health", persons=2), [agrees("h1", "health"), agrees("h2", "health")], 2, 2, "approved"),
        (question("health", persons=2), [agrees("h1", "health"), agrees("r", "bureau")], 2, 2, "approved"),
        (question("health", persons=2), [agrees("r1", "bureau"), agrees("r2", "data")], 1, 2, None),  # no provider yet
        (question("health", "civil", persons=2), [agrees("h", "health"), agrees("c", "civil")], 2, 2, "approved"),
        (question("uni"), [agrees("u1", "uni")], 1, 2, None),  # their own data: one from outside as well
        (question("uni"), [agrees("u1", "uni"), agrees("u2", "uni")], 1, 2, None),
        (question("uni"), [agrees("u1", "uni"), agrees("r", "bureau")], 2, 2, "approved"),
        (question("uni", outsider_there=False), [agrees("u1", "uni")], 1, 1, "approved"),  # there is nobody else
        (question("health"), [Part("h1", "health", approve=False)], 0, 1, "rejected"),
        (question("health", "civil"), [agrees("h", "health"), Part("c", "civil", approve=False)], 1, 2, "rejected"),
    ],
)
def test_progress(asked, parts, agreed, needed, outcome):
    reached = approval.progress(parts, asked)
    assert (reached.agreed, reached.needed, reached.outcome) == (agreed, needed, outcome)


def person(identifier: str, role: Role, organization: str) -> Actor:
    return Actor(identifier, identifier, identifier, organization, organization, frozenset({role}))


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("persons", [1, 2])
def test_who_decides(role: Role, persons: int):
    asked = question("health", persons=persons)

    def may(identifier: str, organization: str) -> bool:
        try:
            approval.check_can_decide(person(identifier, role, organization), asked)
        except WorkspaceDenied:
            return False
        return True

    assert may("a", "health") is (role in CONTROLLERS)
    assert may("a", "bureau") is (role is Role.REVIEWER and persons == 2)  # only where a further person is needed
    assert not may("a", "uni")  # the applicant's own organisation provides none of it
    assert not may("owner", "health")  # applicant or member, wherever they work


def test_nobody_decides_twice():
    asked = question("health", persons=2)
    officer = person("h1", Role.DATA_OFFICER, "health")
    with pytest.raises(WorkspaceConflict):
        approval.check_can_decide(officer, asked, [agrees("h1", "health")])


ORGANIZATIONS = ("health", "civil", "uni", "bureau")
PARTS = st.lists(
    st.builds(Part, st.sampled_from([f"p{n}" for n in range(6)]), st.sampled_from(ORGANIZATIONS), st.booleans()),
    unique_by=lambda part: part.decider_id,
    max_size=6,
)
QUESTIONS = st.builds(
    Question,
    providers=st.frozensets(st.sampled_from(ORGANIZATIONS[:3]), min_size=1),
    involved_persons=st.just(frozenset({"owner"})),
    own_organizations=st.just(frozenset({"uni"})),
    rule=st.integers(1, 3).map(rule),
    outsider_there=st.booleans(),
)


@given(PARTS, QUESTIONS)
def test_approved_means_every_provider_enough_persons_an_outsider_and_no_refusal(parts, asked):
    reached = approval.progress(parts, asked)
    agreeing = {part.decider_id: part.organization_id for part in parts if part.approve}
    everything = (
        asked.providers <= set(agreeing.values())
        and len(agreeing) >= asked.rule.persons
        and (not asked.outsider_there or not set(agreeing.values()) <= asked.own_organizations)
    )
    refused = any(not part.approve for part in parts)
    assert (reached.outcome == "approved") is (everything and not refused)
    assert (reached.outcome == "rejected") is refused
    assert 0 <= reached.agreed <= reached.needed
    assert (reached.agreed == reached.needed) is everything
    assert reached.agreed + len(reached.missing) + reached.further_missing == reached.needed


def test_strictest_rule_of_several_datasets_counts():
    loose, strict = rule(1), ApprovalRule(frozenset({Role.DATA_OFFICER}), frozenset(), 2)
    assert approval.strictest([loose, strict]) == strict
    with pytest.raises(WorkspaceDenied):
        approval.strictest([])


def test_pledge_is_signed_with_version_and_own_name():
    pledge = current_pledge()
    check_signature(pledge, version=pledge.version, name=" 顾 思远 ", own_name="顾思远")
    for version, name in ((pledge.version + 1, "顾思远"), (pledge.version, "别人"), (pledge.version, " ")):
        with pytest.raises(WorkspaceInvalid):
            check_signature(pledge, version=version, name=name, own_name="顾思远")


def test_digest_of_the_pledge_names_text_and_version():
    pledge = current_pledge()
    others = [
        Pledge(pledge.version + 1, pledge.title, pledge.points),
        Pledge(pledge.version, pledge.title, pledge.points[:-1]),
        Pledge(pledge.version, pledge.title, tuple(reversed(pledge.points))),
    ]
    assert len({pledge.digest, *(other.digest for other in others)}) == 4
    assert all(point[language].strip() for point in pledge.points for language in ("zh", "en"))


@pytest.mark.parametrize("text", ["version: 1", "version: 0\ntitle: {zh: a, en: b}\npoints: [{zh: a, en: b}]", "[]",
                                  "version: 1\ntitle: {zh: a, en: b}\npoints: [{zh: a, en: ' '}]"])  # fmt: skip
def test_broken_pledge_file_is_refused(tmp_path, text):
    path = tmp_path / "pledge.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(WorkspaceInvalid):
        Pledge.load(path)


@pytest.mark.parametrize(("running", "today", "fine"), [(0, 0, True), (1, 19, True), (2, 0, False), (0, 20, False)])
def test_jobs_within_the_quota_of_the_level(running, today, fine):
    quota = default_quotas().of("L4")
    if fine:
        check_jobs(quota, running=running, today=today)
    else:
        with pytest.raises(WorkspaceDenied):
            check_jobs(quota, running=running, today=today)


def test_quotas_of_every_level_and_none_above():
    quotas = default_quotas()
    check_members(quotas.of("L4"), quotas.of("L4").members - 1)
    with pytest.raises(WorkspaceDenied):
        check_members(quotas.of("L4"), quotas.of("L4").members)
    for level in ("important", "core", "L5"):
        with pytest.raises(WorkspaceDenied):
            quotas.of(level)
    assert set(LEVELS) == set(quotas.levels)


@pytest.mark.parametrize("change", [
    ("jobs_at_once: 2", "jobs_at_once: 0"),
    ("jobs_at_once: 2", "jobs_at_once: true"),
    ("jobs_at_once: 2", "jobs_at_once: 7"),  # wider than at L1
    ("members: 8", "people: 8"),
    ("home_mib: 256", "home_mib: 2048"),  # wider than at L1
    ("home_mib: 256", "home_mib: 8"),  # too small for the launcher
    ("version: 1", "version: 2"),
])  # fmt: skip
def test_broken_or_wider_quotas_are_refused(tmp_path, change):
    from sandbox.workspaces.quotas import FILE

    path = tmp_path / "quotas.yaml"
    path.write_text(FILE.read_text("utf-8").replace(*change), encoding="utf-8")
    with pytest.raises(WorkspaceInvalid):
        Quotas.load(path)
