"""How the sandbox plugs into the service: routes, jobs, processes, doctor checks, navigation."""

from __future__ import annotations

import http.client
import pwd
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from opendata.parts import Finding, NavItem, Part, ProcessSpec
from opendata.settings import Settings

State = Literal["enforced", "weaker", "off"]
_HERE = Path(__file__).resolve().parent.parent


def launcher_argv(settings: Settings) -> list[str]:
    """The launcher: as root it builds jails under many uids, otherwise under the present one."""
    argv = [sys.executable, "-m", "sandbox.execution", "--home", str(settings.home), "--run", str(settings.run_dir)]
    for option, user in (("--hub-uid", settings.users.hub), ("--worker-uid", settings.users.worker)):
        if user is not None:
            argv += [option, str(pwd.getpwnam(user).pw_uid)]
    return argv


def hub_argv(settings: Settings) -> list[str]:
    """JupyterHub with its proxy, as the hub's user."""
    return [
        *(sys.executable, "-m", "sandbox.hub"),
        *("--home", str(settings.home), "--run", str(settings.run_dir)),
        *("--host", settings.hub_host, "--port", str(settings.hub_port)),
        *("--hub-url", settings.hub_url, "--public-url", settings.public_url),
        *("--web-url", f"http://127.0.0.1:{settings.port}"),
    ]


def launcher_ready(settings: Settings) -> bool:
    """Its probes are done: it answers on the worker's socket."""
    return settings.launcher_worker_socket.is_socket() and (settings.run_dir / "enforcement.json").is_file()


def hub_ready(settings: Settings) -> bool:
    """The proxy answers for the hub."""
    connection = http.client.HTTPConnection(settings.hub_host, settings.hub_port, timeout=2)
    try:
        connection.request("GET", "/hub/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def doctor(settings: Settings) -> Iterable[Finding]:
    """What this machine enforces, as the launcher's probes found it; or that the door is closed."""
    from sandbox.contracts import QUIET_RULES, Enforcement
    from sandbox.errors import SandboxError
    from sandbox.execution.client import Launcher
    from sandbox.parts.machine import findings
    from sandbox.workspaces.door import door_state

    yield from findings(settings.home)
    name = {"zh": "沙箱", "en": "sandbox"}
    try:
        found = Launcher(settings.launcher_worker_socket).probe()
    except (SandboxError, OSError):
        state = door_state(settings)
        if state.missing is None:
            detail = {
                "zh": "启动器没有运行，沙箱未开放；目录、下载和申请不受影响。",
                "en": "The launcher is not running, so the sandbox is closed; catalogue, downloads, requests work.",
            }
            yield Finding(name, "off", detail)
            return
        yield Finding(name, "weaker" if state.open else "off", state.text)
        return
    yield Finding(name, "enforced" if found.open else "off", door_state(settings).text)
    for check in found.checks:
        missing: State = "off" if check.name in Enforcement.REQUIRED else "weaker"
        title = {"zh": f"沙箱：{check.name}", "en": f"sandbox: {check.name}"}
        yield Finding(title, "enforced" if check.stopped else missing, {"zh": check.zh, "en": check.en})
    if found.open and (shut := [level for level in QUIET_RULES if found.lacking(level)]):
        levels = ", ".join(shut)
        lacking = ", ".join(sorted({check.name for level in shut for check in found.lacking(level)}))
        detail = {
            "zh": f"{levels} 级数据的密封作业在本机关闭，缺少：{lacking}。",
            "en": f"Sealed jobs on data of levels {levels} are shut on this machine, which lacks: {lacking}.",
        }
        yield Finding({"zh": "沙箱：密封作业", "en": "sandbox: sealed jobs"}, "weaker", detail)


PART = Part(
    name="sandbox",
    router="sandbox.web:router",
    jobs={
        "sandbox.prepare": "sandbox.parts.preparing:prepare",
        "sandbox.dry": "sandbox.airlock.jobs:dry",
        "sandbox.sealed": "sandbox.airlock.jobs:sealed",
        "sandbox.sealed_end": "sandbox.airlock.jobs:end_sealed",
        "sandbox.release": "sandbox.airlock.jobs:release",
        "sandbox.check": "sandbox.airlock.jobs:check_practice",
        "sandbox.import_scan": "sandbox.imports.jobs:scan",
        "sandbox.import_mount": "sandbox.imports.jobs:mount",
        "sandbox.import_open": "sandbox.imports.jobs:open_for_sessions",
        "sandbox.import_destroy": "sandbox.imports.jobs:destroy",
        "sandbox.tables": "sandbox.queries.jobs:compute",
    },
    processes=(
        ProcessSpec(name="launcher", argv=launcher_argv, user="root", needs=(), ready=launcher_ready),
        ProcessSpec(name="hub", argv=hub_argv, user="hub", needs=("web",), ready=hub_ready),
    ),
    doctor=doctor,
    templates=_HERE / "web" / "templates",
    locale=_HERE / "web" / "locale",
    migrations=_HERE / "workspaces" / "migrations",
    models=(
        "sandbox.workspaces.models",
        "sandbox.airlock.models",
        "sandbox.imports.models",
        "sandbox.queries.models",
    ),
    navigation=(
        NavItem("数据沙箱", "/workspaces", ("researcher", "reviewer", "data_officer", "auditor", "security_admin")),
        NavItem("出域审查", "/airlock", ("output_checker", "auditor")),
        NavItem("审查员的判断", "/airlock/checkers", ("security_admin",)),
        NavItem("已放行的产出", "/airlock/outputs", ("security_admin", "reviewer")),
        NavItem("导入审核", "/imports", ("reviewer", "data_officer", "auditor")),
    ),
    demo="sandbox.parts.demo:steps",
    rounds={
        "sandbox.keeping": "sandbox.workspaces.keeping:sweep",
        "sandbox.ends": "sandbox.workspaces.ends:sweep",
        "sandbox.airlock_ends": "sandbox.airlock.ends:sweep",
        "sandbox.import_ends": "sandbox.imports.ends:sweep",
    },
    panels={
        "dataset": "sandbox.web.query_panels:dataset_panel",
        "policy": "sandbox.web.query_panels:policy_panel",
    },
    raw_door={
        "/airlock-view": "sandbox.airlock.rawdoor:view",
        "/airlock-reveal": "sandbox.airlock.rawdoor:reveal",
    },
)
