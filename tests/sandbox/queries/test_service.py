"""Computing and asking: who may, once, four eyes, recorded first, refused by shape alone, nothing of a failure stays."""

from __future__ import annotations

import json
from datetime import timedelta

import pyarrow as pa
import pytest
from sqlalchemy import func, select

from masking.taxonomy import DataLevel
from opendata.access.errors import AccessDenied
from opendata.access.models import AccessLog, Grant
from opendata.catalog.errors import DatasetNotFound
from opendata.catalog.models import Dataset, Edition
from opendata.db import new_id, utc_now
from opendata.errors import JobCancelled
from opendata.ledger.models import LedgerEntry, LedgerOpening
from opendata.publishing.models import Exposure, Intake
from sandbox.queries import jobs, service
from sandbox.queries.errors import QuestionRefused, TablesConflict, TablesDenied, TablesTooSparse
from sandbox.queries.models import FixedCube, FixedQuestion, FixedTable
from sandbox.queries.states import TRANSITIONS, CubeState
from sandbox.workspaces import service as workspaces
from tests.sandbox.queries.conftest import Tables
from tests.sandbox.queries.cubes import POLICY, persons_table
from tests.sandbox.sandbox_world import World


def entries(world: World, kind: str) -> list[dict]:
    with world.database.session() as session:
        found = session.scalars(
            select(LedgerOpening).join(LedgerEntry, LedgerEntry.index == LedgerOpening.index)
            .where(LedgerEntry.type == kind).order_by(LedgerEntry.index)
        )  # fmt: skip
        return [json.loads(each.payload) for each in found]


def change(world: World, name: str, **values) -> None:
    with world.database.begin() as session:
        dataset = session.scalars(select(Dataset).where(Dataset.name == name)).one()
        for field, value in values.items():
            setattr(dataset, field, value)


def grant(world: World, name: str, person: str, **values) -> str:
    now = utc_now()
    with world.database.begin() as session:
        dataset = session.scalars(select(Dataset).where(Dataset.name == name)).one()
        made = Grant(
            dataset_id=dataset.id, user_id=world.actor(person).id, organization_id=world.actor(person).organization_id,
            purpose="研究", quota_per_day=100, starts_at=now - timedelta(1), expires_at=now + timedelta(30),
            created_at=now,
        )  # fmt: skip
        for field, value in values.items():
            setattr(made, field, value)
        session.add(made)
        session.flush()
        return made.id


# Asking.


def test_an_answer_is_near_the_truth_and_says_how_near(tables: Tables):
    tables.ready("visits")
    answer = tables.ask("visits", "kind", n="count", cost="cost:mean", all="cost:sum")
    assert [each.name for each in answer.columns] == ["kind", "n", "n_error", "cost", "cost_error", "all", "all_error"]
    frame = persons_table().to_pandas()
    assert (answer.cells, answer.hidden) == (9, 0)
    for kind, n, n_error, cost, cost_error, all_, all_error in answer.rows:
        own = frame[frame.kind == kind]
        assert abs(n - len(own)) <= 3 * n_error
        assert abs(cost - own.cost.mean()) <= 3 * cost_error
        assert abs(all_ - own.cost.sum()) <= 3 * all_error
    assert answer.labels["kind"]["=a"] == {"zh": "甲", "en": "one"}


def test_the_answer_is_the_same_for_everybody_and_every_time(tables: Tables):
    tables.ready("visits")
    first = tables.ask("visits", "sex", "age")
    assert tables.ask("visits", "age", "sex", actor="researcher") == first
    assert tables.ask("visits", "sex", "age", actor="officer") == first


def test_a_first_answer_is_recorded_once_and_names_no_figure(tables: Tables):
    tables.ready("visits")
    for _ in range(3):
        tables.ask("visits", "sex", n="count", m="count")
    tables.ask("visits", "sex", n="cost:mean", actor="researcher")
    recorded = entries(tables.world, "sandbox:tables:answer")
    assert [_inner(each)["question"] for each in recorded] == [
        '["sex"] count', '["sex"] cost:mean',
    ]  # fmt: skip
    with tables.world.database.session() as session:
        assert session.scalar(select(func.count()).select_from(FixedQuestion)) == 2


def _inner(entry: dict) -> dict:
    return entry.get("payload", entry)


