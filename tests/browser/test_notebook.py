"""A researcher's notebook in a browser: single sign-on, a cell on practice data, no network."""

from __future__ import annotations

import re
import time
from secrets import token_hex

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Browser
from tests.chain.steps import csv, open_workspace, people, people_policy, publish

pytestmark = pytest.mark.integration
ROWS = 1_500


def test_a_cell_meets_practice_data_and_no_network(browser: Browser) -> None:
    name = f"lab-{token_hex(3)}"
    service = browser.service
    service.wait_hub()
    publish(service, name, csv(people(ROWS)), people_policy(name, keyed=False), opening_class="conditional")
    open_workspace(service, name, [name], title="浏览器里的沙箱", purpose="检查会话没有网络，也没有原始数据")

    researcher = browser.page("researcher")
    stop_session(researcher, service.settings().hub_url)
    researcher.goto(f"{service.url}/workspaces/{name}")
    expect(researcher.get_by_text(f"/data/{name}/{name}.parquet")).to_be_visible()
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
    """A session that is running belongs to the workspace it was opened for; the next one starts afresh.

    The button works once the page's scripts have bound it, so it is pressed again until the session is gone.
    """
    deadline = time.monotonic() + 90
    page.goto(f"{hub}/hub/home", wait_until="networkidle")
    while page.locator("#stop").is_visible():
        assert time.monotonic() < deadline, "the running session did not stop"
        page.locator("#stop").click()
        page.wait_for_timeout(3000)
        page.goto(f"{hub}/hub/home", wait_until="networkidle")


def type_and_run(page: Page, code: str) -> None:
    """Put code into the first cell and run it, once the kernel is there: Lab drops what is run before."""
    idle = page.get_by_text(re.compile(r"ipykernel\) \| (空闲|Idle)"))
    refused = page.get_by_role("dialog").filter(has_text="Error Starting Kernel")
    # On a busy machine the first request of a page can carry the token of the session before: a person reloads.
    expect(idle.or_(refused).first).to_be_visible(timeout=90_000)
    if refused.is_visible():
        page.reload()
    expect(idle).to_be_visible(timeout=90_000)
    cell = page.locator(".jp-CodeCell").first
    before = cell.locator(".jp-InputPrompt").first.inner_text()
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(code)
    for _ in range(5):
        page.keyboard.press("Control+Enter")
        page.wait_for_timeout(4000)
        if cell.locator(".jp-InputPrompt").first.inner_text() not in {before, "[ ]:"}:
            return
        cell.locator(".cm-content").click()
