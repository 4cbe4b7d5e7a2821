"""What a session's page says of its life: before the end, at the end, after a restart, and what it has Lab save."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest

from opendata.cli.demo.tour import CHROMIUM_ARGUMENTS
from sandbox.hub import endings
from sandbox.hub.idle import IdleClock
from sandbox.hub.service import WorkspaceEntry
from sandbox.hub.spawner import _told
from sandbox.inside import notices
from sandbox.inside.activity import counting_busy_kernels
from tests.sandbox.hub.conftest import Sandbox

PATIENCE_MS = 90_000
LAB_PAGE = (
    "<html><head><meta charset='utf-8'></head><body>{{ page_config | tojson }}<p>{{ base_url }}</p></body></html>"
)


@pytest.fixture(scope="module")
def hub_options() -> tuple[str, ...]:
    """Whatever is opened is within the last warning before its longest life."""
    return ("--recheck", "1", "--poll", "1", "--longest", "295")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium is not installed: apt-get install chromium fonts-noto-cjk")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


def test_every_reason_has_words_in_both_languages_and_the_next_session_is_told_the_last_one() -> None:
    for reason, (zh, en) in endings.WORDS.items():
        endings.remember("alice", reason)
        entry = WorkspaceEntry("w1", "falls", "跌倒", expires_at=2_000_000_000.7)
        told = notices.told(dict(_told(entry, 1_999_999_000.2, endings.words("alice"))))
        assert told["before"] == [zh, en]
        assert (told["endsAt"], told["expiresAt"]) == (1_999_999_000, 2_000_000_001)
    endings.forget("alice")
    assert endings.words("alice") is None
    told = notices.told(dict(_told(WorkspaceEntry("w1", "falls", ""), 5.0, None)))
    assert (told["before"], told["expiresAt"]) == ([], 0)


@pytest.mark.parametrize("given", ["", "-1", "1e9", "٣", "{{ 1 }}"])
def test_an_odd_moment_is_not_said(given: str) -> None:
    assert notices.told({"SANDBOX_ENDS_AT": given})["endsAt"] == 0


def test_the_page_stays_labs_own_and_takes_nothing_from_the_data(tmp_path: Path) -> None:
    hostile = "</script><b>{{ 7 * 7 }}{% raw %}"
    said = notices.told({"SANDBOX_ENDED_BEFORE": hostile, "SANDBOX_ENDS_AT": "5"})
    page = jinja2.Template(notices.with_script(LAB_PAGE, said), autoescape=False).render(page_config={}, base_url="/u/")
    assert "<p>/u/</p>" in page
    assert page.count("</script>") == 1
    assert "49" not in page.split("const told")[1].split("\n")[0]
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/index.html").write_text(LAB_PAGE)
    assert len(notices.arguments(tmp_path / "t", tmp_path / "lab", {})) == 2
    assert "const told" in (tmp_path / "t/index.html").read_text("utf-8")


@pytest.mark.parametrize("page", [None, "", "<html>", "</body></body>"])
def test_a_page_of_another_form_is_left_alone(page: str | None, tmp_path: Path) -> None:
    """A session opens without notices then."""
    if page is not None:
        (tmp_path / "index.html").write_text(page)
    assert notices.arguments(tmp_path / "t", tmp_path, {}) == ()


def test_a_kernel_that_computes_counts_as_use() -> None:
    """The control: an idle one leaves the server's own answer."""
    then, now = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 2, tzinfo=UTC)
    kernels = {"a": SimpleNamespace(execution_state="idle"), "b": SimpleNamespace()}
    manager = SimpleNamespace(list_kernel_ids=lambda: list(kernels), get_kernel=kernels.__getitem__)
    application = SimpleNamespace(settings={"kernel_manager": manager})
    latest = counting_busy_kernels(lambda _: then, lambda: now)
    assert latest(application) == then
    kernels["a"].execution_state = "busy"
    assert latest(application) == now


def test_a_clock_set_forward_is_one_look() -> None:
    clock, free = IdleClock(0.0, longest_look_s=60.0), IdleClock(0.0)
    assert [clock.look(now, used=0.0, still=False) for now in (15.0, 86_400.0, 86_415.0)] == [15.0, 75.0, 90.0]
    assert free.look(86_400.0, used=0.0, still=False) == 86_400.0


GIVE_UP = """
AbortSignal.timeout = () => {
  const patience = new AbortController();
  window.giveUp = () => patience.abort(new DOMException("", "TimeoutError"));
  return patience.signal;
};
"""
"""Patience ends when a test says so, not by the clock."""


