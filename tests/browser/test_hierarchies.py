"""Hierarchy files in a browser and on the command line: brought in, refused, chosen in the form, pinned, removed."""

from __future__ import annotations

import json
from pathlib import Path
from secrets import token_hex

import pytest
from playwright.sync_api import expect
from typer.testing import CliRunner

from opendata.cli import remote
from tests.browser.conftest import AXE, Browser
from tests.browser.faults import faults
from tests.browser.test_pages import OVERFLOW
from tests.chain.steps import create_dataset, save_policy

pytestmark = pytest.mark.integration
GOOD = "制造;第二产业;*\n建筑;第二产业;*\n零售;第三产业;*\n"
POLICY = """version: 1
dataset: NAME
level: L3
attributes:
  trade: {role: quasi_identifier, technique: keep, title: {zh: 行业, en: trade}, reason: 行业}
  pay: {role: sensitive, technique: keep, title: {zh: 收入, en: pay}, reason: 收入}
"""


def test_a_hierarchy_is_brought_in_chosen_and_pinned(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer = browser.service.client("officer-social")
    name = f"tree-{token_hex(3)}"
    create_dataset(officer, name)
    save_policy(officer, name, POLICY.replace("NAME", name))
    page = browser.page("officer-social", width=390)
    page.goto(f"{browser.service.url}/console/datasets/{name}/policy")
    field = page.get_by_label("上传层级文件（.csv，不超过 1 MiB）")

    field.set_input_files({"name": "行业.csv", "mimeType": "text/csv", "buffer": "制造;第二产业\n建筑;\n".encode()})
    page.get_by_role("button", name="上传层级文件", exact=True).press("Enter")
    expect(page.locator(".govuk-error-summary")).to_be_focused()
    expect(page.locator("#hierarchy-error")).to_contain_text("层级文件 '行业.csv' 第 2 行：第 1 层有空缺")

    field.set_input_files({"name": "行业.csv", "mimeType": "text/csv", "buffer": GOOD.encode()})
    page.get_by_role("button", name="上传层级文件", exact=True).press("Enter")
    files = page.get_by_role("region", name="层级文件")
    expect(files.get_by_role("link", name="行业.csv")).to_be_visible()
    page.get_by_label("怎样处理").first.select_option(label="按 行业.csv（3 层） 逐级，到限值够用为止")
    page.get_by_label("每组至少几人（k）").fill("5")
    page.get_by_role("button", name="保存表单为新版本").press("Enter")
    expect(page.locator("#hierarchies")).to_contain_text("第 2 版所用：")
    assert page.evaluate(OVERFLOW) <= 0
    assert not AXE.is_file() or faults(page) == []
    assert [each for each in browser.complaints if "422" not in each] == []  # the browser reports the refused file

    monkeypatch.setattr(remote, "client", lambda _user, _token_file: browser.service.client("officer-social"))
    (tmp_path / "more.csv").write_text(GOOD, encoding="utf-8")
    assert json.loads(_said("add-hierarchy", name, str(tmp_path / "more.csv")))["entries"] == 3
    _said("remove-hierarchy", name, "行业.csv")
    assert [each["name"] for each in json.loads(_said("hierarchies", name, "--json"))] == ["more.csv"]
    assert "第二产业" in officer.request("GET", f"/api/v1/datasets/{name}/policy").text


def _said(*words: str) -> str:
    answer = CliRunner().invoke(remote.datasets, list(words))
    assert answer.exit_code == 0, answer.output
    return answer.stdout
