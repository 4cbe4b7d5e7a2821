"""With a keyboard alone and without eyes: no page of the sandbox stands in the way, and a checker can do the work.

The pages stand before a small world whose programs are made up; the portal's are visited in test_pages.py.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Locator, Page, expect

from opendata.db import utc_now
from opendata.identity import service as identity
from sandbox.airlock import rawdoor as door
from sandbox.web import airlock_api
from tests.browser.conftest import AXE, Browser
from tests.browser.faults import faults, faults_besides, unseen_stops
from tests.conftest import free_port
from tests.sandbox.airlock.test_chain import drawn, request_of
from tests.sandbox.airlock.test_covering import RAW_DUMP
from tests.sandbox.sandbox_world import GOOD, World, code
from tests.sandbox.web.conftest import world  # noqa: F401 - a fixture
from tests.sandbox.web.test_api import app, open_door  # noqa: F401 - fixtures
from tests.sandbox.web.test_pages import later, release

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: run ./run setup"),
]
NARROW = 390
MOST_TABS = 120
SOUND = """<!doctype html><html lang="en"><head><title>Sound</title></head><body><main><h1>One</h1>%s</main></body></html>"""
BROKEN = {
    "image-alt": '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
    "label": '<input id="x" style="height: 30px">',
    "color-contrast": '<p style="color: #aaa; background: #fff">Pale</p>',
    "aria-allowed-attr": '<p role="status" aria-checked="true">So</p>',
    "heading left out": "<h2>Two</h2><h4>Four</h4>",
    "nameless table": '<table><tr><th scope="col">A</th></tr></table>',
    "vague head": '<table aria-label="T"><tr><th>A</th></tr></table>',
    "small": '<button style="width: 20px; height: 20px; padding: 0">A</button>',
    "aria-describedby leads nowhere": '<label>A <input aria-describedby="lost" style="height: 30px"></label>',
    "broken anchor": '<p>See <a href="#lost">below</a></p>',
    "Chinese that does not say so": "<p>中文</p>",
    "wider than the page": '<div style="width: 3000px">Wide</div>',
}


@pytest.fixture
def served(world: World, app: Any, open_door: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:  # noqa: F811
    """The address of the world's application, with the raw door as the worker keeps it."""
    handlers = {"airlock-view": door.view, "airlock-reveal": door.reveal}
    monkeypatch.setattr(
        airlock_api.rawdoor,
        "ask",
        lambda _settings, path, question, *, token: world.through_the_door(handlers[path], token, question),
    )
    monkeypatch.setattr(airlock_api, "own_secret", lambda request: request.state.visitor.actor.username)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert time.monotonic() < deadline, "the application did not start"
        time.sleep(0.02)
    yield f"http://localhost:{port}"
    server.should_exit = True
    thread.join(60)


def page_of(browser: Browser, world: World, name: str, language: str = "zh-CN") -> Page:  # noqa: F811
    """A page of a person of the world, who is known by a token."""
    with world.database.begin() as session:
        token = identity.issue_token(session, world.actor(name).id, name="browser", now=utc_now())
    page: Page = browser.page(language=language)
    page.context.set_extra_http_headers({"Authorization": f"Bearer {token}"})
    return page


def go_to(page: Page, place: Locator) -> None:
    """Press Tab until the place has the focus, as somebody without a mouse does."""
    passed = []
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if place.evaluate("(each) => each === document.activeElement"):
            return
        passed.append(
            page.evaluate("document.activeElement.id || document.activeElement.textContent.trim().slice(0, 20)")
        )
    raise AssertionError(f"Tab does not lead to {place}, but to {passed}")


def write(page: Page, words: str) -> None:
    """Instead of what stands in the field."""
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(words)


