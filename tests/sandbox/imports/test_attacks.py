"""Attacks with imports: singling out by two versions, asking who is in the data. Each with its positive control."""

from __future__ import annotations

import json

import pytest

from sandbox.airlock.checks.joins import check_joins
from sandbox.airlock.limits import default_limits
from sandbox.airlock.package import Package, package_name
from sandbox.imports import mounting
from sandbox.imports.groups import Difference, difference, fingerprints, near_groups
from sandbox.imports.limits import default_rules
from sandbox.imports.visibility import import_view
from sandbox.workspaces.imports import JoinCounts, counts_object
from sandbox.workspaces.models import Workspace
from tests.sandbox.airlock.test_chain import accept_code, request_of
from tests.sandbox.imports.conftest import ImportWorld, people
from tests.sandbox.sandbox_world import RAW, code

LIMITS = default_rules().limits
KEY = b"k" * 32


def sum_of_visits(table) -> int:
    wanted = set(table["patient"].to_pylist())
    pairs = zip(RAW["patient"].to_pylist(), RAW["visits"].to_pylist(), strict=True)
    return sum(visits for patient, visits in pairs if patient in wanted)


def test_two_versions_that_differ_in_one_person_are_refused(world: ImportWorld, monkeypatch):
    workspace = world.workspace("L1")
    everyone, but_one = people(range(2000, 3500)), people([i for i in range(2000, 3500) if i != 2345])
    # What the attack would read: the difference of two sums is the person's own value.
    assert sum_of_visits(everyone) - sum_of_visits(but_one) == 2345 % 7
    world.bring(workspace, everyone)
    second = world.bring(workspace, but_one)
    assert (world.row(second).state, world.row(second).outcome) == ("destroyed", "refused")
    assert "single" in world.row(second).error
    assert "2345" not in world.row(second).error
    # Another name, and another workspace of the same organisation, do not help.
    assert world.row(world.bring(workspace, but_one, name="other")).outcome == "refused"
    elsewhere = world.workspace("L1", name="elsewhere", owner="colleague")
    other = world.upload(elsewhere, but_one, who="colleague")
    world.declare(other, who="colleague")
    world.consent(other, "elsewhere-data")
    world.decide(other)
    assert world.row(other).outcome == "refused"
    # The control: without the comparison it stands, and so does a version that differs in many.
    third = world.bring(workspace, people(range(2000, 3400)))
    assert world.row(third).state == "mounted", world.row(third).error
    monkeypatch.setattr(mounting, "difference", lambda *_: Difference(0, 0, 0, 0, 0))
    assert world.row(world.bring(workspace, but_one)).state == "mounted"


@pytest.mark.parametrize(
    ("new", "refused"),
    [
        (people(range(1000)), False),  # the same again
        (people(range(999)), True),  # one person less
        (people(range(1009)), True),  # nine persons more
        (people(range(1030)), False),
        (people(range(900)), False),
        (people([*range(3), *range(4, 1100)]), True),  # one gone, hidden among a hundred new ones
        (people(range(1000), flip=(7,)), True),  # one person moved to another group
        (people(range(1000), flip=tuple(range(0, 900, 3))), False),
        (people(range(1000), flip=(7,)).append_column("same", [["x"] * 1000]), True),  # behind a new column
        (people(range(5000, 6000)), False),  # other persons altogether
    ],
)
def test_versions_are_compared_by_persons_records_and_groups(new, refused: bool):
    old = fingerprints(people(range(1000)), ["patient"], KEY)
    found = difference(fingerprints(new, ["patient"], KEY), old, LIMITS)
    assert found.singles_out(LIMITS.threshold) is refused, found


def test_fingerprints_say_nothing_without_the_key_and_agree_on_spelling():
    table = people(range(50))
    mine, other = fingerprints(table, ["patient"], KEY), fingerprints(table, ["patient"], b"o" * 32)
    assert not set(mine["person"].to_pylist()) & set(other["person"].to_pylist())
    spelled = table.set_column(0, "patient", [[f" ｐ{i:05d}" for i in range(50)]])
    assert set(fingerprints(spelled, ["patient"], KEY)["person"].to_pylist()) == set(mine["person"].to_pylist())