def test_nothing_is_answered_when_the_ledger_refuses(tables: Tables, monkeypatch):
    tables.ready("visits")

    def refuse(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(service, "append", refuse)
    with pytest.raises(OSError, match="full"):
        tables.ask("visits", "sex")
    monkeypatch.undo()
    assert entries(tables.world, "sandbox:tables:answer") == []


@pytest.mark.parametrize(
    ("by", "measures", "words"),
    [
        (["colour"], {"n": "count"}, "not registered"),
        (["cost"], {"n": "count"}, "not registered"),  # a column that is no dimension
        (["sex", "sex"], {"n": "count"}, "twice"),
        (["sex' OR 1=1 --"], {"n": "count"}, "not registered"),
        (["__class__"], {"n": "count"}, "not registered"),
        (["sex", "age", "kind", "more"], {"n": "count"}, "not registered"),
        ("sex", {"n": "count"}, "list of names"),
        ([{"sex": 1}], {"n": "count"}, "list of names"),
        (["sex"], {}, "1 to 20"),
        (["sex"], {f"n{place}": "count" for place in range(21)}, "1 to 20"),
        (["sex"], {"n": "age:sum"}, "is not registered"),
        (["sex"], {"n": "cost:max"}, "is not registered"),
        (["sex"], {"n": "cost:sum; drop"}, "is not registered"),
        (["sex"], {"n": {"sum": ["cost"]}}, "is not registered"),
        (["sex"], {"n": None}, "is not registered"),
        (["sex"], {"=cmd()": "count"}, "begins with a letter"),
        (["sex"], {"n\n": "count"}, "begins with a letter"),
        (["sex"], {"sex": "count"}, "is that of a dimension"),
        (["sex"], {"n": "count", "n_error": "count"}, "of another column"),
    ],
)
def test_a_question_of_another_shape_is_refused(standing: Tables, by, measures, words):
    with pytest.raises(QuestionRefused, match=words) as refused:
        service.ask(
            standing.world.database, "visits", by=by, measures=measures, actor=None, grades=standing.world.grades
        )
    assert "OR 1=1" not in str(refused.value)


def test_four_dimensions_are_too_many(tables: Tables):
    yaml = POLICY.replace("      kind:", "      child: {from: age, edges: [null, 18, null], other: false}\n      kind:")
    tables.ready("visits", yaml=yaml, table=persons_table(40_000))
    tables.ask("visits", "sex", "age", "child")
    with pytest.raises(QuestionRefused, match="at most 3"):
        tables.ask("visits", "sex", "age", "child", "kind")


def test_refusals_of_two_datasets_that_differ_are_the_same(tables: Tables):
    """The refusal oracle: whatever is in the table, the same questions are refused in the same words."""
    said = []
    for name, table in (("one", persons_table(3000)), ("two", persons_table(3000, seed=9).slice(0, 2900))):
        tables.ready(name, table=table)
        for by in (["sex"], ["colour"], ["age", "age"], ["kind", "cost"]):
            for words in ("count", "cost:max", "zebra"):
                try:
                    service.ask(
                        tables.world.database, name, by=by, measures={"n": words}, actor=None,
                        grades=tables.world.grades,
                    )  # fmt: skip
                    said.append((name, "answered"))
                except QuestionRefused as error:
                    said.append((name, str(error)))
    half = len(said) // 2
    assert [each for _, each in said[:half]] == [each for _, each in said[half:]]


# Who.


def test_level_one_answers_everybody(standing: Tables):
    for person in (None, "outsider", "reviewer", "officer", "auditor"):
        assert standing.ask("visits", "sex", actor=person).rows


def test_level_two_answers_holders_members_and_the_department(tables: Tables):
    tables.ready("visits", "L2", table=persons_table(3000))
    grant(tables.world, "visits", "outsider")
    grant(tables.world, "visits", "colleague", expires_at=utc_now() - timedelta(1))
    _workspace(tables.world)
    for person in ("outsider", "researcher", "officer"):
        assert tables.ask("visits", "sex", actor=person).rows
    for person in (None, "colleague", "reviewer", "auditor", "checker-1"):
        with pytest.raises(AccessDenied) as denied:
            tables.ask("visits", "sex", actor=person)
        assert denied.value.door is not None
        assert denied.value.clause["zh"]


def _workspace(world: World) -> str:
    with world.database.begin() as session:
        made = workspaces.apply(
            session, actor=world.actor("researcher"), name="study", title="研究", purpose="研究就诊费用与年龄的关系",
            datasets=["visits"], term_days=30, **world.signature("researcher"), grades=world.grades, calendar=world.calendar,
        )  # fmt: skip
        made.state, made.expires_at = "approved", utc_now() + timedelta(30)
        return made.id


def test_a_closed_workspace_a_revoked_grant_and_a_raised_level_end_it(tables: Tables):
    tables.ready("visits", "L2", table=persons_table(3000))
    held, place = grant(tables.world, "visits", "outsider"), _workspace(tables.world)
    tables.ask("visits", "sex", actor="researcher")
    tables.ask("visits", "sex", actor="outsider")
    with tables.world.database.begin() as session:
        session.get_one(Grant, held).revoked_at = utc_now()
        session.get_one(workspaces.Workspace, place).state = "closed"
    for person in ("researcher", "outsider"):
        with pytest.raises(AccessDenied):
            tables.ask("visits", "sex", actor=person)
    change(tables.world, "visits", level="L3")
    with pytest.raises(AccessDenied, match="不提供"):
        tables.ask("visits", "sex", actor="officer")


def test_answers_of_conditional_tables_are_lines_of_the_access_log(tables: Tables):
    tables.ready("visits", "L2", table=persons_table(3000))
    held = grant(tables.world, "visits", "outsider", quota_per_day=2)
    tables.ask("visits", "sex", actor="outsider")
    tables.ask("visits", "sex", actor="outsider")
    with pytest.raises(AccessDenied, match="限额"):
        tables.ask("visits", "sex", actor="outsider")
    with tables.world.database.session() as session:
        lines = session.scalars(select(AccessLog)).all()
    assert [(line.door, line.grant_id) for line in lines] == [("tables", held)] * 2


def test_a_hidden_dataset_looks_absent(tables: Tables):
    tables.ready("visits", table=persons_table(3000))
    change(tables.world, "visits", visibility="none")
    errors = []
    for name in ("visits", "no-such-dataset"):
        with pytest.raises(DatasetNotFound) as absent:
            tables.ask(name, "sex")
        errors.append(str(absent.value))
    assert errors[0] == errors[1]
    assert tables.ask("visits", "sex", actor="officer").rows


@pytest.mark.parametrize("act", ["edition", "cube's edition", "dataset"])
def test_taking_down_shuts_the_tables_at_once(tables: Tables, act):
    tables.ready("visits", table=persons_table(3000))
    tables.ask("visits", "sex")
    with tables.world.database.begin() as session:
        dataset = session.scalars(select(Dataset).where(Dataset.name == "visits")).one()
        if act == "dataset":
            dataset.state = "withdrawn"
            dataset.visibility = "public"
        else:
            session.scalars(select(Edition)).one().state = "withdrawn"
    with pytest.raises(AccessDenied if act != "dataset" else DatasetNotFound):
        tables.ask("visits", "sex")


# Computing.


def test_publication_is_recorded_before_and_remembered(tables: Tables):
    tables.ready("visits", table=persons_table(3000))
    [published] = map(_inner, entries(tables.world, "sandbox:tables:publish"))
    assert published["dimensions"] == ["sex", "age", "kind"]
    with tables.world.database.session() as session:
        cube = session.scalars(select(FixedCube)).one()
        exposure = session.scalars(select(Exposure)).one()
        stored = session.scalars(select(FixedTable)).all()
    assert (exposure.kind, exposure.reference, exposure.population) == ("query", cube.id, cube.dataset_id)
    assert exposure.quasi_identifiers == ["sex", "age", "kind"]
    assert len(stored) == 8
    assert cube.ledger_index is not None


@pytest.mark.parametrize(
    ("level", "negative", "reviewed", "yaml", "who", "error"),
    [
        ("L3", False, True, POLICY, "officer", AccessDenied),
        ("L4", False, True, POLICY, "officer", AccessDenied),
        ("important", False, True, POLICY, "officer", AccessDenied),
        (None, False, True, POLICY, "officer", AccessDenied),
        ("L1", True, True, POLICY, "officer", AccessDenied),
        ("L1", False, False, POLICY, "officer", TablesDenied),  # nobody else has looked at the registration
        ("L1", False, True, POLICY, "researcher", TablesDenied),
        ("L1", False, True, POLICY, "reviewer", TablesDenied),
        ("L1", False, True, POLICY.split("sandbox:")[0], "officer", TablesDenied),
    ],
)
def test_who_may_have_what_computed(standing: Tables, level, negative, reviewed, yaml, who, error):
    name = standing.dataset(f"d{new_id()}", level, reviewed=reviewed, yaml=yaml, table=persons_table(3000))
    change(standing.world, name, negative_list=negative)
    with pytest.raises(error) as refused:
        standing.request(name, by=who)
    if error is AccessDenied:
        assert refused.value.door is not None
    with standing.world.database.session() as session:
        assert len(session.scalars(select(FixedCube)).all()) == 1


def test_without_a_published_edition_or_a_readable_intake_nothing_is_computed(tables: Tables):
    tables.dataset("visits", "L1", table=persons_table(3000))
    with tables.world.database.begin() as session:
        session.scalars(select(Intake)).one().state = "erased"
    with pytest.raises(TablesConflict, match="not available any more"):
        tables.request("visits")
    change(tables.world, "visits", current_edition_id=None)
    with pytest.raises(TablesConflict, match="no published edition"):
        tables.request("visits")


def test_there_is_no_second_version(tables: Tables):
    """Two intakes: the same one never again, another one of the population not within a year, then a noisier one."""
    tables.ready("visits", table=persons_table(3000))
    first = tables.ask("visits", "sex")
    with pytest.raises(TablesConflict, match="no second set"):
        tables.request("visits")
    _change_registration(tables)
    with pytest.raises(TablesConflict, match="no second set"):
        tables.request("visits")
    tables.intake("visits", persons_table(3100))
    for days in (0, 364):
        with pytest.raises(TablesConflict, match="no new one before"):
            tables.request("visits", now=utc_now() + timedelta(days))
    assert tables.ask("visits", "sex") == first  # the old one stays, with its date
    second = tables.compute("visits", now=utc_now() + timedelta(366))
    assert second.state == "failed"  # the worker's own clock says no as well
    with tables.world.database.begin() as session:
        for cube in session.scalars(select(FixedCube).where(FixedCube.state == "published")):
            cube.published_at -= timedelta(366)
    second = tables.compute("visits")
    assert (second.state, second.number) == ("published", 2)
    with tables.world.database.session() as session:
        deviations = sorted(
            each.design["deviation"] for each in session.scalars(select(FixedCube)) if each.state == "published"
        )
    assert deviations[1] == pytest.approx(deviations[0] * 2**0.5)
    assert tables.ask("visits", "sex").number == 2


def _change_registration(tables: Tables) -> None:
    from opendata.publishing.models import PolicyVersion

    with tables.world.database.begin() as session:
        for version in session.scalars(select(PolicyVersion)):
            version.yaml = POLICY.replace("[0, 30, 60, null]", "[0, 29, 60, null]")


def test_one_at_a_time(tables: Tables):
    tables.dataset("visits", "L1", table=persons_table(3000))
    tables.request("visits")
    with pytest.raises(TablesConflict, match="being computed"):
        tables.request("visits")


def test_too_sparse_is_said_at_once_and_names_what_to_drop(tables: Tables):
    tables.dataset("visits", "L1", table=persons_table(300))
    with pytest.raises(TablesTooSparse, match="drop the dimension sex"):
        tables.request("visits")


def test_too_sparse_is_found_by_the_job_when_few_persons_have_many_records(tables: Tables):
    table = persons_table(3000)
    few = table.set_column(0, "patient", pa.array([f"P{place % 60}" for place in range(3000)]))
    tables.dataset("visits", "L1", table=few)
    cube = tables.compute("visits")
    assert cube.state == "failed"
    assert "too sparse" in cube.error
    with tables.world.database.session() as session:
        assert session.scalars(select(FixedTable)).all() == []
        assert session.scalars(select(Exposure)).all() == []
    with pytest.raises(AccessDenied):
        tables.ask("visits", "sex")


def test_a_cancelled_job_leaves_nothing_and_may_be_asked_again(tables: Tables, monkeypatch):
    tables.dataset("visits", "L1", table=persons_table(3000))

    def stop(*_, **__):
        raise JobCancelled

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "count", stop)
        cube_id = tables.request("visits")
        with pytest.raises(JobCancelled):
            tables.world.work()
    with tables.world.database.session() as session:
        assert session.get_one(FixedCube, cube_id).state == "cancelled"
        assert session.scalars(select(FixedTable)).all() == []
    assert tables.compute("visits").state == "published"


