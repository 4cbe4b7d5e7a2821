"""Every role x every state, rules with their edge values, ticks of the fixed states."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opendata.identity import Actor, Role
from sandbox.airlock import rules as voting
from sandbox.airlock.draw import Checker, check_pool, draw, eligible
from sandbox.airlock.errors import AirlockConflict, AirlockInvalid
from sandbox.airlock.permissions import RequestFacts, can_check, can_list, can_revoke
from sandbox.airlock.rules import Ballot, Decision
from sandbox.airlock.states import DECIDED, TRANSITIONS, VOTING, RequestState, check_transition
from sandbox.contracts import JAIL_PATH, BadContract, JobSpec
from sandbox.workspaces import permissions, rules
from sandbox.workspaces.errors import WorkspaceConflict, WorkspaceDenied, WorkspaceInvalid
from sandbox.workspaces.permissions import WorkspaceFacts
from sandbox.workspaces.rules import SealedDoor
from sandbox.workspaces.states import (
    EXTENSION_TRANSITIONS,
    JOB_TRANSITIONS,
    WORKSPACE_TRANSITIONS,
    ExtensionState,
    JobState,
    WorkspaceState,
)
from sandbox.workspaces.states import check_transition as check_move
from sandbox.workspaces.visibility import SEALED_STATES, Ticks, bits_of, sealed_state

DAY = timedelta(days=1)
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
PEOPLE = frozenset({"owner", "member", "reader", "unsigned"})
FACTS = WorkspaceFacts(
    owner_id="owner",
    member_ids=PEOPLE,
    organization_ids=frozenset({"uni"}),
    providing_organizations=frozenset({"health"}),
    reader_ids=frozenset({"reader"}),
    pledged_ids=PEOPLE - {"unsigned"},
)
REQUEST = RequestFacts(
    "owner", frozenset({"owner", "member"}), frozenset({"uni"}), frozenset({"drawn", "owner", "home"})
)


def actor(identifier: str, *roles: Role, organization: str = "x") -> Actor:
    return Actor(identifier, identifier, identifier, organization, organization, frozenset(roles))


@pytest.mark.parametrize("role", Role)
def test_who_may_do_what_in_a_workspace(role: Role):
    stranger, member, owner = actor("stranger", role), actor("member", role), actor("owner", role)
    reader, unsigned = actor("reader", role), actor("unsigned", role)
    provider = actor("provider", role, organization="health")
    researcher, officer = role is Role.RESEARCHER, role is Role.DATA_OFFICER
    assert permissions.can_apply(stranger) is researcher
    assert permissions.can_see(stranger, FACTS) is (role in {Role.REVIEWER, Role.AUDITOR, Role.SECURITY_ADMIN})
    assert permissions.can_see(provider, FACTS) is (permissions.can_see(stranger, FACTS) or officer)
    for person in (member, owner, reader, unsigned):
        assert permissions.can_see(person, FACTS)
    for person in (stranger, provider, reader, unsigned):
        assert not permissions.can_work(person, FACTS)
    assert permissions.can_work(member, FACTS) is permissions.can_work(owner, FACTS) is researcher
    assert [permissions.can_read(each, FACTS) for each in (stranger, provider, unsigned)] == [False] * 3
    assert all(permissions.can_read(each, FACTS) for each in (member, owner, reader))
    assert [permissions.can_manage_members(each, FACTS) for each in (member, reader, stranger)] == [False] * 3
    assert permissions.can_manage_members(owner, FACTS)
    assert permissions.can_close(owner, FACTS)
    assert permissions.can_close(stranger, FACTS) is permissions.can_close(member, FACTS) is (role is Role.REVIEWER)
    assert permissions.can_close(provider, FACTS) is (role is Role.REVIEWER or officer)
    assert permissions.can_suspend(stranger) is (role is Role.SECURITY_ADMIN)


@pytest.mark.parametrize("role", Role)
def test_who_may_do_what_in_the_airlock(role: Role):
    assert can_check(actor("drawn", role), REQUEST) is (role is Role.OUTPUT_CHECKER)
    assert not can_check(actor("not drawn", role), REQUEST)
    assert not can_check(actor("owner", role), REQUEST)  # the author, even if drawn
    assert not can_check(actor("member", role), REQUEST)
    assert not can_check(actor("home", role, organization="uni"), REQUEST)  # same organisation, even if drawn
    assert can_list(actor("a", role)) is (role in {Role.OUTPUT_CHECKER, Role.AUDITOR})
    assert can_revoke(actor("a", role)) is (role in {Role.REVIEWER, Role.SECURITY_ADMIN})


@pytest.mark.parametrize(("role", "state", "decision"), list(product(Role, RequestState, Decision)))
def test_role_by_state(role: Role, state: RequestState, decision: Decision):
    """A vote counts only for a drawn output checker, while votes are taken, and never for approval of a blocked one."""
    blocking = int(state is RequestState.BLOCKED)
    allowed = can_check(actor("drawn", role), REQUEST)
    if allowed:
        try:
            voting.check_vote(state, decision, "理由写在这里，足够长了", voted=False, looked=True, blocking=blocking)
        except (AirlockConflict, AirlockInvalid):
            allowed = False
    expected = role is Role.OUTPUT_CHECKER and state in VOTING and not (blocking and decision is Decision.APPROVE)
    assert allowed is expected


@pytest.mark.parametrize(("old", "new"), list(product(RequestState, RequestState)))
def test_request_transitions(old: RequestState, new: RequestState):
    if new in TRANSITIONS[old]:
        check_transition(old, new)
    else:
        with pytest.raises(AirlockConflict):
            check_transition(old, new)


def test_tables_cover_every_state_and_all_are_reached():
    for states, table, first in (
        (RequestState, TRANSITIONS, {RequestState.SUBMITTED}),
        (JobState, JOB_TRANSITIONS, {JobState.SUBMITTED}),
        (WorkspaceState, WORKSPACE_TRANSITIONS, {WorkspaceState.APPLIED}),
        (ExtensionState, EXTENSION_TRANSITIONS, {ExtensionState.APPLIED}),
    ):
        assert set(table) == set(states)
        assert set(states) == first | {new for targets in table.values() for new in targets}
    assert not VOTING & DECIDED


def test_nothing_becomes_released_without_approval():
    assert {old for old, new in TRANSITIONS.items() if RequestState.RELEASED in new} == {RequestState.RELEASING}
    assert {old for old, new in TRANSITIONS.items() if RequestState.RELEASING in new} == {RequestState.APPROVED}
    assert RequestState.APPROVED not in TRANSITIONS[RequestState.BLOCKED]


@pytest.mark.parametrize(("old", "new"), list(product(WorkspaceState, WorkspaceState)))
def test_workspace_transitions(old: WorkspaceState, new: WorkspaceState):
    if new in WORKSPACE_TRANSITIONS[old]:
        check_move(WORKSPACE_TRANSITIONS, old, new)
    else:
        with pytest.raises(WorkspaceConflict):
            check_move(WORKSPACE_TRANSITIONS, old, new)


@pytest.mark.parametrize(("old", "new"), list(product(ExtensionState, ExtensionState)))
def test_extension_transitions(old: ExtensionState, new: ExtensionState):
    """Decided or taken back once, never again."""
    if old is ExtensionState.APPLIED and new is not ExtensionState.APPLIED:
        check_move(EXTENSION_TRANSITIONS, old, new)
    else:
        with pytest.raises(WorkspaceConflict):
            check_move(EXTENSION_TRANSITIONS, old, new)


@pytest.mark.parametrize(("role", "state"), list(product(Role, WorkspaceState)))
def test_role_by_state_of_the_workspace(role: Role, state: WorkspaceState):
    """Who may work, ask for more days, suspend and lift in each state: role and state both have to allow it."""
    member, owner, stranger = actor("member", role), actor("owner", role), actor("stranger", role)
    works = permissions.can_work(member, FACTS) and allowed(rules.check_live, state, START + DAY, START)
    assert works is (role is Role.RESEARCHER and state is WorkspaceState.APPROVED)
    extends = permissions.can_manage_members(owner, FACTS) and allowed(
        rules.check_extension, state=state, expires_at=START, cleared=False, days=9, reason="补充", waiting=False
    )
    assert extends is (state in {WorkspaceState.APPROVED, WorkspaceState.EXPIRED})
    suspends = permissions.can_suspend(stranger) and WorkspaceState.SUSPENDED in WORKSPACE_TRANSITIONS[state]
    assert suspends is (role is Role.SECURITY_ADMIN and state is WorkspaceState.APPROVED)
    closes = permissions.can_close(stranger, FACTS) and WorkspaceState.CLOSED in WORKSPACE_TRANSITIONS[state]
    running = state in {WorkspaceState.APPROVED, WorkspaceState.SUSPENDED, WorkspaceState.EXPIRED}
    assert closes is (role is Role.REVIEWER and running)


def allowed(check, *args, **kwargs) -> bool:
    try:
        check(*args, **kwargs)
    except (WorkspaceConflict, WorkspaceInvalid):
        return False
    return True


def test_nothing_is_extended_once_cleared_or_asked_twice():
    form = {"state": "expired", "expires_at": START, "cleared": False, "days": 9, "reason": "补充", "waiting": False}
    rules.check_extension(**form)
    for change in ({"cleared": True}, {"waiting": True}, {"expires_at": None}):
        with pytest.raises(WorkspaceConflict):
            rules.check_extension(**(form | change))
    for change in ({"days": 0}, {"days": 367}, {"reason": " "}, {"reason": "x" * 4001}):
        with pytest.raises(WorkspaceInvalid):
            rules.check_extension(**(form | change))


def test_refused_moves_of_jobs_and_workspaces():
    with pytest.raises(WorkspaceConflict):
        check_move(JOB_TRANSITIONS, JobState.DRY_FAILED, JobState.SEALED_QUEUED)
    with pytest.raises(WorkspaceConflict):
        check_move(WORKSPACE_TRANSITIONS, WorkspaceState.REJECTED, WorkspaceState.APPROVED)


A, R, B = Decision.APPROVE, Decision.REJECT, Decision.RETURN


@pytest.mark.parametrize(
    ("decisions", "needed", "third", "result"),
    [
        ([], 1, False, None),  # nobody voted yet
        ([A], 1, False, RequestState.APPROVED),
        ([R], 1, False, RequestState.REJECTED),
        ([B], 1, False, RequestState.RETURNED),
        ([A], 2, False, None),  # one of two
        ([A, A], 2, False, RequestState.APPROVED),
        ([A, R], 2, False, RequestState.THIRD_REVIEW),  # disagreement
        ([A, B], 2, False, RequestState.THIRD_REVIEW),
        ([R, B], 2, False, RequestState.REJECTED),  # both refuse
        ([B, B], 2, False, RequestState.RETURNED),
        ([A, R], 2, True, None),  # the third is awaited
        ([A, R, A], 2, True, RequestState.APPROVED),
        ([A, R, R], 2, True, RequestState.REJECTED),
        ([A, B, B], 2, True, RequestState.RETURNED),
    ],
)
def test_outcome(decisions, needed, third, result):
    ballots = [Ballot(str(number), decision) for number, decision in enumerate(decisions)]
    assert voting.outcome(ballots, needed=needed, third=third) is result


def test_draw_takes_other_organisations_and_avoids_repeated_pairs():
    import random

    pool = [Checker(f"c{i}", f"o{i}") for i in range(6)] + [Checker("home", "uni")]
    candidates = eligible(pool, excluded_organizations=frozenset({"uni"}), excluded_persons=frozenset({"c0"}))
    assert {c.id for c in candidates} == {"c1", "c2", "c3", "c4", "c5"}
    met = {frozenset({"author", f"c{i}"}): 9 for i in (1, 2, 3)}
    for seed in range(20):
        drawn = draw(candidates, needed=2, author_id="author", pairs=met, cap=5, rng=random.Random(seed))
        assert {c.id for c in drawn} == {"c4", "c5"}
    everybody = {frozenset({"author", f"c{i}"}): 9 + i for i in range(6)}
    [least] = draw(candidates, needed=1, author_id="author", pairs=everybody, cap=5, rng=random.Random(1))
    assert least.id == "c1"  # all are at the cap: the one met least often
    seen = {draw(candidates, needed=1, author_id="a", pairs={}, cap=5, rng=random.Random(s))[0].id for s in range(60)}
    assert len(seen) == 5
    with pytest.raises(AirlockConflict):
        check_pool(candidates[:3], needed=1, minimum=4)


def test_strictest_door_counts_and_unknown_level_is_shut():
    order = {"L1": 1, "L2": 2, "L4": 4, "core": 6}
    low = SealedDoor("L1", open=True, code_review=False, checkers=1, registered_kinds_only=False, clause="a")
    high = SealedDoor("L4", open=True, code_review=True, checkers=2, registered_kinds_only=True, clause="b")
    both = rules.strictest([high, low], order)
    assert (both.level, both.checkers, both.code_review, both.registered_kinds_only) == ("L4", 2, True, True)
    with pytest.raises(WorkspaceDenied):
        rules.check_door_open("x", None)
    with pytest.raises(WorkspaceDenied):
        rules.check_door_open("x", SealedDoor("core", False, False, 0, False, "c"))
    with pytest.raises(WorkspaceInvalid):
        rules.strictest([], order)


@pytest.mark.parametrize(
    ("change", "fine"),
    [
        ({}, True),
        ({"name": "A"}, False),  # capital
        ({"name": "a"}, False),  # too short
        ({"name": "new"}, False),  # an address of the service
        ({"name": "pledge"}, False),
        ({"title": " "}, False),
        ({"purpose": "短"}, False),
        ({"term_days": 0}, False),
        ({"term_days": 366}, True),
        ({"term_days": 367}, False),
        ({"datasets": []}, False),
    ],
)
def test_application(change, fine):
    form = {
        "name": "study-1",
        "title": "研究",
        "purpose": "研究就诊次数与年龄的关系",
        "term_days": 30,
        "datasets": ["d"],
    }
    if fine:
        rules.check_application(**(form | change))
    else:
        with pytest.raises(WorkspaceInvalid):
            rules.check_application(**(form | change))


@pytest.mark.parametrize(
    ("entry", "code", "fine"),
    [
        ("a.py", b"x = 1", True),
        ("a.ipynb", b'{"cells": []}', True),
        ("a.ipynb", b"not json", False),
        ("a.ipynb", b"[" * 100_000, False),  # too deep to parse
        ("../a.py", b"x", False),
        (".a.py", b"x", False),
        ("a.sh", b"x", False),
        ("a.py", b"", False),
        ("a.py", b"x" * 2_000_001, False),
        ("示例 example.ipynb", b'{"cells": []}', True),  # every home holds one of this name
        ("分析_2.py", b"x", True),
        ("اختبار.py", b"x", True),  # letters of any script
        ("a" * 97 + ".py", b"x", True),
        ("a" * 98 + ".py", b"x", False),  # 101 characters: no jail would take it
        ("字" * 84 + ".py", b"x", True),
        ("字" * 85 + ".py", b"x", False),  # 258 bytes: no file system would take it
        ("a/b.py", b"x", False),
        ("a\\b.py", b"x", False),
        ("-a.py", b"x", False),
        (" a.py", b"x", False),
        ("a\n.py", b"x", False),
        ("a\u202eb.py", b"x", False),  # turns what follows around
        ("a\u2066b.py", b"x", False),
        ("a\u200bb.py", b"x", False),
        ("a\0.py", b"x", False),
        ("a\ud800.py", b"x", False),
    ],
)
def test_code(entry, code, fine):
    if fine:
        rules.check_code(entry, code)
    else:
        with pytest.raises(WorkspaceInvalid):
            rules.check_code(entry, code)


@given(st.text(max_size=130))
def test_what_the_door_lets_in_every_jail_takes(name):
    """The rule of the door is the launcher's: no name is charged for and then refused inside."""
    for entry in (f"{name}.py", f"{name}.ipynb"):
        try:
            rules.check_code(entry, b'{"cells": []}')
        except WorkspaceInvalid:
            with pytest.raises(BadContract):
                JobSpec("j", "w", "dry", entry)
        else:
            assert JobSpec("j", "w", "dry", entry).entry == entry
            assert JAIL_PATH.fullmatch(f"/job/{entry}")


