"""Differencing attacks over two releases, editions and parents, each with the control that shows it would work."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from opendata.catalog.models import Dataset, Edition
from opendata.db import utc_now
from opendata.publishing.models import Exposure
from sandbox.airlock import service
from sandbox.airlock.differencing import Difference, differences
from sandbox.airlock.limits import default_limits
from sandbox.airlock.models import ReleasedOutput, ReleaseRequest
from sandbox.airlock.package import Package, package_name
from sandbox.airlock.rules import Decision
from sandbox.airlock.shown import ShownTable, read_table
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.errors import WorkspaceDenied
from sandbox.workspaces.models import Workspace
from tests.sandbox.airlock.test_chain import drawn, request_of, vote
from tests.sandbox.sandbox_world import RAW, World, code

LIMITS = default_limits()
ATTRIBUTES = frozenset({"sex", "age", "visits"})


def compare(new: str, old: str, *, released: bool = True) -> list[Difference]:
    mine, theirs = (read_table("t.csv", text.encode(), attributes=ATTRIBUTES) for text in (new, old))
    assert mine is not None
    assert theirs is not None
    return differences(mine, [ShownTable("release x", theirs, released=released)], LIMITS)


OLD = "sex,n,mean_visits\n女,1500,3\n男,1500,3\n"


@pytest.mark.parametrize(
    ("new", "old", "found"),
    [
        (OLD, OLD, []),  # a rerun with the same answer tells nothing new
        ("sex,n\n女,1500\n男,1490\n", "sex,n\n女,1500\n男,1500\n", [(1, False, False)]),  # one person fewer
        ("sex,n\n女,1500\n男,900\n", "sex,n\n女,1500\n男,1500\n", []),  # many fewer: a group of its own
        ("sex,n,mean_visits\n女,1500,3\n男,1500,2.99\n", OLD, [(1, True, False)]),  # as many, of others
        ("sex,n,mean_visits\n女,1500,3\n男,1490,2.99\n", OLD, [(1, True, False)]),  # fewer, and their mean follows
        ("gender,n\n女,1500\n男,1490\n", "sex,n\n女,1500\n男,1500\n", [(1, False, False)]),  # renamed variable
        ("sex,persons\n女,1500\n男,1490\n", "sex,n\n女,1500\n男,1500\n", [(1, False, False)]),  # renamed count
        ("sex,n\n男,1490\n女,1500\n", "sex,n\n合计,3000\n女,1500\n男,1500\n", [(1, False, False)]),  # beside totals
        ("age,n\n60,100\n61,100\n", "sex,n\n女,1500\n男,1500\n", []),  # other variables
        ("sex,n\nF,1500\nM,1495\n", "sex,n\n女,1500\n男,1500\n", []),  # relabelled: not seen (threat model)
    ],
)
def test_two_releases(new: str, old: str, found: list[tuple[int, bool, bool]]):
    assert [(d.cells, d.values, d.nested) for d in compare(new, old)] == found


@pytest.mark.parametrize(
    ("new", "old", "cells"),
    [
        ("sex,n\n女,1500\n男,1500\n", "sex,age,n\n女,60,745\n女,70,750\n男,60,750\n", 0),  # far from all children
        ("sex,n\n女,750\n男,750\n", "sex,age,n\n女,60,745\n男,60,375\n男,70,375\n", 1),  # the hidden child has 5
        ("sex,age,n\n女,60,745\n男,60,375\n男,70,375\n", "sex,n\n女,750\n男,750\n", 1),  # the other way round
        ("age,n\n60,1495\n", "合计,n\n合计,1500\n", 0),  # no second label: nothing is hidden
    ],
)
def test_parent_less_children(new: str, old: str, cells: int):
    assert sum(d.cells for d in compare(new, old) if d.nested) == cells


def test_children_of_an_exact_table_give_the_difference_away():
    """An edition's counts are not rounded: 1,503 beside 750 + 745 leaves few persons, beside 752 + 751 nobody."""
    old = "sex,age,n\n女,60,752\n女,70,741\n"
    assert [d.nested for d in compare("sex,n\n女,1500\n", old, released=False)] == [True]
    assert compare("sex,n\n女,1500\n", "sex,age,n\n女,60,752\n女,70,749\n", released=False) == []