def plain_page(chromium: Any, told: dict[str, Any], *, lab: str = "") -> Any:
    """The script in a page of its own, whose session's address answers 200 until ``page.answer`` says otherwise (0: nothing)."""
    page = chromium.new_page()
    page.set_default_timeout(PATIENCE_MS)
    config = "<script id='jupyter-config-data' type='application/json'>{\"baseUrl\": \"/user/a/\"}</script>"
    html = notices.with_script(
        f"<html><meta charset='utf-8'><body>{config}<script>{GIVE_UP}{lab}</script></body></html>", told
    )
    html = html.replace("{% raw %}", "").replace("{% endraw %}", "").replace("LOOK_MS = 15000", "LOOK_MS = 200")
    page.route("**/lab", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.route("**/user/a/api", lambda route: page.answer and route.fulfill(status=page.answer, body="{}"))
    page.answer = 200
    page.goto("http://a.sandbox.localhost/lab")
    return page


@pytest.mark.integration
def test_shortly_before_the_end_everything_is_saved_once_and_it_is_said(chromium) -> None:
    """The control: hours before it nothing is saved, nothing said."""
    lab = (
        "window.calls = []; window.jupyterapp = {commands: {execute: (name) => calls.push(name)},"
        " serviceManager: {connectionFailure: {connect: () => {}}}};"
    )
    early = plain_page(chromium, notices.told({"SANDBOX_ENDS_AT": f"{time.time() + 9000:.0f}"}), lab=lab)
    for _ in range(3):
        with early.expect_response("**/user/a/api"):
            pass
    assert early.locator("[data-notice]").count() == 0
    assert early.evaluate("calls") == []
    late = plain_page(chromium, notices.told({"SANDBOX_EXPIRES_AT": f"{time.time() + 88:.0f}"}), lab=lab)
    late.locator("[data-notice=end]").wait_for()
    text = late.locator("[data-notice=end]").inner_text()
    assert "到期" in text
    assert "expires in about 1 min" in text
    for _ in range(3):  # and not once more at later looks
        with late.expect_response("**/user/a/api"):
            pass
    assert late.evaluate("calls") == ["docmanager:save-all"]


@pytest.mark.integration
def test_a_session_that_is_away_or_stands_still_is_not_called_ended(chromium) -> None:
    page = plain_page(chromium, notices.told({}))
    for _ in range(3):
        with page.expect_response("**/user/a/api"):
            pass
    assert page.locator("[data-notice]").count() == 0
    page.answer = 503
    page.locator("[data-notice=life]").filter(has_text="暂时没有回应").wait_for()
    page.answer = 200
    page.locator("[data-notice=life]").filter(has_text="会话可以使用").wait_for()
    page.answer = 0
    still = page.locator("[data-notice=life]").filter(has_text="可能正静止")
    waited(lambda: page.evaluate("giveUp()") or still.count())
    page.answer = 424
    page.locator("[data-notice=life]").filter(has_text="The session has ended").wait_for()
    link = page.locator("[data-notice=life] a")
    assert link.get_attribute("href") == "/hub/home"
    close = (
        "document.querySelector('[data-notice=life] button').click(); document.querySelectorAll('[data-notice]').length"
    )
    assert page.evaluate(close) == 0


@pytest.mark.integration
def test_lab_says_that_a_session_will_end_has_ended_and_why(chromium, sandbox: Sandbox) -> None:
    context = chromium.new_context(locale="zh-CN")
    context.set_default_timeout(PATIENCE_MS)
    context.add_cookies([{"name": "person", "value": "alice", "url": sandbox.portal.url}])
    page = context.new_page()
    open_lab(page, sandbox)
    page.locator("[data-notice=end]").filter(has_text="最长时限").wait_for()
    sandbox.portal.workspaces["falls"] = []
    page.locator("[data-notice=life]").filter(has_text="会话已结束").wait_for()
    assert page.locator("[data-notice=life] a").get_attribute("href") == f"{sandbox.url}/hub/home"
    sandbox.portal.workspaces["falls"] = ["alice"]
    again = context.new_page()
    open_lab(again, sandbox)
    again.locator("[data-notice=before]").filter(has_text="权限已终止").wait_for()
    again.locator("[data-notice=before] button").click()
    again.reload()
    again.locator("[data-notice=end]").wait_for()
    assert again.locator("[data-notice=before]").count() == 0
    context.close()


def open_lab(page: Any, sandbox: Sandbox) -> None:
    page.goto(f"{sandbox.url}/hub/spawn?workspace=falls")
    page.wait_for_url("**/lab**")
    page.locator(".jp-DirListing-item").first.wait_for()


@pytest.mark.integration
def test_a_silent_computation_is_activity_and_a_session_that_dies_says_so(sandbox: Sandbox) -> None:
    """The controls: beside an idle kernel the latest activity stays; a session that a person stops needs no words."""
    alice = sandbox.browser("alice")
    alice.sign_in()
    alice.spawn()
    assert alice.lab().status_code == 200
    kernel = alice.kernel()
    kernel.run("import time")
    waited(lambda: last_activity(alice) == last_activity(alice))
    kernel.begin("time.sleep(600)")
    before = last_activity(alice)
    waited(lambda: last_activity(alice) > before + timedelta(seconds=3))
    kernel.close()
    sandbox.restart_launcher()
    waited(lambda: "意外结束" in alice.http.get(f"{sandbox.url}/hub/home").text)
    alice.spawn()
    assert alice.lab().status_code == 200
    assert alice.hub_api("DELETE", "users/alice/server").status_code in {202, 204}
    waited(lambda: not list((sandbox.run / "hub/gates").iterdir()))
    assert "意外结束" not in alice.http.get(f"{sandbox.url}/hub/home").text


def last_activity(browser: Any) -> datetime:
    return datetime.fromisoformat(browser.api("GET", "api/status").json()["last_activity"])


def waited(holds: Any) -> None:
    deadline = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.5)