def test_a_level_raised_meanwhile_stops_publication(tables: Tables):
    tables.dataset("visits", "L1", table=persons_table(3000))
    cube_id = tables.request("visits")
    change(tables.world, "visits", level="L3")
    tables.world.work()
    with tables.world.database.session() as session:
        assert session.get_one(FixedCube, cube_id).state == "failed"
    assert entries(tables.world, "sandbox:tables:publish") == []


def test_a_step_that_runs_twice_makes_one_cube(tables: Tables):
    """A crash after the transaction: the step runs again."""
    tables.ready("visits", table=persons_table(3000))
    first = tables.ask("visits", "sex", "age", "kind")
    from opendata.jobs import Job
    from tests.sandbox.sandbox_world import Context

    with tables.world.database.session() as session:
        job = session.scalars(select(Job)).one()
        session.expunge(job)
    jobs.compute(Context(tables.world, job), job.arguments)
    assert tables.ask("visits", "sex", "age", "kind") == first
    assert len(entries(tables.world, "sandbox:tables:publish")) == 1


def test_an_erased_intake_makes_no_cube(tables: Tables):
    tables.dataset("visits", "L1", table=persons_table(3000))
    cube_id = tables.request("visits")
    with tables.world.database.session() as session:
        tables.world.vault.destroy(session.get_one(FixedCube, cube_id).intake_id)
    tables.world.work()
    with tables.world.database.session() as session:
        assert session.get_one(FixedCube, cube_id).state == "failed"


