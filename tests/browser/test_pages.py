"""Every main page in both languages: fits 375 px, writes no error to the console, is usable by everybody."""

from __future__ import annotations

import re
from secrets import token_hex

import pytest

from tests.browser.conftest import AXE, Browser
from tests.browser.faults import faults, faults_besides, unseen_stops
from tests.chain.steps import csv, people, people_policy, publish
from tests.conftest import Service

pytestmark = pytest.mark.integration

PUBLIC = (
    "/",
    "/datasets",
    "/datasets?q=nothing-here",
    "/verify",
    "/ledger",
    "/about",
    "/threats",
    "/fixed-tables",
    "/api/docs",
    "/sign-in",
)
PERSONAL = {
    "officer-social": ("/account", "/console/datasets", "/console/datasets/new", "/console/requests"),
    "reviewer": ("/console/reviews", "/workspaces", "/airlock/outputs"),
    "enterprise": ("/requests", "/grants"),
    "researcher": ("/workspaces", "/workspaces/new"),
    "checker-1": ("/airlock",),
    "auditor": ("/ledger",),
}
CHINESE = re.compile(r"[一-鿿]")
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def published(service: Service) -> tuple[str, str]:
    """A published dataset and its console edition."""
    name = f"pages-{token_hex(3)}"
    policy = people_policy(name, keyed=False)
    edition = publish(service, name, csv(people(1_500)), policy, opening_class="conditional")
    return name, edition["id"]


def paths(published: tuple[str, str]) -> dict[str | None, tuple[str, ...]]:
    name, edition = published
    found: dict[str | None, tuple[str, ...]] = {None: (*PUBLIC, f"/dataset/{name}"), **PERSONAL}
    console = (f"/console/datasets/{name}", f"/console/datasets/{name}/policy", f"/console/datasets/{name}/build")
    found["officer-social"] = (*PERSONAL["officer-social"], *console, f"/console/editions/{edition}")
    found["enterprise"] = (*PERSONAL["enterprise"], f"/dataset/{name}", f"/dataset/{name}/request")
    return found


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_main_pages(browser: Browser, published: tuple[str, str], language: str) -> None:
    """Looked at on a telephone (layout) and on a desk (axe-core, focus)."""
    found: list[str] = []
    titles: dict[str, set[str]] = {}
    for person, visited in paths(published).items():
        page = browser.page(person, language=language, width=375)
        for path in visited:
            page.set_viewport_size({"width": 375, "height": 800})
            page.goto(browser.service.url + path)
            titles.setdefault(page.title(), set()).add(path.partition("?")[0])
            where = f"{language} {person or 'visitor'} {path}"
            found += [f"{where}, 375 px: {each}" for each in faults_besides(page)]
            page.set_viewport_size({"width": 1280, "height": 900})
            if AXE.is_file() and language == "zh-CN":  # the structure is the same in both languages
                found += [f"{where}: {each}" for each in faults(page) + unseen_stops(page)]
            if language == "en" and (words := CHINESE.search(page.title())):
                found.append(f"{where}: untranslated title {words.string!r}")
        page.context.close()
    assert found == []
    assert {title: paths for title, paths in titles.items() if len(paths) > 1} == {}
    assert browser.complaints == []


def test_axe_is_there() -> None:
    """The check above means nothing without axe-core."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: run ./run setup")