@given(st.lists(st.integers(2, 4000), min_size=1, max_size=6), st.integers(0, 5), st.integers(1, 4))
def test_law_one_step_less_is_always_seen_and_equality_never(counts: list[int], place: int, steps: int):
    rounded = [5 * c for c in counts if 5 * c < 1000] or [500]
    text = "g,n\n" + "".join(f"g{i},{n}\n" for i, n in enumerate(rounded))
    assert compare(text, text) == []
    changed = [n - 5 if i == place % len(rounded) else n for i, n in enumerate(rounded)]
    other = "g,n\n" + "".join(f"g{i},{n}\n" for i, n in enumerate(changed))
    assert [d.cells for d in compare(other, text)] == [1]
    assert [d.cells for d in compare(text, other)] == [1]


def second_workspace(world: World, dataset: str, name: str, owner: str = "outsider") -> str:
    with world.database.begin() as session:
        made = workspaces.apply(
            session, actor=world.actor(owner), name=name, title="另一研究", purpose="另一个关于就诊次数的研究",
            datasets=[dataset], term_days=30, **world.signature(owner), grades=world.grades, calendar=world.calendar,
        )  # fmt: skip
        identifier = made.id
    world.approve(identifier)
    return identifier


def findings(world: World, job_id: str) -> list[dict]:
    with world.vault.open_object(package_name(request_of(world, job_id).id)) as stream:
        return [f for f in Package.from_bytes(stream.read()).findings if f["other"]]


DRY_COUNTS = {"t.csv": "sex,n\n女,500\n男,500\n"}


def counts(women: int, men: int) -> bytes:
    """A program that gives these counts by sex."""
    return code({"t.csv": f"sex,n\n女,{women}\n男,{men}\n"}, DRY_COUNTS)


def release(world: World, workspace: str, program: bytes) -> str:
    job_id = world.submit(workspace, program)
    request = request_of(world, job_id)
    vote(world, request.id, drawn(world, request.id)[0], Decision.APPROVE)
    with world.database.session() as session:
        return session.scalars(select(ReleasedOutput.id).where(ReleasedOutput.request_id == request.id)).one()


def test_releases_of_two_workspaces_that_differ_by_one_person(world: World):
    first = release(world, world.workspace("L1"), counts(1500, 1500))
    other = second_workspace(world, "study-data", "other")
    control = world.submit(other, counts(1500, 1500), author="outsider")
    assert findings(world, control) == []
    attack = world.submit(other, counts(1500, 1490), author="outsider")
    # Beside the release, and beside the control that waits for its votes.
    [one, two] = findings(world, attack)
    assert {one["rule"], two["rule"]} == {"differencing"}
    assert {one["other"], two["other"]} == {
        f"release {first[:8]} t.csv",
        f"pending {request_of(world, control).id[:8]} t.csv",
    }
    assert (one["column"], one["count"]) == ("sex", 1)
    assert first[:8] in one["en"] + two["en"]
    assert not {cell for cell in ("1490", "1500") if cell in json.dumps([one, two])}, "a finding quotes no cell"


def test_figures_of_few_persons_by_difference_cannot_leave_even_after_a_revocation(world: World):
    workspace = world.workspace("L1")
    output = release(world, workspace, code({"t.csv": OLD}))
    with world.database.begin() as session:
        found = session.get_one(ReleasedOutput, output)
        service.revoke(session, found, actor=world.actor("security"), reason="数据提供部门要求撤回")
    job_id = world.submit(workspace, code({"t.csv": "sex,n,mean_visits\n女,1500,3\n男,1490,2.99\n"}))
    assert [f["rule"] for f in findings(world, job_id)] == ["differencing_values"]
    assert request_of(world, job_id).state == "blocked"


def expose(world: World, kind: str, table: pa.Table, csv: str) -> str:
    """An edition as publishing leaves it: its files in open storage and its exposure."""
    with world.database.begin() as session:
        dataset = session.scalars(select(Dataset)).one()
        edition = session.get_one(Edition, dataset.current_edition_id)
        edition.kind, edition.digest = kind, "e" * 64
        edition.files = [{"name": "t.csv", "format": "csv"}, {"name": "t.parquet", "format": "parquet"}]
        session.add(
            Exposure(
                population=dataset.id, kind="edition", reference=edition.id, quasi_identifiers=["sex"], at=utc_now()
            )
        )
        identifier = edition.id
    staged = world.editions.stage(identifier)
    (staged / "t.csv").write_text(csv)
    pq.write_table(table, staged / "t.parquet")
    world.editions.publish(identifier, "e" * 64)
    return identifier