def test_groups_of_one_version_that_differ_in_one_record_are_shown():
    table = people(range(300))
    flags = ["y" if i < 150 else "n" for i in range(300)]
    nearly = [*flags[:149], "n", *flags[150:]]
    tested = table.append_column("flag", [flags]).append_column("nearly", [nearly])
    assert near_groups(table, LIMITS) == []
    assert near_groups(tested, LIMITS) == [{"columns": ["flag", "nearly"], "pairs": 2}]


def test_nothing_an_author_sees_tells_how_many_persons_match(world: ImportWorld):
    """Nine strangers and one neighbour: whether the neighbour is in the table must show nowhere."""
    workspace = world.workspace("L1")
    seen, counts = [], []
    with_neighbour, strangers = [*range(90000, 90200), 17], [*range(93000, 93200), 99017]
    for place, persons in enumerate((with_neighbour, strangers, [*range(201)])):
        import_id = world.bring(workspace, people(persons), name=f"own{place}")
        row = world.row(import_id)
        with world.database.session() as session:
            shown = import_view(session, session.merge(row), session.get_one(Workspace, workspace))
        text = json.dumps(shown, ensure_ascii=False, default=str)
        for secret in (
            import_id,
            f"own{place}",
            str(row.digest),
            f" {row.bytes},",
            *(str(shown[key]) for key in _TIMES),
        ):
            text = text.replace(secret, " 0," if secret.endswith(",") else "·")
        seen.append(text)
        with world.database.session() as session:
            [intake] = [each.intake_id for each in mounting.targets_of(session, workspace)]
        with world.vault.open_object(counts_object(import_id, intake)) as stream:
            counts.append(JoinCounts.from_json(stream.read()).matched)
    assert counts == [1, 0, 201]  # the control: there is a difference to hide
    assert seen[0] == seen[1]
    assert json.loads(seen[0])["state"] == json.loads(seen[2])["state"] == "mounted"


def test_output_of_a_join_with_few_matches_can_only_be_refused(world: ImportWorld):
    workspace = world.workspace("L1")
    table = "occupation,n\n医生,500\n教师,500\n工人,500\n"
    program = code({"t.csv": table}, {"t.csv": table})
    few = world.bring(workspace, people([*range(90000, 91500), 17]), name="few")
    assert "join_few_persons" in _rules(world, workspace, program)
    world.withdraw(few)
    world.bring(workspace, people(range(1500, 4500)), name="enough")
    assert not _rules(world, workspace, program) & {"join_few_persons", "join_small_group", "join_all_or_nobody"}


@pytest.mark.parametrize(
    ("matched", "import_only", "dataset_only", "rules"),
    [
        (500, 500, 500, set()),
        (9, 500, 500, {"join_few_persons"}),  # few of mine are in the table
        (500, 9, 500, {"join_few_persons"}),  # nearly all of mine are
        (500, 500, 9, {"join_few_persons"}),  # nearly everybody in the table is mine
        (0, 500, 500, {"join_all_or_nobody"}),
        (500, 0, 500, {"join_all_or_nobody"}),
    ],
)
def test_thresholds_on_matched_and_unmatched_persons(
    matched: int, import_only: int, dataset_only: int, rules: set[str]
):
    from sandbox.airlock.typed import typed_tables
    from sandbox.contracts import ParsedColumn, ParsedFile, ParsedOutput

    columns = (ParsedColumn("job", "string"), ParsedColumn("n", "integer"))
    file = ParsedFile("t.csv", "table", 9, "0" * 64, columns, (("医生", 100), ("教师", 100)))
    tables = typed_tables(ParsedOutput((file,)), attributes=frozenset(), shape=None)
    groups = {"occupation": {"医生": (100, 100), "教师": (3 if rules else 100, 100), "工人": (1, 0)}}
    join = JoinCounts("own", "visits", matched, import_only, dataset_only, groups)
    found = {finding.rule for finding in check_joins(tables, [join], default_limits())}
    assert found == rules | ({"join_small_group"} if rules else set())  # 工人 is not in the output


def _rules(world: ImportWorld, workspace: str, program: bytes) -> set[str]:
    job_id = world.submit(workspace, program)
    accept_code(world, job_id)
    request = request_of(world, job_id)
    with world.vault.open_object(package_name(request.id)) as stream:
        package = Package.from_bytes(stream.read())
    return {finding["rule"] for finding in package.findings}


_TIMES = ("created_at", "decided_at", "mounted_at", "due_at")
