"""Answers of fixed tables and released tables in a notebook: shown, as frames, drawn; hidden figures are never bars."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from sandbox.client import ClientError, Output, QueryAnswer, ReleasedTable
from sandbox.client.charts import MOST_PANELS, draw
from sandbox.client.grid import figure_text, pivot

HOSTILE = "<script>alert(1)</script>"
SVG = "{http://www.w3.org/2000/svg}"


def answer(*sizes: int, hidden: tuple[int, ...] = (), label: str = "", **more: object) -> dict:
    """An answer of the API over dimensions of these sizes; rows at ``hidden`` have no figure."""
    names = [f"d{place}" for place in range(len(sizes))]
    rows: list[list] = [[]]
    for size in sizes:
        rows = [[*row, f"c{code}"] for row in rows for code in range(size)]
    shown = [[*row, *((None, None) if place in hidden else (10 * (place + 1), 4.5))] for place, row in enumerate(rows)]
    return {
        "dataset": "visits",
        "title": {"zh": "就诊", "en": "visits"},
        "published_at": "2026-01-02T03:04:05+00:00",
        "columns": [
            *({"name": name, "title": {"zh": f"维{name}", "en": f"dim {name}"}, "kind": "dimension"} for name in names),
            {"name": "n", "title": {"zh": "人数", "en": "persons"}, "kind": "measure", "of": ""},
            {"name": "n_error", "title": {"zh": "误差", "en": "error"}, "kind": "error", "of": "n"},
        ],
        "rows": shown,
        "labels": {
            name: {f"c{code}": {"zh": f"类{code}{label}", "en": f"class {code}{label}"} for code in range(size)}
            for name, size in zip(names, sizes, strict=True)
        },
        "hidden": len(hidden),
        "counted": {"zh": "不同的人", "en": "distinct persons"},
        "note": {"zh": "数字含噪声", "en": "figures hold noise"},
        **more,
    }


def marks(svg: str, name: str) -> list[ET.Element]:
    """Elements of a drawing that tell a figure to a pointer."""
    return [each for each in ET.fromstring(svg).iter(SVG + name) if each.find(SVG + "title") is not None]


def test_an_answer_shows_itself():
    shown = QueryAnswer.from_json(answer(2, hidden=(1,), page="https://data.example/dataset/visits/tables?by=d0"))
    text = shown._repr_html_()
    assert "10 ± 4.5" in text
    assert "维d0 / dim d0" in text
    assert "类0 / class 0" in text
    assert "<td>*</td>" in text
    assert "* 不予显示 not shown" in text
    assert "数字含噪声" in text
    assert "href='https://data.example/dataset/visits/tables?by=d0'" in text
    assert "href" not in QueryAnswer.from_json(answer(2, page="javascript:alert(1)"))._repr_html_()
    assert "不予显示" not in QueryAnswer.from_json(answer(2))._repr_html_()
    assert "visits" in repr(shown)


def test_an_answer_becomes_a_frame():
    shown = QueryAnswer.from_json(answer(2, hidden=(1,)))
    frame = shown.to_pandas()
    assert list(frame.columns) == ["d0", "n", "n_error"]
    assert list(frame["n"].isna()) == [False, True]
    assert list(shown.to_pandas(labels="en")["d0"]) == ["class 0", "class 1"]


def test_a_hidden_figure_is_a_sign_and_no_bar():
    [whole], [holed] = (draw(pivot(answer(5, hidden=hidden))) for hidden in ((), (2,)))
    assert (len(marks(whole.svg(), "rect")), len(marks(whole.svg(), "text"))) == (5, 0)
    assert (len(marks(holed.svg(), "rect")), len(marks(holed.svg(), "text"))) == (4, 1)
    told = [each.findtext(SVG + "title") for each in marks(holed.svg(), "text")]
    assert told == ["类2: 不予显示"]


@pytest.mark.parametrize(
    ("sizes", "drawings", "kind"),
    [
        ((3,), 1, "bars"),  # one dimension
        ((100,), 1, "bars"),  # a long one is still a list of bars
        ((5, 3), 1, "bars"),  # two: grouped
        ((31, 3), 3, "bars"),  # a long and a short one: side by side, for their errors to be seen
        ((12, 9), 1, "heat"),  # two long ones
        ((2, 3, 4), 2, "bars"),  # three: one for each category of the shortest
        ((16, 18, 14), MOST_PANELS, "heat"),  # no more panels than people can compare
    ],
)
def test_the_kind_follows_the_shape(sizes, drawings, kind):
    made = draw(pivot(answer(*sizes)), "en")
    assert len(made) == drawings
    assert made[0].described.endswith({"bars": "bars; whiskers are 95 % errors"}.get(kind, "larger than the figure"))
    squares = sum(len(marks(each.svg(), "rect")) for each in made)
    assert squares == (1 if len(sizes) < 3 else drawings / min(sizes)) * len(answer(*sizes)["rows"])
    assert len({each.width for each in made}) == 1


def test_errors_are_whiskers_on_the_axis():
    [drawing] = draw(pivot(answer(1)))
    whisker = re.search(r'd="M([\d.]+) [\d.]+H([\d.]+)M', drawing.svg())
    bar = marks(drawing.svg(), "rect")[0]
    low, high = (float(each) for each in whisker.groups())
    end = float(bar.get("x")) + float(bar.get("width"))
    assert low < end < high
    assert high - end == pytest.approx(end - low, abs=0.2)
    assert high <= drawing.width


def test_a_heat_map_marks_figures_below_their_error():
    item = answer(20, 10)
    strokes = len(re.findall(r'd="M[\d.]+ [\d.]+L', draw(pivot(item))[0].svg()))
    assert strokes == 0
    item["rows"][7][2] = 3
    assert len(re.findall(r'd="M[\d.]+ [\d.]+L', draw(pivot(item))[0].svg())) == 1


@pytest.mark.parametrize("sizes", [(3,), (5, 3), (12, 9), (2, 3, 4)])
def test_labels_never_become_markup(sizes):
    shown = QueryAnswer.from_json(answer(*sizes, label=HOSTILE))
    assert "<script" not in shown.plot().svg
    assert "<script" not in shown._repr_html_()
    ET.fromstring(shown.plot().svg)  # one well-formed document, panels and all


def test_plots_are_asked_for_by_name(tmp_path):
    shown = QueryAnswer.from_json(answer(2, 3), ("d1", "d0"))
    assert shown.plot(lang="en").title == "persons by dim d1, dim d0"
    assert shown.plot(by=["d0", "d1"]).title == "人数（按维d0、维d1）"
    assert shown.plot().save(tmp_path / "n.svg").read_text("utf-8").startswith("<svg")
    assert shown.plot()._repr_html_().count("data:image/svg+xml;base64,") == 1
    with pytest.raises(ClientError, match="the table has d0, d1, n, n_error"):
        shown.plot("cost")
    with pytest.raises(ClientError, match="too many for a picture"):
        QueryAnswer.from_json(answer(300)).plot()
    crowded = QueryAnswer.from_json(answer(60, 30, 4)).plot()
    assert (len(crowded.drawings), crowded.left_out) == (2, 2)
    assert "2 categories are not drawn" in crowded._repr_html_()
    with pytest.raises(ClientError, match="no dimension"):
        QueryAnswer.from_json(answer()).plot()


def test_a_released_table_draws_itself():
    content = b"district,sex,n,mean_cost\nA,F,1200,31.5\nA,M,1100,\nB,F,900,28\nB,M,950,30.1\n"
    output = Output({"id": "7", "files": [{"name": "t.csv"}, {"name": "sdc-record.json"}]}, lambda *_: content)
    [table] = output.tables()
    assert table.to_pandas()["n"].sum() == 4150
    assert output.plot().title == "n（按district、sex）"
    assert "mean_cost" in output.plot("mean_cost").title
    [drawing] = output.plot("mean_cost").drawings
    assert len(marks(drawing.svg(), "rect")) == 3
    with pytest.raises(ClientError, match="Two rows have the same district"):
        table.plot(by=["district"])
    with pytest.raises(ClientError, match="没有这张表"):
        output.table("other.csv")
    assert "<script>" not in ReleasedTable.from_csv(HOSTILE, content)._repr_html_()
    assert ReleasedTable.from_csv("empty.csv", b"").rows == ()


def test_figures_keep_their_digits():
    assert [figure_text(each) for each in (361524.4, 0.1 + 0.2, 1e6, None)] == [
        "361,524.4", "0.30000000000000004", "1,000,000", "*",
    ]  # fmt: skip
