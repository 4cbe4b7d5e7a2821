"""`tour.html`: what each person saw during the run, as screenshots of the running pages.

Needs Debian's Chromium; without it the page says so and shows no pictures. Written below the demonstration's home.
"""

from __future__ import annotations

import base64
import html
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opendata.cli.demo.context import Demo, relative
from opendata.cli.demo.people import links

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NOTEBOOK_MS = 60_000
IDLE = re.compile(r"ipykernel\) \| (空闲|Idle)")
CELLS_TO_THE_GUARD = 7  # of the example notebook, from its first cell of code

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


def write_tour(demo: Demo) -> Path | None:
    """Photograph the whole story and say where it is. None when the pictures failed: the run itself held."""
    from opendata.cli.people import administering

    with administering() as session:
        secrets = links(session)
    try:
        target = write(demo, stops(demo), secrets)
    except Exception as error:  # noqa: BLE001 - pictures are a report about the run, never a reason to call it failed
        print(demo.text(f"导览未生成：{type(error).__name__}", f"no tour: {type(error).__name__}"), flush=True)
        return None
    print(demo.text(f"导览 {relative(target)}", f"tour {relative(target)}"), flush=True)
    return target


def stops(demo: Demo) -> list[Stop]:
    """The story in the order it happened: officer, reviewer, visitor, firm, researcher, checker, auditor."""
    found = [*_officer(demo), *_open_data(demo)]
    if "workspace" in demo.made:
        found += _sandbox(demo)
    return [*found, *_proofs()]


def _officer(demo: Demo) -> list[Stop]:
    patients = demo.made["patients"]
    edition = f"/console/editions/{patients['edition']['id']}"
    return [
        Stop(
            "officer-health",
            f"/console/intakes/{patients['intake']}",
            "数据专员上传就诊记录：每个标识列有多少值通过校验、属于哪一级、依据哪一条",
            "The officer uploads the visits: how many values of each identifier pass, the level, the clause",
        ),
        Stop(
            "officer-social",
            "/console/datasets/social-insure/policy",
            "脱敏策略用话说，YAML 在旁；五行脱敏前后，直接标识符被遮盖",
            "The masking policy in words, YAML beside it; five rows before and after, identifiers covered",
            _preview,
        ),
        Stop(
            "officer-health",
            edition,
            "可被单独识别的人：脱敏前与脱敏后；保密审查与影响评估在同一页",
            "Persons singled out before and after; secrecy checklist and impact assessment on one page",
        ),
        Stop(
            "reviewer",
            edition,
            "审核员看到同样的依据和自己的意见",
            "The reviewer sees the same evidence and the opinion",
        ),
    ]


def _open_data(demo: Demo) -> list[Stop]:
    found = [
        Stop(None, "/datasets", "任何人检索目录", "Anyone searches the catalogue"),
        Stop(
            None,
            "/dataset/villages",
            "无条件开放：下一步、下载、可复制的命令、凭证",
            "Unconditional: next step, downloads, commands to copy, receipt",
        ),
        Stop(
            None,
            "/dataset/flights",
            "有条件开放：登录并申请之后才有数据",
            "Conditional: sign in and apply before there is data",
        ),
        Stop("enterprise", "/grants", "企业获批：许可、应用密钥、命令", "The firm is approved: grant, key, command"),
        Stop(
            "enterprise",
            "/dataset/flights/rows",
            "航班数据：机尾号是本企业专属的假名",
            "The flights: tail numbers are pseudonyms of this firm alone",
        ),
    ]
    if "fixed_tables" in demo.made:
        zh, en = (
            "固定口径统计：任何人选择口径，立即得到数字、误差和图",
            "Fixed tables: anyone asks, figures, errors and plot at once",
        )
        found.append(Stop(None, demo.made["fixed_tables"], zh, en))
    return found


def _sandbox(demo: Demo) -> list[Stop]:
    workspace = f"/workspaces/{demo.made['workspace']}"
    return [
        Stop(
            "researcher",
            workspace,
            "研究员的沙箱：作业、试运行中逐条解释的问题、放行的产出",
            "The researcher's workspace: jobs, findings explained on the dry run, released outputs",
            _dry_run,
        ),
        Stop(
            "researcher",
            workspace,
            "JupyterLab：仿真数据；curl 被拒绝，并说明是哪一道守卫",
            "JupyterLab: practice data; curl is refused, naming the guard",
            _notebook,
        ),
        Stop(
            "checker-1",
            "/airlock",
            "出域审查员：随机抽取，投票前互不可见",
            "The checkers: drawn at random, blind to each other until all have voted",
            _case,
        ),
    ]


def _proofs() -> list[Stop]:
    return [
        Stop("auditor", "/ledger", "审计员：每一步都先写入存证", "The auditor: every step was written first"),
        Stop(None, "/verify", "任何人核验文件", "Anyone verifies a file"),
    ]


def _preview(view: Any) -> None:
    """Ask for five rows before and after."""
    view.fill("#purpose", "演示导览")
    view.click("button[value=preview-yaml]")
    view.wait_for_selector("#preview")


def _dry_run(view: Any) -> None:
    """Open the findings of the notebook that cut too finely."""
    view.locator("main a[href*='/jobs/']").last.click()
    view.wait_for_selector("#dry-run")


def _notebook(view: Any) -> None:
    """Open the example notebook in a session and run all of it."""
    view.locator("a[href*='/hub/spawn']").click()
    view.locator(".jp-DirListing-item").filter(has_text="example.ipynb").dblclick(timeout=NOTEBOOK_MS)
    view.locator(".jp-CodeCell").first.wait_for(timeout=NOTEBOOK_MS)
    # Lab drops what is run before the kernel is there, which takes a while after a sealed job wiped the host's caches.
    view.get_by_text(IDLE).first.wait_for(timeout=NOTEBOOK_MS)
    view.locator(".jp-CodeCell .cm-content").first.click()
    for _ in range(CELLS_TO_THE_GUARD):
        view.keyboard.press("Shift+Enter")
    refused = view.locator(".jp-OutputArea-output").filter(has_text="network guard")
    refused.first.wait_for(timeout=NOTEBOOK_MS)
    refused.first.scroll_into_view_if_needed()


def _case(view: Any) -> None:
    """Open the first case, if this checker was drawn for one."""
    case = view.locator("main a[href^='/airlock/']")
    if case.count():
        case.first.click()
        view.wait_for_load_state()


def write(demo: Demo, stops: Sequence[Stop], secrets: dict[str, str]) -> Path:
    """Visit the stops and write the page. ``secrets``: a fresh one-time link for each person who looks."""
    pictures = [Picture(stop, png) for stop, png in photograph(demo, stops, secrets)]
    for stop in (picture.stop for picture in pictures if picture.png is None):
        print(demo.text(f"导览缺图：{stop.zh}", f"no picture: {stop.en}"), flush=True)
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
        visitor.wait_for_url("**/account")  # the page of the link sends itself
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
