"""Fixed tables in a browser: an officer has them computed, a visitor asks by two dimensions with the keyboard."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex

import numpy as np
import polars as pl
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import AXE, Browser
from tests.browser.faults import faults
from tests.browser.test_pages import OVERFLOW
from tests.chain.steps import csv, publish

pytestmark = pytest.mark.integration
ROWS = 20_000
NARROW = 390
POLICY = """version: 1
dataset: NAME
title: {zh: 站点客流, en: passengers at stations}
level: L1
attributes:
  line: {role: insensitive, title: {zh: 线路, en: line}, codes: [L1, L2, L3, L4], reason: 公开}
  part: {role: insensitive, title: {zh: 时段, en: part of the day}, codes: [am, noon, pm], reason: 公开}
  delay: {role: insensitive, title: {zh: 晚点, en: delay}, reason: 公开}
sandbox:
  tables:
    dimensions: {line: {other: false}, part: {other: false}}
    measures: {delay: {lower: 0, upper: 30}}
"""


def trips() -> pl.DataFrame:
    """Invented trips: a line, a part of the day, minutes late."""
    draw = np.random.default_rng(9)
    return pl.DataFrame(
        {
            "line": draw.choice(["L1", "L2", "L3", "L4"], ROWS, p=[0.4, 0.3, 0.2, 0.1]),
            "part": draw.choice(["am", "noon", "pm"], ROWS),
            "delay": draw.integers(0, 30, ROWS),
        }
    )


@pytest.fixture(scope="module")
def published(service) -> str:
    """A published dataset of level L1 whose policy registers fixed tables."""
    name = f"trips-{token_hex(3)}"
    publish(service, name, csv(trips()), POLICY.replace("NAME", name), opening_class="unconditional")
    return name


def test_a_visitor_asks_with_the_keyboard(browser: Browser, published: str, tmp_path: Path) -> None:
    address = f"{browser.service.url}/dataset/{published}/tables"
    officer = browser.page("officer-social")
    officer.goto(f"{browser.service.url}/console/datasets/{published}/policy")
    panel = officer.locator(".door").filter(has_text="维度：线路（4 类）、时段（3 类）。")
    expect(panel).to_contain_text("计数的预期误差")
    panel.get_by_role("link", name="查看与计算").press("Enter")
    officer.get_by_role("button", name="计算固定口径统计").press("Enter")
    expect(officer.get_by_text("这一批次已经公布")).to_be_visible()  # the page renews itself meanwhile

    page = browser.page()
    page.goto(f"{browser.service.url}/dataset/{published}")
    page.get_by_role("link", name="查询固定口径统计").press("Enter")
    page.get_by_label("按 作行", exact=True).focus()
    for key in ("Tab", "ArrowDown", "ArrowDown", "Tab", "Tab", "Tab", "Tab", "Space", "Tab", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url("**/tables?by=line&by=part&measures=count&measures=delay:mean*")
    tables, plots = page.get_by_role("table"), page.get_by_role("img", name="按线路、时段")
    expect(tables).to_have_count(2)
    expect(plots).to_have_count(2)
    expect(plots.first.locator("rect title")).to_have_count(12)
    expect(tables.first.get_by_role("row").filter(has_text="L1")).to_contain_text("±")

    with page.expect_download() as started:
        page.get_by_role("link", name="CSV", exact=True).press("Enter")
    started.value.save_as(tmp_path / "table.csv")
    path = f"/api/v1/datasets/{published}/tables/query"
    asked = {"by": "line,part", "measures": "count,delay:mean", "format": "csv"}
    answer = browser.service.client().request("GET", path, params=asked)
    assert (tmp_path / "table.csv").read_bytes() == answer.content
    assert (
        answer.content.decode().splitlines()[0]
        == "线路,时段,记录数,记录数误差（±，95%）,晚点均值,晚点均值误差（±，95%）,记录数可靠程度,晚点均值可靠程度"
    )
    page.locator(".copyable").filter(has_text="curl").get_by_role("button", name="复制").press("Enter")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f'curl "{browser.service.url}{path}?by=line&by=part&measures=count&measures=delay:mean"'

    page.get_by_label("再按 作列", exact=True).select_option("")
    page.get_by_role("button", name="统计").press("Enter")
    page.wait_for_url("**/tables?by=line&measures=*")
    page.go_back()  # the form says again what the address says
    expect(page.get_by_label("再按 作列", exact=True)).to_have_value("part")
    assert page.url.startswith(address)

    found = []
    for language in ("zh-CN", "en"):
        narrow = browser.page(language=language, width=NARROW)
        for path in ("", "?by=line&by=part&measures=count&measures=delay:mean", "?by=line&by=line"):
            narrow.goto(address + path)
            if (over := narrow.evaluate(OVERFLOW)) > 0:
                found.append(f"{language} {path}: {over} px too wide")
            if AXE.is_file():
                found += [f"{language} {path}: {each}" for each in faults(narrow)]
    assert found == []
    assert [each for each in browser.complaints if "422" not in each] == []