def test_release_beside_an_edition_of_groups(world: World):
    workspace = world.workspace("L1")
    edition = expose(world, "aggregate", pa.table({"sex": ["女"]}), "sex,n\n女,1500\n男,1500\n")
    control = world.submit(workspace, counts(1500, 1500))
    assert findings(world, control) == []
    attack = world.submit(workspace, counts(1500, 1490))
    assert f"edition {edition[:8]} t.csv" in {f["other"] for f in findings(world, attack)}


def test_release_beside_an_edition_of_records(world: World):
    """Anybody can count the records of a published edition."""
    workspace = world.workspace("L1")
    edition = expose(world, "microdata", RAW.select(["sex", "visits"]), "")
    control = world.submit(workspace, counts(1500, 1500))
    assert findings(world, control) == []
    attack = world.submit(workspace, counts(1500, 1490))
    assert f"edition {edition[:8]}" in {f["other"] for f in findings(world, attack)}


def test_what_cannot_be_read_any_more_is_named(world: World):
    workspace = world.workspace("L1")
    with world.database.begin() as session:
        dataset = session.scalars(select(Dataset)).one()
        session.add(Exposure(population=dataset.id, kind="gone", reference="0123456789", at=utc_now()))
        variables = {"kind": "query", "quasi_identifiers": ["sex", "age"]}
        session.add(Exposure(population=dataset.id, reference="abcdefghij", at=utc_now(), **variables))
    job_id = world.submit(workspace, counts(1500, 1500))
    found = {(f["rule"], f["other"]) for f in findings(world, job_id)}
    assert found == {("not_compared", "gone 01234567"), ("beside_noise", "query abcdefgh")}


def test_author_is_told_what_will_be_compared_and_no_figure(world: World):
    from opendata.db import new_id
    from opendata.jobs import enqueue
    from opendata.storage.vault import SealedWriter
    from sandbox.airlock.models import PracticeCheck

    workspace = world.workspace("L1")
    output = release(world, workspace, counts(1500, 1500))
    identifier = new_id()
    with SealedWriter(world.settings, identifier) as sealed:
        sealed.write("sex,n\n女,300\n男,305\n".encode())
    with world.database.begin() as session:
        session.add(
            PracticeCheck(
                id=identifier,
                workspace_id=workspace,
                author_id=world.actor("researcher").id,
                filename="t.csv",
                digest="0" * 64,
                created_at=utc_now(),
            )
        )
        enqueue(session, "sandbox.check", {"check_id": identifier}, actor_id=None)
    world.work()
    with world.database.session() as session:
        check = session.get_one(PracticeCheck, identifier)
    [told] = [f for f in check.findings or [] if f["other"]]
    assert (told["rule"], told["other"], told["blocking"]) == ("compared_later", f"release {output[:8]} t.csv", False)


def test_something_shown_between_comparison_and_storage_is_compared_too(world: World, monkeypatch):
    """Another worker stores its output while this one compares: the comparison is made again."""
    from sandbox.airlock import checking

    workspace = world.workspace("L1")
    real, calls = checking.compare, []

    def slow(context, files, earlier, *rest, **more):
        calls.append([each.kind for each in earlier])
        if len(calls) == 1:
            with context.database.begin() as session:
                dataset = session.scalars(select(Dataset)).one()
                session.add(Exposure(population=dataset.id, kind="gone", reference="0123456789", at=utc_now()))
        return real(context, files, earlier, *rest, **more)

    monkeypatch.setattr(checking, "compare", slow)
    job_id = world.submit(workspace, counts(1500, 1500))
    assert calls == [[], ["gone"]]
    assert [f["rule"] for f in findings(world, job_id)] == ["not_compared"]
    with world.database.session() as session:
        assert session.scalars(select(ReleaseRequest)).one().findings_count == 1


def test_workspaces_that_share_a_member_or_organisation_spend_one_budget(world: World):
    """The colleague is of the researcher's organisation, the outsider of another one."""
    first = world.workspace("L1")
    same = second_workspace(world, "study-data", "same", owner="colleague")
    apart = second_workspace(world, "study-data", "apart")
    with world.database.begin() as session:
        session.get_one(Workspace, first).bits_spent = session.get_one(Workspace, first).bits_budget
    assert world.job(world.submit(apart, counts(1500, 1500), author="outsider")).state == "finished"
    with pytest.raises(WorkspaceDenied):
        world.submit(same, counts(1500, 1500), author="colleague")
    # One person in both makes all three one.
    world.join(apart, "colleague")
    with pytest.raises(WorkspaceDenied):
        world.submit(apart, counts(1500, 1500), author="outsider")
