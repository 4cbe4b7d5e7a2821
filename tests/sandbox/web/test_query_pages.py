"""The page of fixed tables: what it shows is what the API says, who is let in, and how officers have a set computed."""

from __future__ import annotations

import html
import re

import pytest
from sqlalchemy import select

from opendata.jobs import Job
from sandbox.client.grid import figure_text
from sandbox.client.workspace import Workspace
from sandbox.queries.expected import expected
from sandbox.queries.models import FixedCube, FixedQuestion
from sandbox.web import query_links
from sandbox.web.query_words import error_in_words
from tests.sandbox.queries.conftest import Tables, standing, tables, world  # noqa: F401 - fixtures
from tests.sandbox.queries.cubes import POLICY, persons_table, registered
from tests.sandbox.queries.test_api import speak
from tests.sandbox.queries.test_service import _workspace, change, grant

PAGE = "/dataset/visits/tables"
CHINESE = re.compile(r"[一-鿿]")


def cells(page: str) -> list[str]:
    """The text of every cell of the page's tables."""
    found = re.findall(
        r'<(?:td class="govuk-table__cell govuk-table__cell--numeric"|dd class="govuk-summary-list__value")>(.*?)</(?:td|dd)>',
        page,
    )
    return [html.unescape(re.sub(r"<[^>]+>", "", each)) for each in found]


@pytest.mark.parametrize("by", [(), ("sex",), ("sex", "kind"), ("kind", "age", "sex")])
def test_the_page_shows_what_the_api_says(standing: Tables, by):  # noqa: F811
    anyone = speak(standing.world)
    query = query_links.query_string(by, query_links.named(["count", "cost:mean"]))
    answer = anyone.get(f"/api/v1/datasets/visits/tables/query?{query}").json()
    page = anyone.get(f"{PAGE}?{query}")
    assert page.status_code == 200
    figures = [row[place] for place in (len(by), len(by) + 2) for row in answer["rows"]]
    errors = [row[place] for place in (len(by) + 1, len(by) + 3) for row in answer["rows"]]
    marks = [mark for name in ("n", "cost_mean") for mark in answer["quality"][name]]
    wanted = ["*" if each is None else f"{figure_text(each)} ± {figure_text(error)}{'' if mark == 'good' else f' {mark}'}"
              for each, error, mark in zip(figures, errors, marks, strict=True)]  # fmt: skip
    assert sorted(cells(page.text)) == sorted(wanted)
    assert page.text.count("<svg") == (0 if not by else 2 if len(by) < 3 else 2 * len(answer["labels"][by[2]]))
    if by:
        assert f'<option value="{by[0]}" selected>' in page.text
    assert 'href="/fixed-tables"' in page.text
    assert ("Unreliable: more than two thirds" in page.text) == (not set(marks) <= {"good", None})


def test_officers_see_before_and_after_how_good_the_figures_are(tables: Tables):  # noqa: F811
    """Bounds far wider than the data make noise of means; what will be noise is known before anything is computed."""
    tables.dataset("visits", "L1", table=persons_table(3000), yaml=POLICY.replace("upper: 1000", "upper: 5000"))
    officer = speak(tables.world, "officer")
    for path in ("/console/datasets/visits/policy", PAGE):
        page = officer.get(path).text
        assert "As a share of an average cell&#39;s count: 0: 3.1%, 1: " in page
        assert "narrow them to what the data hold" in page
        assert _least(page) > 240, "the mean cost"
    tables.compute("visits")
    page = officer.get(PAGE).text
    assert re.search(r"Published figures: [\d,]+ counts, of which \d+ rough and 0 unreliable; ", page)
    means = re.search(r"[\d,]+ means of cost, of which \d+ rough and (\d+) unreliable", page)
    assert means is not None
    assert int(means[1]) > 0
    # The control: with bounds that fit and many persons means of that size are told.
    assert _least(" ".join(each["en"] for each in error_in_words(expected(registered(), number=1, rows=100_000)))) < 240


def _least(text: str) -> float:
    """From which mean on a cell of three dimensions is expected to be told."""
    told = re.search(r"3: ±[\d.]+ \(unreliable below ([\d.]+)\)", text)
    assert told is not None
    return float(told[1])


def test_rows_and_columns_are_the_askers(standing: Tables):  # noqa: F811
    anyone = speak(standing.world)
    one, other = (anyone.get(f"{PAGE}?by={a}&by={b}").text for a, b in (("sex", "kind"), ("kind", "sex")))
    assert one.count('scope="row"') == 2
    assert other.count('scope="row"') == 3
    assert sorted(cells(one)) == sorted(cells(other))