def test_a_checker_votes_without_a_mouse(browser: Browser, world: World, served: str) -> None:  # noqa: F811
    program = code({"rows.csv": RAW_DUMP, "t.csv": GOOD}, {"rows.csv": "sex,n\n男,500\n", "t.csv": GOOD})
    case = request_of(world, world.submit(world.workspace("L1"), program)).id
    page = page_of(browser, world, drawn(world, case)[0])
    page.goto(f"{served}/airlock")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="跳到正文")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    go_to(page, page.get_by_role("link", name="产出 · x.py"))
    page.keyboard.press("Enter")

    go_to(page, page.get_by_label("查看目的"))
    write(page, "看")
    page.keyboard.press("Enter")
    expect(page.locator(".govuk-error-summary")).to_be_focused()
    expect(page).to_have_title("错误： 出域审查 · x.py · 公共数据开放与沙箱")
    found = faults(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("查看目的")).to_be_focused()
    write(page, "出域审查")
    page.keyboard.press("Enter")

    folded = page.locator("summary").filter(has_text="的前 20 行")
    go_to(page, folded)
    page.keyboard.press("Enter")
    found += faults(page)
    purpose = page.get_by_label("揭示的目的")
    go_to(page, purpose)
    write(page, "看")
    page.keyboard.press("Enter")
    expect(page.locator(".reveal .govuk-error-message")).to_be_visible()
    expect(purpose).to_be_focused()  # answered in place: the focus is where the error is
    write(page, "核对原始记录")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="揭示：")).to_be_focused()

    go_to(page, page.get_by_role("radio").first)
    page.keyboard.press("Space")
    while not page.get_by_label("退回修改").is_checked():
        page.keyboard.press("ArrowDown")  # goes round in the group
    go_to(page, page.get_by_label("理由", exact=True))
    write(page, "好")
    go_to(page, page.get_by_role("button", name="投票"))
    page.keyboard.press("Enter")
    expect(page.locator("#explanation-error")).to_be_visible()
    expect(page.get_by_label("理由", exact=True)).to_be_focused()
    expect(page.get_by_label("退回修改")).to_be_checked()
    found += faults(page) + unseen_stops(page)
    page.get_by_label("理由", exact=True).focus()
    write(page, "与原始记录相符，不能放行")
    go_to(page, page.get_by_role("button", name="投票"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="投票")).to_have_count(0)
    page.goto(f"{served}/airlock")
    expect(page.get_by_role("main")).to_contain_text("已退回")
    assert found == []
    assert [each for each in browser.complaints if "422" not in each] == []


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_pages_of_the_sandbox(browser: Browser, world: World, served: str, language: str) -> None:  # noqa: F811
    """Everything unfolded; Chinese on a desk, English on a telephone without axe-core: the structure is the same."""
    job = world.submit(world.workspace("L1"), code({"t.csv": GOOD}))
    later(world, job)
    output = release(world)
    world.submit(world.workspace("L2", name="second"), code({"t.csv": GOOD}, {"t.csv": "sex,n\n男,1\n"}), entry="y.py")
    waiting = world.workspace("L2", name="third", approve=False)
    assert waiting
    with world.database.session() as session:
        failed = session.scalars(_jobs_of("y.py")).one().id
    visits = {
        "researcher": (
            "/workspaces", "/workspaces/new", "/workspaces/study", "/workspaces/third", "/workspaces/study/imports",
            f"/workspaces/study/jobs/{job}", f"/workspaces/second/jobs/{failed}",
            f"/workspaces/study/outputs/{output}", "/workspaces/packages",
        ),
        "officer": ("/workspaces", "/workspaces/third", "/imports"),
        "security": ("/airlock/checkers", "/airlock/outputs", f"/airlock/outputs/{output}", "/workspaces/study"),
        "auditor": ("/airlock", "/ledger"),
    }  # fmt: skip
    found, titles = [], {}
    for person, paths in visits.items():
        page = page_of(browser, world, person, language)
        page.set_viewport_size({"width": NARROW if language == "en" else 1280, "height": 800})
        for path in paths:
            page.goto(served + path)
            page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
            wrong = faults_besides(page) if language == "en" else faults(page) + unseen_stops(page)
            found += [f"{person} {path}: {each}" for each in wrong]
            titles.setdefault(page.title(), set()).add(path.replace("third", "study"))  # both have one title
    assert found == []
    assert {title: paths for title, paths in titles.items() if len(paths) > 1} == {}
    assert browser.complaints == []


def test_what_is_broken_is_found(browser: Browser) -> None:
    """The control: each of these faults is named, and the page without it has none."""
    page = browser.page(width=NARROW)
    page.set_content(SOUND % "<p>All is well</p>")
    assert faults(page) + unseen_stops(page) == []
    missed = []
    for fault, markup in BROKEN.items():
        page.set_content(SOUND % markup)
        found = faults(page)
        if not any(each.startswith(fault) for each in found):
            missed.append(f"{fault}: found {found}")
    page.set_content(SOUND % '<button style="outline: none; padding: 9px">A</button>')
    if not unseen_stops(page):
        missed.append("a stop whose focus does not show")
    assert missed == []


def _jobs_of(entry: str) -> Any:
    from sqlalchemy import select

    from sandbox.workspaces.models import SandboxJob

    return select(SandboxJob).where(SandboxJob.entry == entry)
