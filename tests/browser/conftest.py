"""A real browser for each test file, and people who sign in to it by one-time links."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from opendata.cli.demo.tour import CHROMIUM_ARGUMENTS
from tests.conftest import Service

AXE = Path(__file__).resolve().parents[2] / "deploy" / "assets" / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE_MS = 120_000


@dataclass
class Browser:
    """Chromium beside one service. ``complaints``: what pages wrote to the console as errors."""

    running: Any
    service: Service
    complaints: list[str] = field(default_factory=list)
    opened: list[Any] = field(default_factory=list)

    def page(self, username: str | None = None, *, language: str = "zh-CN", width: int = 1280) -> Any:
        """A page of a fresh browser context, signed in as ``username`` by a one-time link."""
        context = self.running.new_context(
            viewport={"width": width, "height": 900}, locale=language, permissions=["clipboard-read", "clipboard-write"]
        )
        context.set_default_timeout(PATIENCE_MS)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.opened.append(context)
        page = context.new_page()
        if username is not None:
            page.goto(f"{self.service.url}/sign-in/link/{self.service.link(username)}")
            page.wait_for_url("**/account")
        return page

    def _hear(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def forget(self) -> None:
        """Close what was opened and drop what was heard."""
        while self.opened:
            self.opened.pop().close()
        self.complaints.clear()


@pytest.fixture(scope="module")
def _chromium(service: Service) -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed: apt-get install chromium fonts-noto-cjk")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)

    # One file at a time: while Playwright runs, its event loop occupies this thread.
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield Browser(running, service)
        running.close()


@pytest.fixture
def browser(_chromium: Browser) -> Iterator[Browser]:
    """The browser, without pages."""
    yield _chromium
    _chromium.forget()