def test_the_address_is_tidy_and_is_the_question(standing: Tables):  # noqa: F811
    anyone = speak(standing.world)
    answer = anyone.get(f"{PAGE}?by=sex&by=&by=age&measures=count&measures=cost:mean", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{PAGE}?by=sex&by=age&measures=count&measures=cost:mean"
    page = anyone.get(answer.headers["location"]).text
    for link in re.findall(r'href="(/api/v1/datasets/visits/tables/query[^"]+)"', page):
        assert anyone.get(html.unescape(link)).status_code == 200
    assert "measures={&#34;n&#34;: &#34;count&#34;, &#34;cost_mean&#34;: &#34;cost:mean&#34;}" in page
    with standing.world.database.session() as session:
        before = session.query(FixedQuestion).count()
    assert "<svg" not in anyone.get(PAGE).text  # a visit asks nothing
    with standing.world.database.session() as session:
        assert session.query(FixedQuestion).count() == before


def test_a_measure_is_never_called_like_a_dimension():
    assert query_links.named(["count", "n:sum", "count"], ["n"]) == {"n_": "count", "n_sum": "n:sum"}
    assert query_links.query_string(["n"], {"n_": "count"}) == "by=n&measures=n_=count"
    assert [query_links.said(each) for each in ("c=cost:mean", "count", {"mean": "cost"})] == [
        "cost:mean", "count", "cost:mean",
    ]  # fmt: skip


def test_a_wrong_question_keeps_the_form(standing: Tables):  # noqa: F811
    page = speak(standing.world).get(f"{PAGE}?by=sex&by=sex&measures=cost:mean")
    assert page.status_code == 422
    assert 'href="#by-1">a dimension is named twice' in page.text
    assert page.text.count('<option value="sex" selected>') == 2
    assert speak(standing.world).get(f"{PAGE}?by=%3Cscript%3E").status_code == 422
    assert "<script>" not in speak(standing.world).get(f"{PAGE}?by=%3Cscript%3E").text


def test_both_languages_are_complete(standing: Tables):  # noqa: F811
    for path in (PAGE, f"{PAGE}?by=sex&by=age&by=kind&measures=count", "/fixed-tables"):
        main = speak(standing.world).get(path).text.partition("<main")[2].partition("</main>")[0]
        shown = re.sub(r"PingFang.*?sans-serif|乙|丙", "", main)  # the policy names these kinds in Chinese only
        assert not CHINESE.search(shown), CHINESE.search(shown)
        assert "误差" in speak(standing.world, language="zh").get(path).text


def test_hidden_and_absent_look_alike(tables: Tables):  # noqa: F811
    tables.ready("visits", table=persons_table(900))
    change(tables.world, "visits", visibility="none")
    anyone = speak(tables.world)
    hidden, absent = (anyone.get(f"/dataset/{name}/tables?by=sex") for name in ("visits", "absent"))
    assert (hidden.status_code, absent.status_code) == (404, 404)
    assert hidden.text.replace("visits", "*") == absent.text.replace("absent", "*")


def test_level_two_says_which_door_is_nearest(tables: Tables):  # noqa: F811
    tables.ready("visits", "L2", table=persons_table(900))
    path = f"{PAGE}?by=sex"
    nobody, outsider = speak(tables.world).get(path), speak(tables.world, "outsider").get(path)
    assert (nobody.status_code, outsider.status_code) == (401, 403)
    assert f'href="/sign-in?next={PAGE}"' in nobody.text
    for page in (nobody, outsider):
        assert "answer people with a living grant" in page.text
        assert cells(page.text) == []
        assert "<svg" not in page.text
    assert "Fixed tables" in speak(tables.world).get("/dataset/visits").text
    grant(tables.world, "visits", "outsider")
    held = speak(tables.world, "outsider").get(path)
    assert (held.status_code, len(cells(held.text))) == (200, 2)
    assert held.headers["cache-control"] == "private, no-store"
    assert "X-App-Key" in held.text


def test_an_officer_has_a_set_computed_once(tables: Tables):  # noqa: F811
    name = tables.dataset("visits", "L1", table=persons_table(3000))
    officer, anyone = speak(tables.world, "officer"), speak(tables.world)
    page = officer.get(PAGE)
    assert page.status_code == 200
    assert "Expected error of counts" in page.text
    assert "There are no fixed tables to ask now." in anyone.get(PAGE).text
    assert "Compute the fixed tables" not in anyone.get(PAGE).text
    assert speak(tables.world, "researcher").post(f"{PAGE}/compute").status_code == 403
    assert officer.post(f"{PAGE}/compute", follow_redirects=False).status_code == 303
    fragment = officer.get(PAGE, headers={"HX-Request": "true"}).text
    assert 'hx-trigger="every 2s"' in fragment
    assert 'hx-trigger="every 2s"' not in anyone.get(PAGE, headers={"HX-Request": "true"}).text
    again = officer.post(f"{PAGE}/compute")
    assert again.status_code == 409
    assert "are being computed" in again.text
    tables.world.work()
    assert officer.get(PAGE, headers={"HX-Request": "true"}).headers["hx-refresh"] == "true"
    page = officer.get(f"{PAGE}?by=sex").text
    assert "set is published; its registration cannot change" in page
    assert "Compute the fixed tables" not in page
    assert len(cells(anyone.get(f"{PAGE}?by=sex").text)) == 2
    assert "Ask the fixed tables" in anyone.get(f"/dataset/{name}").text


def test_a_computation_that_waits_can_be_stopped_and_asked_for_again(tables: Tables):  # noqa: F811
    """Also when it was stopped at the job's own page: otherwise it would be computed for ever."""
    tables.dataset("visits", "L1", table=persons_table(3000))
    officer = speak(tables.world, "officer")
    assert speak(tables.world, "researcher").post(f"{PAGE}/cancel").status_code == 403
    officer.post(f"{PAGE}/compute")
    officer.post(f"{PAGE}/cancel")
    page = officer.get(PAGE).text
    assert "the job was cancelled" in page
    assert "Compute the fixed tables" in page
    officer.post(f"{PAGE}/compute")
    with tables.world.database.session() as session:
        job_id = session.scalars(select(FixedCube.job_id).where(FixedCube.state == "computing")).one()
    officer.post(f"/console/jobs/{job_id}/cancel")
    assert officer.post(f"{PAGE}/compute", follow_redirects=False).status_code == 303
    tables.world.work()
    with tables.world.database.session() as session:
        assert sorted(session.scalars(select(FixedCube.state))) == ["cancelled", "cancelled", "published"]
        assert {str(each) for each in session.scalars(select(Job.state))} >= {"cancelled", "done"}


def test_a_sparse_design_is_known_before_anything_is_computed(tables: Tables):  # noqa: F811
    tables.dataset("visits", "L1", table=persons_table(60))
    officer = speak(tables.world, "officer")
    for path in (PAGE, "/console/datasets/visits/policy"):
        assert "Too sparse to be computed" in officer.get(path).text, path
    assert "Compute the fixed tables" not in officer.get(PAGE).text
    refused = officer.post(f"{PAGE}/compute")
    assert refused.status_code == 409
    assert "too sparse" in refused.text


def test_the_expected_error_is_the_answers(standing: Tables):  # noqa: F811
    said = expected(registered(), number=1, rows=3000)
    assert not said.sparse
    for size, by in enumerate(((), ("sex",), ("sex", "age"), ("sex", "age", "kind"))):
        answer = standing.ask("visits", *by)
        errors = {row[-1] for row in answer.rows if row[-1] is not None}
        _, low, high = said.errors[size]
        assert all(low <= each <= high for each in errors)
        assert errors
    assert "3 项 ±22.1" in error_in_words(said)[0]["zh"]


def test_the_policy_page_says_what_is_registered(standing: Tables):  # noqa: F811
    page = speak(standing.world, "officer").get("/console/datasets/visits/policy").text
    assert "Dimensions: sex (2), age (3), kind (3)." in page
    assert "Sums and means of cost (0 to 1000)" in page
    assert "Published and answering." in page
    plain = speak(standing.world, "officer", "zh").get("/console/datasets/visits/policy").text
    assert "维度：性别（2 类）、年龄（3 类）、类别（3 类）。" in plain


def test_data_without_tables_says_so(tables: Tables):  # noqa: F811
    yaml = POLICY.partition("sandbox:")[0]
    tables.dataset("visits", "L1", table=persons_table(60), yaml=yaml)
    assert "registers no fixed tables" in speak(tables.world, "officer").get(PAGE).text
    assert "Fixed tables" not in speak(tables.world).get("/dataset/visits").text
    tables.dataset("secret", "L4", table=persons_table(60))
    page = speak(tables.world).get("/dataset/secret/tables")
    assert page.status_code == 403
    assert "Data of this level is not answered from fixed tables." in page.text


def test_titles_never_become_markup(tables: Tables):  # noqa: F811
    hostile = POLICY.replace("{zh: 甲, en: one}", "{zh: <script>甲, en: <script>one}")
    tables.ready("visits", table=persons_table(900), yaml=hostile)
    page = speak(tables.world).get(f"{PAGE}?by=kind&by=sex").text
    assert "<script>one" not in page
    assert "&lt;script&gt;one" in page


def test_a_notebook_and_its_workspace_lead_to_the_page(tables: Tables):  # noqa: F811
    tables.ready("visits", "L2", table=persons_table(900))
    _workspace(tables.world)
    client = speak(tables.world, "researcher")
    assert f'href="{PAGE}"' in client.get("/workspaces/study").text

    class Gate:
        def post(self, path, question, query=None):
            return client.post(path, json=question).json()

    answer = Workspace("study", Gate()).query("visits", by=["sex"], measures={"c": {"mean": "cost"}})
    assert answer.page == f"{tables.world.settings.public_url}{PAGE}?by=sex&measures=c=cost:mean"
    page = client.get(answer.page.removeprefix(tables.world.settings.public_url))
    assert len(cells(page.text)) == len(answer.rows)
    assert answer.plot(lang="en").title == "cost, mean by sex"


def test_the_api_is_listed(standing: Tables):  # noqa: F811
    document = speak(standing.world).get("/api/v1/openapi.json").json()
    assert {"get", "post"} <= set(document["paths"]["/api/v1/datasets/{name}/tables"])
    assert "/api/v1/datasets/{name}/tables/query" in document["paths"]
    assert "/dataset/{name}/tables" not in document["paths"]
    assert "tables" in {each["name"] for each in document["tags"]}
