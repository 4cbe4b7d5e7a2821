"""How good a figure is: the same mark in JSON, CSV, page and client, from nothing but the figure and its error."""

from __future__ import annotations

import csv
import inspect
import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.client.answers import QueryAnswer
from sandbox.queries.models import FixedCube
from sandbox.queries.quality import ROUGH, TITLES, UNRELIABLE, Quality, quality_of
from sandbox.queries.tally import tally
from tests.sandbox.queries.conftest import Tables
from tests.sandbox.queries.cubes import POLICY, persons_table

WIDE = POLICY.replace("upper: 1000", "upper: 5000")
"""Costs are some hundreds: with these bounds means are mostly noise."""


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory):
    from tests.sandbox.sandbox_world import make_world

    with make_world(tmp_path_factory.mktemp("wide") / "home") as made:
        found = Tables(made)
        found.ready("visits", table=persons_table(3000), yaml=WIDE)
        yield found


@pytest.mark.parametrize(
    ("value", "error", "mark"),
    [
        (100, 10, "good"),
        (100, 33, "good"),
        (100, 34, "rough"),  # a coefficient of variation of 17 %
        (100, 66, "rough"),
        (100, 67, "unreliable"),  # of 34 %
        (100, 400, "unreliable"),
        (-100, 34, "rough"),  # below nought as above
        (0, 1, "unreliable"),  # the sign is unknown
        (0, 0, "good"),
        (None, None, None),  # not shown: no mark
        (None, 5, None),
    ],
)
def test_marks(value, error, mark):
    assert quality_of(value, error) == mark


@given(st.floats(0.01, 1e9), st.floats(0, 1e9))
def test_a_larger_error_is_never_better_and_the_sign_does_not_matter(value, error):
    order = list(Quality)
    assert quality_of(value, error) == quality_of(-value, error)
    assert order.index(quality_of(value, error)) <= order.index(quality_of(value, error * 1.5))


def test_the_mark_takes_nothing_but_what_is_shown():
    """PRIVACY.md 20: it tells nothing that figure and error do not tell, whoever computes it."""
    assert list(inspect.signature(quality_of).parameters) == ["value", "error"]


def test_json_csv_and_client_say_the_same(wide: Tables):
    answer = wide.ask("visits", "sex", "kind", n="count", c="cost:mean")
    item = answer.to_json()
    own = {name: [_by_hand(row, place) for row in answer.rows] for name, place in (("n", 2), ("c", 4))}
    assert item["quality"] == own
    assert own["c"].count("unreliable") > 0
    assert set(own["n"]) == {"good"}  # the control: counts of the same cells are good
    assert item["unreliable"] == own["c"].count("unreliable")
    for language in ("zh", "en"):
        head, *rows = csv.reader(io.StringIO(answer.to_csv(language)))
        assert head[-2:] == (
            ["人数可靠程度", "费用均值可靠程度"]
            if language == "zh"
            else ["persons, reliability", "cost, mean, reliability"]
        )
        words = {str(each): title[language] for each, title in TITLES.items()}
        assert [row[-2:] for row in rows] == [
            [words.get(n, ""), words.get(c, "")] for n, c in zip(own["n"], own["c"], strict=True)
        ]
    client = QueryAnswer.from_json(item)
    assert client.quality == {name: tuple(marks) for name, marks in own.items()}
    assert f"{item['unreliable']} 个数字不可靠 figures unreliable" in repr(client)
    shown = client._repr_html_()
    assert shown.count("（不可靠 / unreliable）") == item["unreliable"]
    assert "不宜引用" in shown
    assert list(client.to_pandas().columns) == ["sex", "kind", "n", "n_error", "c", "c_error"]
    marks = client.to_pandas(quality=True)["c_quality"]
    assert [None if missing else mark for mark, missing in zip(marks, marks.isna(), strict=True)] == own["c"]


def test_good_figures_have_no_mark(standing: Tables):
    client = QueryAnswer.from_json(standing.ask("visits", "sex", n="count").to_json())
    assert client.unreliable == 0
    assert "unreliable" not in repr(client) + client._repr_html_()
    old = {key: value for key, value in client.json.items() if not key.startswith("quality")}
    assert "±" in QueryAnswer.from_json(old)._repr_html_()  # an answer of a service that says nothing of it


def test_all_figures_of_a_cube_are_counted(wide: Tables):
    with wide.world.database.session() as session:
        cube = session.query(FixedCube).one()
        found = tally(session, cube)
    assert set(found) == {"count", "cost:sum", "cost:mean"}
    asked = {"n": "count", "c": "cost:mean"}
    by = [(), ("sex",), ("age",), ("kind",), ("sex", "age"), ("sex", "kind"), ("age", "kind"), ("sex", "age", "kind")]
    marks = {name: [] for name in asked}
    for each in by:
        for name, found_marks in wide.ask("visits", *each, **asked).quality.items():
            marks[name] += [mark for mark in found_marks if mark is not None]
    assert found["count"].total() == len(marks["n"])
    assert found["cost:mean"][Quality.UNRELIABLE] == marks["c"].count(Quality.UNRELIABLE) > 0


def _by_hand(row: tuple, place: int) -> str | None:
    value, error = row[place], row[place + 1]
    if value is None:
        return None
    share = error / abs(value) if value else math.inf
    return "unreliable" if share > UNRELIABLE else "rough" if share > ROUGH else "good"
