"""Made-up cases measure checkers: like real ones until the vote, scored after it, of no workspace and never released."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from opendata.ledger.models import LedgerEntry
from opendata.storage.rawdoor import RawDoorContext
from sandbox.airlock import planting, rawdoor, scoring, service
from sandbox.airlock.errors import AirlockConflict, AirlockDenied
from sandbox.airlock.limits import default_limits
from sandbox.airlock.models import Assignment, ReleasedOutput, ReleaseRequest, SeededCase
from sandbox.airlock.rules import Decision
from sandbox.airlock.seeding import BAD, GOOD, PLANTED, make_seed, material_of
from sandbox.workspaces.errors import WorkspaceNotFound
from tests.sandbox.airlock.test_chain import WHY, drawn, request_of
from tests.sandbox.sandbox_world import GOOD as GOOD_TABLE
from tests.sandbox.sandbox_world import World, code

LIMITS = default_limits()
PRACTICE = pa.table(
    {
        "patient": [f"X{i:05d}" for i in range(1000)],
        "sex": ["男" if i % 2 else "女" for i in range(1000)],
        "region": [("东", "西", "南", "北")[i % 4] for i in range(1000)],
        "cost": [100 + (i * 7919) % 901 for i in range(1000)],
    }
)
MATERIAL = material_of("visits", PRACTICE, avoided=frozenset({"patient"}), threshold=LIMITS.threshold)


@pytest.mark.parametrize("good", [True, False])
@pytest.mark.parametrize("number", range(12))
def test_made_cases_can_be_decided_by_a_checker_only(good: bool, number: int):
    """No blocking finding, or no checker would be needed; a good one raises no alarm at all."""
    assert MATERIAL is not None
    seed = make_seed(
        MATERIAL, title="就诊", good=good, direct=frozenset({"patient"}), limits=LIMITS, rng=Random(number)
    )
    assert seed is not None
    assert seed.template in (GOOD if good else BAD)
    assert not any(finding["blocking"] for finding in seed.package.findings)
    assert not (good and seed.package.findings)
    assert seed.package.files[0].content.count(b"\n") > 1
    assert f"/out/{seed.package.files[0].name}" in seed.package.code


def test_every_bad_template_passes_the_checks_and_is_explained():
    assert MATERIAL is not None
    made = {
        seed.template
        for number in range(60)
        if (seed := make_seed(MATERIAL, title="x", good=False, direct=frozenset(), limits=LIMITS, rng=Random(number)))
    }
    assert made == set(BAD)
    assert set(PLANTED) == set(GOOD) | set(BAD)


def test_a_table_with_nothing_to_group_gives_no_case():
    assert material_of("x", PRACTICE.select(["patient", "cost"]), avoided=frozenset({"patient"}), threshold=10) is None


@pytest.fixture
def planted(world: World, monkeypatch) -> tuple[str, str, str]:
    """A world in which every real case brings a seeded one: a real request, the seeded case, its checker."""
    monkeypatch.setattr(planting, "default_limits", lambda: replace(LIMITS, seed_one_in=1, seed_pool_minimum=4))
    monkeypatch.setattr(planting, "pq", Reading())
    job_id = world.submit(world.workspace("L1"), code({"t.csv": GOOD_TABLE}))
    with world.database.session() as session:
        seed = session.scalars(select(SeededCase)).one()
        checker = next(name for name, actor in world.users.items() if actor.id == seed.checker_id)
    return request_of(world, job_id).id, seed.id, checker


class Reading:
    """The practice data of this world has too few columns for a figure."""

    def read_table(self, path):
        assert path.is_file()
        return PRACTICE


def queue(world: World, who: str) -> list[service.Case]:
    with world.database.begin() as session:
        return service.queue(session, world.actor(who))


def test_it_looks_like_a_real_one_until_the_vote(world: World, planted: tuple[str, str, str]):
    from sandbox.web import views

    request, seed, checker = planted
    assert drawn(world, request) != [checker], "no request waits for somebody's seeded case"
    [real] = queue(world, drawn(world, request)[0])
    [made] = queue(world, checker)
    with world.database.session() as session:
        shown = [views.case(session, each, world.actor(checker), now=made.created_at) for each in (real, made)]
    assert shown[0].keys() == shown[1].keys()
    different = {key for key in shown[0] if shown[0][key] != shown[1][key]}
    assert different <= {"id", "workspace", "purpose", "entry", "created_at", "due_at", "earlier"}
    assert "seed" not in json.dumps(shown[1])
    door = RawDoorContext(world.settings, world.database, world.vault, world.keys)
    views_ = [
        rawdoor.view(door, world.actor(who), {"id": case.id, "purpose": "出域审查"})
        for case, who in ((real, drawn(world, request)[0]), (made, checker))
    ]
    assert views_[0].body.keys() == views_[1].body.keys()
    assert views_[0].body["run"].keys() == views_[1].body["run"].keys()
    assert views_[0].audit.type == views_[1].audit.type
    assert views_[1].audit.subject == f"release:{seed}"
    assert "seed" not in json.dumps(views_[1].body)
    for name in ("checker-1", "checker-2", "checker-3", "checker-4", "checker-5"):
        if name not in {checker, *drawn(world, request)}:
            with pytest.raises(WorkspaceNotFound):
                rawdoor.view(door, world.actor(name), {"id": seed, "purpose": "出域审查"})


@pytest.mark.parametrize("decision", list(Decision))
def test_the_vote_is_scored_and_releases_nothing(world: World, planted: tuple[str, str, str], decision: Decision):
    request, seed, checker = planted
    with pytest.raises(AirlockConflict, match="look at the content"), world.database.begin() as session:
        service.cast_vote(session, seed, actor=world.actor(checker), decision=decision, explanation=WHY)
    world.look(seed, checker)
    with world.database.begin() as session:
        case = service.cast_vote(session, seed, actor=world.actor(checker), decision=decision, explanation=WHY)
    world.work()
    with world.database.session() as session:
        row = session.get_one(SeededCase, seed)
        assert row.hit is ((decision is Decision.APPROVE) == row.good)
        assert scoring.feedback(session, case) is not None
        assert session.scalars(select(ReleasedOutput)).all() == []
        assert [each.id for each in session.scalars(select(ReleaseRequest))] == [request]
        assert seed not in set(session.scalars(select(Assignment.subject_id)))
        types = [entry.type for entry in session.scalars(select(LedgerEntry).order_by(LedgerEntry.index))]
    assert types[-2:] == ["airlock:vote:cast", "airlock:seed:score"]
    assert not [each for each in types[:-2] if "seed" in each]
    with pytest.raises(AirlockConflict), world.database.begin() as session:
        service.cast_vote(session, seed, actor=world.actor(checker), decision=decision, explanation=WHY)


def test_who_sees_the_scores(world: World, planted: tuple[str, str, str]):
    _, seed, checker = planted
    world.look(seed, checker)
    with world.database.begin() as session:
        service.cast_vote(session, seed, actor=world.actor(checker), decision=Decision.REJECT, explanation=WHY)
    with world.database.session() as session:
        for who in ("security", "auditor"):
            rows = {row.name: row.to_json() for row in scoring.scores(session, world.actor(who))}
            assert rows[checker]["cases"] == 1
            low, high = rows[checker]["interval"]
            assert low < high
            assert {row["rate"] for name, row in rows.items() if name != checker} == {None}
        for who in (checker, "reviewer", "researcher", "officer"):
            with pytest.raises(AirlockDenied):
                scoring.scores(session, world.actor(who))


def test_a_small_pool_gets_none_and_nobody_two_at_once(world: World, monkeypatch):
    monkeypatch.setattr(planting, "pq", Reading())
    workspace = world.workspace("L1")
    monkeypatch.setattr(planting, "default_limits", lambda: replace(LIMITS, seed_one_in=1, seed_pool_minimum=7))
    world.submit(workspace, code({"t.csv": GOOD_TABLE}))
    with world.database.session() as session:
        assert session.scalars(select(SeededCase)).all() == []
    monkeypatch.setattr(planting, "default_limits", lambda: replace(LIMITS, seed_one_in=1, seed_pool_minimum=4))
    for number in range(8):
        world.submit(workspace, code({"t.csv": GOOD_TABLE}, comment=number))
    with world.database.session() as session:
        checkers = list(session.scalars(select(SeededCase.checker_id)))
    assert 4 <= len(checkers) <= 6
    assert len(checkers) == len(set(checkers))


def test_a_case_that_cannot_be_made_stops_no_request(world: World, monkeypatch):
    monkeypatch.setattr(planting, "default_limits", lambda: replace(LIMITS, seed_one_in=1, seed_pool_minimum=4))
    monkeypatch.setattr(planting, "pq", None)
    job_id = world.submit(world.workspace("L1"), code({"t.csv": GOOD_TABLE}))
    assert request_of(world, job_id).state == "in_review"


@given(st.integers(0, 200), st.integers(0, 200))
def test_law_the_interval_holds_the_share_and_narrows(hits: int, more: int):
    cases = hits + more
    low, high = scoring.wilson(hits, cases)
    assert 0 <= low <= high <= 1
    if cases:
        assert low <= hits / cases + 1e-9
        assert hits / cases - 1e-9 <= high
        wide = high - low
        assert scoring.wilson(4 * hits, 4 * cases)[1] - scoring.wilson(4 * hits, 4 * cases)[0] < wide
