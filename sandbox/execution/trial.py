"""Running a command in a jail by hand: ``sandbox try``. The same jail as the launcher's, with its output shown."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sandbox.errors import LauncherRefused, SandboxUnavailable
from sandbox.execution import cgroup
from sandbox.execution.child import keep_in_child
from sandbox.execution.jail import Bind, Environment, Jail
from sandbox.execution.order import Order
from sandbox.execution.profiles import load

RUN_DIR: Final = Path("/run/sandbox-try")  # only names the control groups; nothing is written there
DATA_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
FIRST_UID: Final = 400_000
TIMEOUT_CODE: Final = 124
NOT_FOUND_CODE: Final = 127
_MISSING: Final = "隔离环境里没有命令 %s / there is no command %s in the jail"
_BY_NAME: Final = f'command -v -- "$0" >/dev/null || {{ printf "{_MISSING}\\n" "$0" "$0" >&2; exit {NOT_FOUND_CODE}; }}'
BY_NAME: Final = ("/bin/sh", "-c", _BY_NAME + '; exec "$0" "$@"')
"""Looks the command up inside, where its name means what it will run."""


def run_command(profile_name: str, data: Sequence[Path], command: Sequence[str], kernel_env: Path) -> int:
    """Run ``command`` in the jail of that profile and return its exit code.

    124: out of time, 137: out of memory, 127: there is no such command inside.

    Each directory of ``data`` appears read-only as ``/data/<its name>``. As root the jail gets its own uid and
    control groups; as an ordinary user it has neither.

    Raises:
        ProfileError: there is no such profile.
        LauncherRefused: a directory is missing, may not be read by the caller, or two have one name.
        SandboxUnavailable: no jail can be built here.
    """
    profile = load(profile_name)
    as_root = os.geteuid() == 0
    try:
        environment = Environment.find(kernel_env)
    except OSError as error:
        raise SandboxUnavailable(
            "没有内核环境；请运行 ./run setup。", "There is no kernel environment; run ./run setup."
        ) from error
    trees = cgroup.find(RUN_DIR, as_root=as_root)
    cgroup.clean(trees, spare=_alive)
    jail = Jail(profile, profile.limits, (*BY_NAME, *command), binds=[*environment.binds(), *_data_binds(data)])
    group = cgroup.Group(trees, f"try-{os.getpid()}")
    uid = FIRST_UID + os.getpid() % 50_000 if as_root else None
    extra = sum(entry.size(profile.limits) for entry in profile.tmpfs if entry.sealed)
    try:
        result = keep_in_child(
            Order(jail, group, uid, profile.limits.wall_s, screen=True, extra_memory=extra if data else 0)
        )
    finally:
        cgroup.leave(trees)
    if result.exit_code is not None:
        return result.exit_code
    return TIMEOUT_CODE if result.reason == "timeout" else 137


def _data_binds(data: Sequence[Path]) -> list[Bind]:
    binds: dict[str, Bind] = {}
    for given in data:
        path = Path(os.path.abspath(given))
        if not path.is_dir() or not os.access(path, os.R_OK | os.X_OK, effective_ids=False):
            raise LauncherRefused(f"{given} 不是可读的目录。", f"{given} is not a directory that you can read.")
        if not DATA_NAME.fullmatch(path.name):
            raise LauncherRefused(
                f"{given} 的名称只能含字母、数字、点、下划线和连字符。",
                f"The name of {given} may hold only letters, digits, dot, _ and -.",
            )
        if path.name in binds:
            raise LauncherRefused(f"两个目录同名：{path.name}。", f"Two directories have the name {path.name}.")
        binds[path.name] = Bind(path, f"/data/{path.name}", data=True)
    return list(binds.values())


def _alive(group: str) -> bool:
    """Whether the trial that made this group still runs."""
    return os.path.exists(f"/proc/{group.removeprefix('try-')}")