def test_no_true_figure_is_stored(tables: Tables):
    """A cell of one person and a value that nobody else has: neither is anywhere in the database."""
    table = persons_table(3000)
    tables.ready("visits", table=table)
    world = tables.world
    world.database.dispose()
    kept = b"".join(path.read_bytes() for path in world.settings.home.glob("opendata.sqlite*"))
    assert b"P000123" not in kept
    for stored in _contents(tables):
        assert str(table["cost"][123].as_py()) not in json.dumps(stored)


def _contents(tables: Tables) -> list[dict]:
    from sandbox.queries.tables import unpacked

    with tables.world.database.session() as session:
        return [unpacked(each.content) for each in session.scalars(select(FixedTable))]


def test_states_are_data():
    assert TRANSITIONS[CubeState.PUBLISHED] == frozenset()
    assert set(TRANSITIONS) == set(CubeState)


def test_registered_says_what_can_be_asked_and_by_whom(tables: Tables):
    tables.dataset("visits", "L2", table=persons_table(3000))
    world = tables.world

    def seen(person: str | None):
        with world.database.session() as session:
            return service.registered(
                session, "visits", actor=world.actor(person) if person else None, grades=world.grades
            )

    assert (seen(None).state, seen("officer").may_compute) == ("none", True)
    tables.compute("visits")
    outside, inside = seen(None), seen("officer")
    assert (outside.may_ask, inside.may_ask) == (False, True)
    assert outside.door is not None
    assert [each.name for each in outside.dimensions] == ["sex", "age", "kind"]
    assert [each.ask for each in inside.measures] == [("count",), ("cost:sum", "cost:mean")]
    change(world, "visits", level="L3")
    assert seen("officer").dimensions == ()