def test_a_refused_name_is_told_what_is_true():
    for entry, told in (("分析（终）.py", "文件名只能用"), ("a.sh", "只接受 .ipynb 或 .py")):
        with pytest.raises(WorkspaceInvalid, match=re.escape(told)) as refused:
            rules.check_code(entry, b"x")
        assert set(refused.value.reason) == {"zh", "en"}
        assert refused.value.reason["en"].isascii()


def test_expired_workspace_is_not_live():
    rules.check_live("approved", START, START - timedelta(seconds=1))
    for state, expires in (("approved", START), ("approved", None), ("closed", START + timedelta(days=1))):
        with pytest.raises(WorkspaceConflict):
            rules.check_live(state, expires, START)


def test_budget_is_never_overdrawn():
    rules.check_budget(250, 6, 256)
    with pytest.raises(WorkspaceDenied):
        rules.check_budget(251, 6, 256)


TICKS = Ticks(base_s=15, wall_s=600)


@pytest.mark.parametrize(
    ("finished_s", "asked_s", "shown"),
    [
        (1, 1, "queued"),  # nothing before the first tick
        (1, 14.9, "queued"),
        (1, 15, "finished"),
        (16, 29.9, "running"),  # ended, but the next tick is at 30
        (16, 30, "finished"),
        (100, 119, "running"),
        (100, 120, "finished"),
        (None, 500, "running"),
        (1190, 1300, "running"),  # past the table: one wall apart
        (1190, 1800, "finished"),
    ],
)
def test_sealed_state_changes_at_ticks_only(finished_s, asked_s, shown):
    state = sealed_state(
        queued_at=START,
        started_at=START + timedelta(seconds=0.5),
        finished_at=None if finished_s is None else START + timedelta(seconds=finished_s),
        now=START + timedelta(seconds=asked_s),
        ticks=TICKS,
    )
    assert state == shown
    assert state in SEALED_STATES


@pytest.mark.parametrize("seconds", [0.1, 15, 15.1, 31, 599, 961, 2000])
def test_the_end_is_seen_at_the_tick_it_waited_for(seconds):
    tick = TICKS.next_at(START, START + timedelta(seconds=seconds))
    assert tick >= START + timedelta(seconds=seconds)
    assert TICKS.last_at(START, tick) == tick


@pytest.mark.parametrize("drift_s", [-0.9, -0.0001, 0, 0.0001, 0.9])
@pytest.mark.parametrize("tick_s", [15, 30, 480, 960])
def test_a_tick_told_by_another_clock_is_the_jobs_own(tick_s, drift_s):
    """The launcher counts on a clock of its own; a hair after a tick must not be shown a whole tick later."""
    told = START + timedelta(seconds=tick_s + drift_s)
    assert TICKS.meant_at(START, told) == START + timedelta(seconds=tick_s)
    assert TICKS.meant_at(START, told + timedelta(seconds=5)) > START + timedelta(seconds=tick_s)


def test_moment_of_the_end_tells_few_bits():
    assert bits_of(TICKS) <= 6
