"""Whether the sandbox door is open on this machine: what the launcher's probes found when it started."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from opendata.settings import Settings
from sandbox.contracts import BadContract, Check, Enforcement
from sandbox.settings import SandboxSettings
from sandbox.workspaces.errors import SandboxClosed


@dataclass(frozen=True, slots=True)
class DoorState:
    """``open``, and what is missing (None: the launcher has not said anything yet)."""

    open: bool
    missing: tuple[Check, ...] | None

    @property
    def text(self) -> dict[str, str]:
        """One sentence for people."""
        if self.open:
            return {"zh": "沙箱已开放。", "en": "The sandbox is open."}
        if self.missing is None:
            return {
                "zh": "沙箱尚未开放：启动器没有运行或正在自检。目录、下载和申请不受影响。",
                "en": "The sandbox is not open: its launcher is not running or still probing. All else works.",
            }
        names_zh = "、".join(check.zh.rstrip("。") for check in self.missing)
        names_en = "; ".join(check.en.rstrip(".") for check in self.missing)
        return {
            "zh": f"沙箱未开放，本机缺少必需的隔离功能：{names_zh}。没有运行任何代码；其余功能不受影响。",
            "en": f"The sandbox is closed, this machine does not enforce: {names_en}. Nothing ran; all else works.",
        }

    def to_json(self) -> dict[str, Any]:
        """For the API."""
        return {"open": self.open, "text": self.text, "missing": [check.name for check in self.missing or ()]}


def sandbox_settings(settings: Settings) -> SandboxSettings:
    """The sandbox's plain values from the service's settings."""
    return SandboxSettings(
        home=settings.home,
        run_dir=settings.run_dir,
        web_port=settings.port,
        hub_host=settings.hub_host,
        hub_port=settings.hub_port,
        public_url=settings.public_url,
        hub_url=settings.hub_url,
    )


def door_state(settings: Settings) -> DoorState:
    """Read what the launcher wrote; anything unreadable means closed."""
    found = _found(settings)
    if found is None:
        return DoorState(open=False, missing=None)
    required = tuple(check for check in found.missing if check.name in found.REQUIRED)
    return DoorState(open=found.open, missing=required)


def check_level_open(settings: Settings, level: str) -> None:
    """Raise SandboxClosed unless sealed jobs on data of that level may run here (PRIVACY.md 15, ``QUIET_RULES``)."""
    found = _found(settings)
    lacking = found.lacking(level) if found else ()
    if found is None or lacking:
        zh = "、".join(check.zh.rstrip("。") for check in lacking) or "启动器没有运行"
        en = "; ".join(check.en.rstrip(".") for check in lacking) or "the launcher is not running"
        raise SandboxClosed(
            f"本机不开放 {level} 级数据的密封作业：{zh}。其余功能不受影响。"
            f" · Sealed jobs on data of level {level} are shut on this machine: {en}. All else works."
        )


def check_open(settings: Settings) -> None:
    """Raise SandboxClosed unless jobs can run."""
    state = door_state(settings)
    if not state.open:
        raise SandboxClosed(f"{state.text['zh']} · {state.text['en']}")


def _found(settings: Settings) -> Enforcement | None:
    try:
        return Enforcement.from_json(json.loads(sandbox_settings(settings).enforcement_file.read_bytes()))
    except (OSError, ValueError, BadContract, TypeError):
        return None
