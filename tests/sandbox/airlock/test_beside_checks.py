"""What stands beside groups: labels, gaps, absences, coordinates. Each with its control."""

from __future__ import annotations

import io

import pytest

from sandbox.airlock.checks.beside import check_absent, check_beside
from sandbox.airlock.limits import default_limits
from sandbox.airlock.typed import Shape, TypedTable, key_columns, shape_of, typed_tables
from sandbox.inside.parse import parse
from sandbox.workspaces.runs import pack_single

LIMITS = default_limits()
STRICT = LIMITS.tightened([], registered_only=True)


def typed(content: str) -> TypedTable:
    return typed_tables(parse(io.BytesIO(pack_single("t.csv", content.encode()))), attributes=(), shape=None)[0]


def told(content: str, dry: str | None = None, *, limits=LIMITS, of_raw=()) -> list[tuple[str, str]]:
    shape = None if dry is None else Shape.from_json(shape_of([typed(dry)], max_labels=200).to_json())
    return [(f.rule, f.column) for f in check_beside(typed(content), limits, shape=shape, of_raw=of_raw)]


DRY = "town,kind,side,n\na,x,north,50\na,y,north,50\nb,x,south,50\nb,y,south,50\n"


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        (DRY, []),  # as in the dry run
        (DRY.replace("a,y,north", "a,y,south"), ["side"]),  # one row says otherwise
        (DRY + "c,x,north,50\n", ["side"]),  # of a town that the dry run did not have
        (DRY.replace("south", "north"), ["side"]),
        ("town,kind,n\na,x,50\na,y,50\nb,x,50\n", []),  # both are needed
        ("town,kind,flag,n\na,x,是,50\na,y,否,50\nb,x,否,50\nb,y,是,50\n", ["flag"]),
        ("town,year,n\na,2025,50\nb,2024,50\n", ["year"]),
    ],
)
def test_labels_that_no_group_needs(content: str, columns: list[str]):
    assert told(content, DRY) == [("label_beside_groups", column) for column in columns]
    assert told(content, DRY, limits=STRICT) == [("label_not_needed", column) for column in columns]


def test_what_a_raw_column_explains_and_one_word_of_the_dry_run_are_let_be():
    content = "town,flag,n\na,是,50\nb,否,50\n"
    dry = content.replace("否", "是")
    assert told(content, dry) == [("label_beside_groups", "flag")]
    assert told(content, dry, of_raw={0, 1}) == []
    assert told(dry, dry) == []
    # In the dry run itself only what follows from no column can be told.
    assert told(content) == []
    assert told(DRY.replace("a,y,north", "a,y,south")) == [("label_beside_groups", "side")]


def test_keys_are_left_out_from_the_right():
    table = typed("a,b,c,n\n1x,u,p,50\n2x,v,q,50\n")
    assert key_columns(table) == (0,)
    assert key_columns(table, {2}) == (2,)
    assert key_columns(typed("a,b,n\nx,u,50\nx,u,50\n")) == (0, 1)


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["1.5", "2.5", "", ""], False),  # the smaller groups
        (["", "2.5", "", "4.5"], True),
        (["1.5", "", "3.5", "4.5"], False),  # one gap
        (["", "", "", ""], False),
    ],
)
def test_gaps_are_those_of_smaller_groups(cells: list[str], found: bool):
    rows = "".join(f"k{at},{n},{cell}\n" for at, (n, cell) in enumerate(zip((400, 300, 200, 100), cells, strict=True)))
    assert (("unexplained_gaps", "mean_cost") in told("k,n,mean_cost\n" + rows)) == found


def test_absent_files_and_columns_are_told():
    shape = Shape(
        {"t.csv": {"town": frozenset(), "n": frozenset(), "mean_x": frozenset()}, "u.csv": {}}, {"t.figure.json": ""}
    )
    found = [(f.rule, f.count) for f in check_absent([typed("town,n\na,50\n")], [], shape)]
    assert found == [("missing_file", 2), ("missing_column", 1)]
    assert not list(
        check_absent([typed("town,n\na,50\n")], [], Shape({"t.csv": {"town": frozenset(), "n": frozenset()}}))
    )
    assert not list(check_absent([typed("town,n\na,50\n")], [], None))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("lat", True),
        ("mean_longitude", True),
        ("经度", True),
        ("share_long", False),
        ("mean_cost", False),
        ("salon", False),
    ],
)
def test_coordinates_are_known_by_name(name: str, found: bool):
    assert (("coordinates_of_groups", name) in told(f"k,n,{name}\na,50,31.2\nb,50,32.1\n")) == found
    assert (("coordinates", name) in told(f"k,n,{name}\na,50,31.2\nb,50,32.1\n", limits=STRICT)) == found
