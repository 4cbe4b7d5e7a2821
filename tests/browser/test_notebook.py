"""A researcher's notebook in a browser: single sign-on, a cell on practice data, no network."""

from __future__ import annotations

import re
import time
from secrets import token_hex

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Browser
from tests.chain.steps import csv, people, people_policy, publish
from tests.conftest import Service

pytestmark = pytest.mark.integration
ROWS = 1_500


def test_a_cell_meets_practice_data_and_no_network(browser: Browser) -> None:
    name = f"lab-{token_hex(3)}"
    service = browser.service
    service.wait_hub()
    publish(service, name, csv(people(ROWS)), people_policy(name, keyed=False), opening_class="conditional")
    open_workspace(service, name)

    researcher = browser.page("researcher")
    stop_session(researcher, service.settings().hub_url)
    researcher.goto(f"{service.url}/workspaces/{name}")
    expect(researcher.get_by_role("cell", name=f"/data/{name}/{name}.parquet")).to_be_visible()
    researcher.get_by_role("link", name="打开 JupyterLab").click()
    researcher.get_by_role("listitem").filter(has_text="example").dblclick()
    first = researcher.locator(".jp-CodeCell").first
    first.wait_for()
    type_and_run(
        researcher, f"import os; print(os.listdir('/data'), len(open('/data/{name}/{name}.parquet','rb').read()) > 0)"
    )
    expect(first.locator(".jp-OutputArea-output").first).to_contain_text(f"['{name}'] True")
    type_and_run(researcher, "!curl -s https://example.org")
    refused = researcher.locator(".jp-OutputArea-output").filter(has_text="network guard")
    expect(refused.first).to_contain_text(re.compile("网络守卫.*curl"))


def stop_session(page: Page, hub: str) -> None:
    """A session that is running belongs to the workspace it was opened for; the next one starts afresh."""
    page.goto(f"{hub}/hub/home")
    page.locator("#start").wait_for()
    if page.locator("#stop").is_visible():
        page.locator("#stop").click()
        expect(page.locator("#stop")).to_be_hidden()


def type_and_run(page: Page, code: str) -> None:
    """Put code into the first cell and run it."""
    cell = page.locator(".jp-CodeCell").first
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(code)
    page.keyboard.press("Control+Enter")


def open_workspace(service: Service, name: str) -> None:
    """A workspace on the dataset, approved, with its data in place."""
    researcher = service.client("researcher")
    researcher.post(
        "/api/v1/workspaces",
        json={
            "name": name,
            "title": "浏览器里的沙箱",
            "purpose": "检查会话没有网络，也没有原始数据",
            "datasets": [name],
            "term_days": 30,
        },
    )
    service.client("reviewer").post(f"/api/v1/workspaces/{name}/approve", json={"reason": "目的明确"})
    deadline = time.monotonic() + 60
    while not all(each["prepared_at"] for each in researcher.get(f"/api/v1/workspaces/{name}/datasets")["datasets"]):
        assert time.monotonic() < deadline, "the workspace's data was not prepared"
        time.sleep(0.3)
