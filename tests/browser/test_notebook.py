"""A researcher's whole way in a browser: sign in, notebook, fixed tables, sealed job, votes, a verified output."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from secrets import token_hex

import pytest
from playwright.sync_api import Locator, Page, expect

from sandbox.parts.demo import CHECKERS
from tests.browser.conftest import Browser
from tests.chain.steps import open_workspace, publish
from tests.chain.visits import as_csv, notebook, policy, visits

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]
BOOK = "visits-and-cost.ipynb"
PATIENCE_S = 240.0
"""For what waits for jails, people and fixed moments on a busy machine."""


def test_from_a_cell_on_practice_data_to_a_verified_output(browser: Browser, tmp_path: Path) -> None:
    name = f"lab-{token_hex(3)}"
    service = browser.service
    service.wait_hub()
    publish(service, name, as_csv(visits()), policy(name), opening_class="conditional")
    officer = service.client("officer-social")
    officer.wait_job(officer.post(f"/api/v1/datasets/{name}/tables")["job_id"])
    open_workspace(service, name, [name], title=f"浏览器里的沙箱 {name}", purpose="比较各组居民的就诊次数与费用")

    researcher = browser.page("researcher")
    stop_session(researcher, service.settings().hub_url)
    researcher.goto(f"{service.url}/workspaces/{name}")
    expect(researcher.get_by_text(f"/data/{name}/{name}.parquet")).to_be_visible()
    researcher.get_by_role("link", name="打开 JupyterLab").click()

    a_cell_meets_practice_data_and_no_network(researcher, name)
    submit_the_worked_notebook(researcher, name, tmp_path)
    portal = researcher.context.new_page()
    vote(browser, name, "code")
    sessions_stand_still(portal, f"{service.url}/workspaces/{name}")
    vote(browser, name, "output")
    look_for_outputs(researcher)

    bundle = download(portal, f"{service.url}/workspaces/{name}", tmp_path)
    key = tmp_path / "release.pub"
    key.write_bytes(officer.request("GET", "/ledger/release-key").content)
    assert verified(bundle, key) == 0
    table = bundle / "cost.csv"
    table.write_text(table.read_text("utf-8").replace("5", "6"), "utf-8")
    assert verified(bundle, key) != 0


def a_cell_meets_practice_data_and_no_network(page: Page, name: str) -> None:
    page.get_by_role("listitem").filter(has_text="example.ipynb").dblclick()
    first = page.locator(".jp-CodeCell").first
    first.wait_for()
    type_and_run(
        page, f"import os; print(os.listdir('/data'), len(open('/data/{name}/{name}.parquet','rb').read()) > 0)"
    )
    expect(first.locator(".jp-OutputArea-output").first).to_contain_text(f"['{name}'] True")
    type_and_run(page, "!curl -s https://example.org")
    refused = page.locator(".jp-OutputArea-output").filter(has_text="network guard")
    expect(refused.first).to_contain_text(re.compile("网络守卫.*curl"))


def submit_the_worked_notebook(page: Page, name: str, folder: Path) -> None:
    """Upload it, open it, run it cell by cell: the fixed tables answer, checks pass, the job waits for its reviewer."""
    file = folder / BOOK
    file.write_bytes(notebook(BOOK.removesuffix(".ipynb"), name))
    with page.expect_file_chooser() as chooser:
        page.locator("[data-command='filebrowser:upload'], [title*='上传'], [title*='Upload']").first.click()
    chooser.value.set_files(file)
    page.get_by_role("listitem").filter(has_text=BOOK).dblclick()
    open_book(page).locator(".jp-CodeCell").first.wait_for()
    expect(page.get_by_text(re.compile(r"ipykernel\) \| (空闲|Idle)"))).to_be_visible(timeout=PATIENCE_S * 1000)
    open_book(page).locator(".jp-MarkdownCell").first.click()
    cells = json.loads(file.read_bytes())["cells"]
    for number, cell in enumerate(cells):
        page.keyboard.press("Shift+Enter")
        source = "".join(cell["source"])
        if "ws.query(" in source:  # an answer with errors, and drawn
            expect(outputs(page).filter(has_text="±").first).to_be_visible(timeout=PATIENCE_S * 1000)
        if "ws.submit(" in source:
            waiting = outputs(page).filter(has_text="代码审查中").first
            expect(waiting).to_be_visible(timeout=PATIENCE_S * 1000)
        if number == len(cells) - 1:
            expect(outputs(page).filter(has_text="还没有放行的产出").first).to_be_visible(timeout=PATIENCE_S * 1000)


def open_book(page: Page) -> Locator:
    return page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")


def outputs(page: Page) -> Locator:
    return open_book(page).locator(".jp-OutputArea-output")


def vote(browser: Browser, workspace: str, kind: str) -> None:
    """Each checker who was drawn reads the case in the own page and agrees."""
    case = waited(lambda: drawn(browser, workspace, kind))
    for checker in case["checkers"]:
        page = browser.page(checker)
        page.goto(f"{browser.service.url}/airlock")
        page.locator(f"a[href='/airlock/{case['id']}']").click()
        page.get_by_role("button", name="查看").click()
        expect(page.locator("#content")).to_contain_text("by_group")  # the code, beside tables and findings
        page.get_by_label("同意", exact=True).check()
        page.get_by_label("理由").fill("每组人数足够，已取整，符合规则。")
        page.get_by_role("button", name="投票").click()
        expect(page.get_by_text("投票记录").or_(page.get_by_text("已投票")).first).to_be_visible()
        page.context.close()
        browser.opened.remove(page.context)


def drawn(browser: Browser, workspace: str, kind: str) -> dict | None:
    """The case of that kind, with those who may vote on it, once all are drawn."""
    found: dict[str, list[str]] = {}
    for checker in CHECKERS:
        for each in browser.service.client(checker).get("/api/v1/airlock")["cases"]:
            if each["workspace"].endswith(workspace) and each["kind"] == kind and not each["voted"]:
                found.setdefault(each["id"], []).append(checker)
    return next(({"id": case, "checkers": who} for case, who in found.items()), None)


def sessions_stand_still(page: Page, url: str) -> None:
    """While the sealed job runs the workspace's page says that sessions stand still; afterwards it does not."""

    def said() -> bool:
        page.goto(url)
        return page.get_by_text("作业期间会话静止").is_visible()

    waited(said)
    expect(page.get_by_text("静止到下一个固定时刻").first).to_be_visible()
    waited(lambda: not said())
    expect(page.get_by_role("cell", name=re.compile("已结束")).first).to_be_visible()


