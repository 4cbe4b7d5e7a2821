"""Figures are drawn by the service from the released table, say nothing else, and never show individuals."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET

import pytest

from sandbox.airlock.checks import CheckInput, run_checks
from sandbox.airlock.figures import Figure, draw, figures_of
from sandbox.airlock.figures.files import figure_files
from sandbox.airlock.limits import default_limits
from sandbox.airlock.package import Package, PackageFile
from sandbox.airlock.typed import Shape, canonical_csv, shape_of, typed_tables
from sandbox.inside.parse import parse
from tests.sandbox.airlock.seeded.path import package

LIMITS = default_limits()
SVG = "{http://www.w3.org/2000/svg}"
LONG = "district,sex,n,mean_cost\n" + "".join(
    f"{d},{s},{n},{m}\n"
    for d, s, n, m in [("城东区", "女", 500, 12.34), ("城东区", "男", 450, 11.1), ("云岭县", "女", 40, 9)]
)
WIDE = "period,n,p25,p50,p75,mean_cost\n2025-01,400,2.1,3,4.5,10\n2025-02,410,2,3.1,4.4,\n2025-03,390,2,3,5,12\n"
TOTALS = "district,n\n城东区,950\n云岭县,40\n合计,990\n"


def words(**said: object) -> bytes:
    return json.dumps({"table": "t.csv", "kind": "bar", "x": "district", "y": "n", **said}, ensure_ascii=False).encode()


def output_of(table: str, figure: bytes, name: str = "t.figure.json"):
    return parse(io.BytesIO(package({"t.csv": table.encode(), name: figure})))


def rules(table: str, figure: bytes, *, dry: bytes | None = None, name: str = "t.figure.json") -> set[str]:
    """Rules that a figure broke; the table alone breaks none but those subtracted."""
    shape = None
    if dry is not None:
        practice = output_of(table, dry, name)
        tables = typed_tables(practice, attributes=(), shape=None)
        made = figures_of(practice, shape=None)
        shape = shape_of(tables, max_labels=200, figures={f.original_name: f.words for f in made})
        shape = Shape.from_json(json.loads(json.dumps(shape.to_json())))
    output = output_of(table, figure, name)
    tables = typed_tables(output, attributes=(), shape=shape)
    figures = figures_of(output, shape=shape)
    alone = run_checks(CheckInput(output, tables, LIMITS, shape=shape))
    found = run_checks(CheckInput(output, tables, LIMITS, shape=shape, figures=figures))
    return {f.rule for f in found} - {f.rule for f in alone if f.file == "t.csv"}


def drawn(table: str, figure: bytes) -> tuple[str, ET.Element]:
    output = output_of(table, figure)
    tables = typed_tables(output, attributes=(), shape=None)
    files = [PackageFile(t.name, str(t.kind), canonical_csv(t, digits=3)) for t in tables]
    [file] = figure_files(figures_of(output, shape=None), tables, files, LIMITS)
    return file.content.decode(), ET.fromstring(file.content)


DRAWN = {
    "bar": (TOTALS, words(), 2),
    "bar of terms": (
        "term,estimate,n\nconst,1.5,900\nage,-0.2,900\n",
        words(x="term", y="estimate"),
        2,
    ),
    "grouped bar": (LONG, words(kind="grouped bar", y="mean_cost", series="sex", title="各区费用"), 3),
    "line": (WIDE, words(kind="line", x="period", y="mean_cost"), 2),
    "line over years": ("year,n\n2023,400\n2024,500\n", words(kind="line", x="year"), 2),
    "heat map": (LONG, words(kind="heat-map", series="sex"), 3),
    "box": (WIDE, words(kind="box", x="period", y=["p25", "p50", "p75"]), 3),
}


@pytest.mark.parametrize("kind", DRAWN)
def test_each_kind_is_drawn_with_a_mark_a_group(kind: str):
    table, figure, marks = DRAWN[kind]
    assert rules(table, figure, dry=figure) == set()
    text, svg = drawn(table, figure)
    shapes = [
        e
        for e in svg.iter()
        if e.tag in {f"{SVG}rect", f"{SVG}circle"} and e.get("height") not in {"12", svg.get("height")}
    ]
    assert len(shapes) == marks
    assert drawn(table, figure)[0] == text


def test_a_bar_is_as_long_as_its_number():
    _, svg = drawn(TOTALS, words())
    lengths = [float(e.get("width")) for e in svg.iter(f"{SVG}rect") if e.get("height") == "13"]
    assert max(lengths) / min(lengths) == pytest.approx(950 / 40, rel=0.02)


def test_the_drawing_depends_on_the_released_table_only():
    """Order of the rows and digits that are cut cannot be seen in it; a number that is released can."""
    low = WIDE.replace("10\n", "10.0004\n")
    turned = "\n".join([WIDE.splitlines()[0], *reversed(WIDE.splitlines()[1:]), ""])
    figure = words(kind="line", x="period", y="mean_cost")
    assert drawn(low, figure)[0] == drawn(turned, figure)[0] == drawn(WIDE, figure)[0]
    assert drawn(WIDE.replace("12\n", "13\n"), figure)[0] != drawn(WIDE, figure)[0]


def test_a_drawing_runs_nothing_and_fetches_nothing():
    table = 'district,n\n<script>alert(1)</script>,500\n"a&b\' onload=x",40\n'
    text, svg = drawn(table, words(title='"/><image href="http://x/">'))
    assert {e.tag.removeprefix(SVG) for e in svg.iter()} <= {
        "svg",
        "title",
        "desc",
        "style",
        "rect",
        "text",
        "g",
        "line",
    }
    assert not re.search(r"(href|url\(|@import|\son\w+=)", re.sub(r">[^<]*<", "><", text))


REFUSED = {
    "rows as points": (LONG, words(kind="scatter", x="n", y="mean_cost"), "figure_kind"),
    "a histogram of records": (LONG, words(kind="hist"), "figure_kind"),
    "a table that is not there": (LONG, words(table="other.csv"), "figure_table"),
    "a column that is not there": (LONG, words(y="cost"), "figure_column"),
    "a quantity for an axis": (LONG, words(kind="line", x="mean_cost"), "figure_column"),
    "labels for a height": (LONG, words(x="district", y="sex"), "figure_column"),
    "one column twice": (LONG, words(kind="grouped_bar", series="district"), "figure_column"),
    "groups without series": (LONG, words(kind="heat_map"), "figure_column"),
    "a box of one column": (WIDE, words(kind="box", x="period", y="p50"), "figure_column"),
    "several rows a mark": (LONG, words(), "figure_of_records"),
    "a table without counts": ("district,mean_cost\n城东区,3\n", words(y="mean_cost"), "figure_of_records"),
    "five thousand marks": (
        "district,n\n" + "".join(f"g{i},50\n" for i in range(5_000)),
        words(),
        "figure_marks",
    ),
    "nine series": (
        "district,sex,n\n" + "".join(f"a,s{i},50\n" for i in range(9)),
        words(kind="line", series="sex"),
        "figure_marks",
    ),
    "a long title": (TOTALS, words(title="很" * 120), "long_text"),
    "an identity number for a title": (TOTALS, words(title="11010519491231002X"), "identifier"),
}


@pytest.mark.parametrize("defect", REFUSED)
def test_what_shows_individuals_is_refused_with_the_reason(defect: str):
    table, figure, rule = REFUSED[defect]
    assert rule in rules(table, figure)


@pytest.mark.parametrize(
    "changed",
    [
        words(title="住院最多的是王伟"),
        words(kind="line"),
        words(y="mean_cost"),
    ],
)
def test_words_that_the_dry_run_did_not_show_are_refused(changed: bytes):
    table = "district,n,mean_cost\n城东区,950,3\n"
    assert "new_figure" in rules(table, changed, dry=words(title="各区"))
    assert "new_figure" not in rules(table, changed, dry=changed)


def test_a_figure_named_by_data_is_refused_and_renamed():
    shape = Shape({}, {"t.figure.json": "[]"})
    output = output_of(TOTALS, words(), "P00017.figure.json")
    [figure] = figures_of(output, shape=shape)
    assert figure.name == "figure-01.svg"
    tables = typed_tables(output, attributes=(), shape=shape)
    found = run_checks(CheckInput(output, tables, LIMITS, shape=shape, figures=[figure]))
    assert "new_figure" in {f.rule for f in found}


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"{}",
        b"[" * 100_000,
        words(x=None),
        words(x=3),
        words(y=[]),
        words(y=["a"] * 9),
        words(title={"zh": "x"}),
        words(title="x" * 300),
        words(colour="red"),
        words(order=[3, 1, 2]),
    ],
)
def test_only_the_known_words_are_read(content: bytes):
    [file] = [f for f in output_of(TOTALS, content).files if f.name == "t.figure.json"]
    assert (file.kind, file.findings[0].code) == ("rejected", "not-a-figure")


def test_invisible_characters_in_words_are_refused():
    [file] = [f for f in output_of(TOTALS, words(title="a\u200bb")).files if f.name == "t.figure.json"]
    assert file.findings[0].code == "odd-characters"


def test_a_package_keeps_what_a_figure_shows():
    about = {"kind": "bar", "table": "t.csv", "x": "district", "y": ["n"]}
    files = [PackageFile("t.csv", "frequency", b"district,n\na,50\n"), PackageFile("t.svg", "figure", b"<svg/>", about)]
    kept = Package.from_bytes(Package(files, [], "x.py", "").to_stream().read())
    assert [f.entry() for f in kept.files] == [f.entry() for f in files]
    assert [f.name for f in kept.tables] == ["t.csv"]
    assert "figure" not in kept.files[0].entry()


def test_an_unknown_kind_is_never_drawn():
    with pytest.raises(KeyError):
        draw(
            Figure("a.svg", "a.figure.json", "scatter", "t.csv", "district", ("n",)),
            b"district,n\na,50\n",
            table_name="t",
        )
