"""``masking report``: a saved report becomes a page, and what is no report is refused in one sentence."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
import typer
from typer.testing import CliRunner

import masking
from masking.cli.report import rendered, report, save
from masking.errors import BadFile

POLICY = "version: 1\ndataset: x\nattributes:\n  q: {role: quasi_identifier, technique: keep}\n"


@pytest.fixture
def made():
    return masking.apply(POLICY, pa.table({"q": [1] * 20})).report


@pytest.fixture
def run():
    app = typer.Typer()
    app.command()(report)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_pages_of_both_reports(made, run, tmp_path):
    (tmp_path / "report.json").write_text(made.to_json(), "utf-8")
    (tmp_path / "public.json").write_text(made.public().to_json(), "utf-8")
    page = tmp_path / "report.html"
    assert run(tmp_path / "report.json", page).exit_code == 0
    assert "内部报告" in page.read_text("utf-8")
    assert run(tmp_path / "report.json", page, "--public", "--en").exit_code == 0
    public = page.read_text("utf-8")
    assert "public: from the masked table only" in public
    assert run(tmp_path / "public.json", page, "--en").exit_code == 0
    assert page.read_text("utf-8") == public


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"version": 9, "released": {}}', '{"version": 2, "released": "SECRET"}']
)
def test_what_is_no_report_is_refused_without_its_text(text, run, tmp_path):
    (tmp_path / "report.json").write_text(text, "utf-8")
    done = run(tmp_path / "report.json", tmp_path / "page.html")
    assert isinstance(done.exception, BadFile)
    assert "SECRET" not in str(done.exception)
    assert not (tmp_path / "page.html").exists()


def test_the_format_follows_the_name(made, tmp_path):
    written = {}
    save(tmp_path / "a.json", made, written.__setitem__, public=True, en=False)
    save(tmp_path / "a.html", made, written.__setitem__, public=False, en=True)
    assert json.loads(written[tmp_path / "a.json"]) == json.loads(made.public().to_json())
    assert written[tmp_path / "a.html"] == rendered(made, ".HTML", public=False, en=True)