def look_for_outputs(page: Page) -> None:
    """The cell that found nothing, once more, after the session stood still: what was released is there now."""
    page.bring_to_front()
    cell = open_book(page).locator(".jp-CodeCell").filter(has_text="ws.outputs()")
    before = cell.locator(".jp-InputPrompt").first.inner_text()
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    expect(cell.locator(".jp-InputPrompt").first).not_to_have_text(before)
    expect(cell.locator(".jp-OutputArea-output").filter(has_text="放行时间 released").first).to_be_visible()
    expect(cell.locator(".jp-OutputArea-output").filter(has_text="mean_cost").first).to_be_visible()
    expect(cell.get_by_text("还没有放行的产出")).to_have_count(0)


def download(page: Page, url: str, folder: Path) -> Path:
    """Every file of the released output, by its link."""
    page.goto(url)
    page.get_by_role("link", name=re.compile("^放行于")).first.click()
    expect(page.get_by_text("签名与文件相符")).to_be_visible()
    bundle = folder / "bundle"
    bundle.mkdir()
    for link in page.locator("a[download]").all():
        with page.expect_download() as started:
            link.click()
        started.value.save_as(bundle / link.inner_text())
    assert {path.name for path in bundle.iterdir()} >= {"cost.csv", "persons.csv", "cost.svg", "sdc-record.json"}
    return bundle


def verified(bundle: Path, key: Path) -> int:
    """Exit code of the offline check."""
    command = [sys.executable, "-c", "from sandbox.cli import main; main()", "airlock", "verify", bundle, "--key", key]
    return subprocess.run(command, capture_output=True, check=False, timeout=300).returncode


def waited(ask):
    """The first answer that holds, asked every second."""
    deadline = time.monotonic() + PATIENCE_S
    while not (answer := ask()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(1.0)
    return answer


def stop_session(page: Page, hub: str) -> None:
    """A session that is running belongs to the workspace it was opened for; the next one starts afresh.

    The button works once the page's scripts have bound it, so it is pressed again until the session is gone.
    """
    deadline = time.monotonic() + PATIENCE_S
    page.goto(f"{hub}/hub/home", wait_until="networkidle")
    while page.locator("#stop").is_visible():
        assert time.monotonic() < deadline, "the running session did not stop"
        page.locator("#stop").click()
        page.wait_for_timeout(2000)
        page.goto(f"{hub}/hub/home", wait_until="networkidle")


def type_and_run(page: Page, code: str) -> None:
    """Put code into the first cell and run it, once the kernel is there: Lab drops what is run before."""
    idle = page.get_by_text(re.compile(r"ipykernel\) \| (空闲|Idle)"))
    refused = page.get_by_role("dialog").filter(has_text="Error Starting Kernel")
    # On a busy machine the first request of a page can carry the token of the session before: a person reloads.
    expect(idle.or_(refused).first).to_be_visible(timeout=PATIENCE_S * 1000)
    if refused.is_visible():
        page.reload()
    expect(idle).to_be_visible(timeout=PATIENCE_S * 1000)
    cell = page.locator(".jp-CodeCell").first
    before = cell.locator(".jp-InputPrompt").first.inner_text()
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(code)
    for look in range(int(PATIENCE_S * 4)):
        shown = cell.locator(".jp-InputPrompt").first.inner_text()
        if re.fullmatch(r"\[\d+\]:", shown) and shown != before:
            return
        if look % 20 == 0 and shown in {before, "[ ]:"}:
            cell.locator(".cm-content").click()
            page.keyboard.press("Control+Enter")
        page.wait_for_timeout(250)
    raise AssertionError("the cell did not run")
