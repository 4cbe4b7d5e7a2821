"""Doctor's look at what the sandbox lives on: the notebooks' packages, a Chinese font for plots, room on the disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from opendata.parts import Finding
from sandbox.settings import DEFAULT_KERNEL_ENV
from sandbox.workspaces.environment import LOCK, beside_the_lock, is_installed

GIB: Final = 1024**3
ROOMY: Final = 5 * GIB
"""Free bytes from which it is enough: a home, a quarantined output, a sealed upload may need hundreds of MiB each."""
FULL: Final = GIB // 4
"""Free bytes below which jobs fail and nothing can be published."""
FONTS: Final = Path("/usr/share/fonts")
CHINESE: Final = "NotoSansCJK*"
_NAMED: Final = 5


def findings(
    home: Path, *, environment: Path = DEFAULT_KERNEL_ENV, lock: Path = LOCK, fonts: Path = FONTS
) -> Iterable[Finding]:
    """One finding for each of the three."""
    yield packages(environment, lock)
    yield font(fonts)
    there = next(place for place in (home, *home.parents) if place.exists())  # a home is made at the first start
    yield room(home, shutil.disk_usage(there).free)


def packages(environment: Path, lock: Path) -> Finding:
    """Whether the environment is the lock's, whole and nothing beside it."""
    name = {"zh": "笔记本软件包", "en": "notebook packages"}
    if not is_installed(environment, lock):
        return Finding(name, "weaker", {
            "zh": "与锁定的清单不同，或没有装完：请运行 ./run setup。",
            "en": "They are not those of the lock, or not complete: run ./run setup.",
        })  # fmt: skip
    if extra := beside_the_lock(environment, lock):
        listed = ", ".join(extra[:_NAMED]) + (" …" if len(extra) > _NAMED else "")
        return Finding(name, "weaker", {
            "zh": f"有 {len(extra)} 个不在锁定的清单中（{listed}），作业记录的环境与实际不符：请用 ./run package。",
            "en": f"{len(extra)} are not in the lock ({listed}): jobs record another environment. Use ./run package.",
        })  # fmt: skip
    return Finding(name, "enforced", {
        "zh": "与锁定的清单一致；用 ./run package 增加。",
        "en": "They are those of the lock; ./run package adds one.",
    })  # fmt: skip


def font(fonts: Path) -> Finding:
    """Whether plots in notebooks can show Chinese."""
    name = {"zh": "图中的中文", "en": "Chinese in plots"}
    if next(fonts.rglob(CHINESE), None) is None:
        return Finding(name, "weaker", {
            "zh": "没有中文字体，笔记本的图里中文显示为方框：apt-get install fonts-noto-cjk。",
            "en": "No Chinese font, so plots in notebooks show boxes: apt-get install fonts-noto-cjk.",
        })  # fmt: skip
    return Finding(name, "enforced", {"zh": "有中文字体。", "en": "A Chinese font is there."})


def room(home: Path, free: int) -> Finding:
    """Whether the home's file system has room; ``free`` in bytes."""
    name = {"zh": "磁盘空间", "en": "disk space"}
    shown = f"{free / GIB:.1f} GiB"
    if free >= ROOMY:
        return Finding(name, "enforced", {"zh": f"{home} 尚有 {shown}。", "en": f"{shown} are free in {home}."})
    detail = {
        "zh": f"{home} 只剩 {shown}：满了以后不能发布、上传和运行作业，已确认的都在。请腾出空间。",
        "en": f"Only {shown} are free in {home}: once full, nothing is published, uploaded or run; what was "
        "acknowledged stays. Make room.",
    }
    return Finding(name, "off" if free < FULL else "weaker", detail)