@pytest.mark.parametrize(
    ("level", "person", "kind", "words"),
    [
        ("L4", "researcher", "job", "域内作业"),  # is in a workspace that holds it
        ("L4", "outsider", "sandbox", "数据沙箱"),  # no application opens tables of this level
        ("L4", "officer", "department", "数据集已发布"),
        ("L2", "outsider", "apply", "使用申请"),  # a grant does
        ("L2", None, "sign_in", "登录"),
    ],
)
def test_a_refusal_names_the_basis_and_the_nearest_door_that_leads_to_figures(
    tables: Tables, level, person, kind, words
):
    """The control: at level 2 the member is answered."""
    tables.ready("visits", "L2", table=persons_table(3000))
    _workspace(tables.world)
    assert tables.ask("visits", "sex", actor="researcher").rows
    change(tables.world, "visits", level=level)
    with pytest.raises(AccessDenied) as refused:
        tables.ask("visits", "sex", actor=person)
    assert (refused.value.door.kind, words in refused.value.door.text["zh"]) == (kind, True)
    clause = tables.world.grades.clause(DataLevel(level))
    assert refused.value.clause == refused.value.door.clause == clause


def test_an_officer_of_a_closed_level_is_not_told_to_publish_again(tables: Tables):
    tables.dataset("visits", "L4")
    with pytest.raises(AccessDenied) as refused:
        tables.compute("visits")
    assert "送审" not in refused.value.door.text["zh"]
    assert "域内作业" in refused.value.door.text["zh"]


def test_nobody_is_sent_to_a_workspace_that_could_not_be_applied_for(tables: Tables):
    tables.ready("visits", "L2", table=persons_table(3000))
    change(tables.world, "visits", current_edition_id=None)
    with pytest.raises(AccessDenied) as refused:
        tables.ask("visits", "sex", actor="researcher")
    assert refused.value.door.kind == "later"
