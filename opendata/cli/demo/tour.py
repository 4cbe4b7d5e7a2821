"""`tour.html`: what each person saw during the run, as screenshots of the running pages.

Needs Debian's Chromium; without it the page says so and shows no pictures. Written below the demonstration's home.
"""

from __future__ import annotations

import base64
import html
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opendata.cli.demo.context import Demo

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

STYLE = """
body { font: 16px/1.6 "Noto Sans CJK SC", "Source Han Sans SC", system-ui, sans-serif; color: #1d2a3a;
  max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; font-size: 14px }
td { border-bottom: 1px solid #d5dde6; padding: .35rem .5rem; vertical-align: top }
figure { margin: 2.5rem 0 }
img { max-width: 100%; border: 1px solid #d5dde6 }
figcaption { font-weight: 600; margin-bottom: .5rem }
"""
TEMPLATE = """<!doctype html>
<html lang="{language}">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>{style}</style>
<h1>{title}</h1>
<table>{lines}</table>
{shown}
</html>
"""


@dataclass(frozen=True, slots=True)
class Stop:
    """One picture: who looks, at which path, with what words beside it."""

    who: str | None
    path: str
    zh: str
    en: str
    act: Callable[[Any], None] | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A stop as it was seen; ``png`` is None when the page could not be photographed."""

    stop: Stop
    png: bytes | None


@contextmanager
def browser() -> Iterator[Any]:
    """Debian's Chromium, headless. Yields None where it is not installed."""
    chromium = shutil.which("chromium")
    if chromium is None:
        yield None
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        try:
            yield running
        finally:
            running.close()


def write(demo: Demo, stops: Sequence[Stop], secrets: dict[str, str]) -> Path:
    """Visit the stops and write the page. ``secrets``: a fresh one-time link for each person who looks."""
    pictures = [Picture(stop, png) for stop, png in photograph(demo, stops, secrets)]
    target = demo.settings.home / "tour.html"
    target.write_text(page(demo, pictures), encoding="utf-8")
    return target


def photograph(demo: Demo, stops: Sequence[Stop], secrets: dict[str, str]) -> Iterator[tuple[Stop, bytes | None]]:
    """Each stop with its screenshot; one browser context a person, signed in by the one-time link."""
    with browser() as running:
        contexts: dict[str | None, Any] = {}
        for stop in stops:
            if running is None:
                yield stop, None
                continue
            if stop.who not in contexts:
                contexts[stop.who] = signed_in(demo, running, secrets[stop.who] if stop.who else None)
            yield stop, look(demo, contexts[stop.who], stop)


def signed_in(demo: Demo, running: Any, secret: str | None) -> Any:
    """A browser context of one person."""
    locale = "en" if demo.language == "en" else "zh-CN"
    context = running.new_context(viewport={"width": 1280, "height": 900}, locale=locale)
    if secret is not None:
        visitor = context.new_page()
        visitor.goto(f"{demo.settings.public_url}/sign-in/link/{secret}")
        button = visitor.locator("form[method=post] button[type=submit]")
        if button.count():
            button.first.click()
        visitor.close()
    return context


def look(demo: Demo, context: Any, stop: Stop) -> bytes | None:
    """One full-page screenshot."""
    from playwright.sync_api import Error

    view = context.new_page()
    try:
        view.goto(stop.path if stop.path.startswith("http") else demo.settings.public_url + stop.path)
        if stop.act is not None:
            stop.act(view)
        return bytes(view.screenshot(full_page=True))
    except Error:
        return None
    finally:
        view.close()


def page(demo: Demo, pictures: Sequence[Picture]) -> str:
    """One self-contained page: the report's lines, then the pictures."""
    lines = "".join(
        f"<tr><td>{'✗' if line.refused else '✓'} {html.escape(line.step)}</td><td>{html.escape(line.made)}</td>"
        f"<td>{html.escape(line.risk)}</td><td>{line.seconds:.1f} s</td></tr>"
        for line in demo.lines
    )
    shown = "".join(figure(demo, picture) for picture in pictures)
    title = demo.text("演示导览", "Tour of the demonstration")
    return TEMPLATE.format(
        language="en" if demo.language == "en" else "zh", title=title, style=STYLE, lines=lines, shown=shown
    )


def figure(demo: Demo, picture: Picture) -> str:
    """One picture with its words."""
    words = html.escape(demo.text(picture.stop.zh, picture.stop.en))
    if picture.png is None:
        missing = demo.text(
            "没有截图：未安装 Chromium 或页面未能打开", "no picture: Chromium is missing or the page did not open"
        )
        return f"<figure><figcaption>{words}</figcaption><p>{missing}</p></figure>"
    data = base64.b64encode(picture.png).decode("ascii")
    return f'<figure><figcaption>{words}</figcaption><img alt="{words}" src="data:image/png;base64,{data}"></figure>'
