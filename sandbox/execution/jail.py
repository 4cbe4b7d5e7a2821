"""A jail as bubblewrap arguments: namespaces, mounts, masks, filters.

The options go through a pipe-like file (``--args``), never on the command line or in the environment of a program
that still has rights: a session's tokens would show in ``ps``, and an ``LD_PRELOAD`` in its environment would run as
root. Order matters to bubblewrap: later mounts cover earlier ones.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

from sandbox.contracts import Limits
from sandbox.execution import guards, profiles, seccomp
from sandbox.execution.profiles import Base, Profile

OpenData: TypeAlias = Callable[[bytes], int]

VENV: Final = "/opt/venv"
KERNEL_CODE: Final = "/opt/sandbox-kernel"
GUARDS: Final = "/opt/guard"
UID_INSIDE: Final = 1000
START: Final = (
    "import sys; sys.path.insert(0, '/opt/sandbox-kernel'); import runpy; runpy.run_module({!r}, run_name='__main__')"
)


@dataclass(frozen=True, slots=True)
class Bind:
    """A place of the host that appears in the jail. ``source`` was chosen by the launcher, never by a caller.

    ``below`` is a trusted folder: what follows it in ``source`` may hold no link. ``data`` marks files that are
    copied if the jail's uid could not read them.
    """

    source: Path
    target: str
    writable: bool = False
    below: Path | None = None
    data: bool = False


@dataclass(frozen=True, slots=True)
class Jail:
    """Everything one jail is made of. ``inputs`` are copied into sealed memory file systems before anything runs.

    ``unsafe_without`` removes a layer (``seccomp``, ``network``, ``userns_lock``, ``mount_view``, ``limits``) and
    exists for the tests that show that each layer is needed.
    """

    profile: Profile
    limits: Limits
    command: Sequence[str]
    binds: Sequence[Bind] = ()
    inputs: Sequence[tuple[str, int]] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    pass_fds: Sequence[int] = ()
    unsafe_without: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Environment:
    """The kernels' environment and our own code for jails, as found on this host."""

    venv: Path
    code: Path
    python_base: Path | None
    """Where the interpreter lies when it is not the system's (then it appears at the same path inside)."""

    @classmethod
    def find(cls, kernel_env: Path) -> Environment:
        """Look at ``kernel_env``; reads two small files, runs nothing.

        Raises:
            FileNotFoundError: there is no environment.
        """
        venv = kernel_env.absolute()
        interpreter = (venv / "bin" / "python").resolve(strict=True)
        base = None if interpreter.is_relative_to("/usr") else interpreter.parent.parent
        return cls(venv, Path(__file__).resolve().parents[1], base)

    def binds(self) -> list[Bind]:
        """The read-only places every jail gets: the environment, and of our code only what jails may hold."""
        found = [Bind(self.venv, VENV)]
        if self.python_base is not None:
            found.append(Bind(self.python_base, str(self.python_base)))
        found += [
            Bind(self.code / name, f"{KERNEL_CODE}/sandbox/{name}")
            for name in ("__init__.py", "contracts.py", "client", "inside")
        ]
        return found


def module_command(module: str) -> tuple[str, ...]:
    """Start a module of ours with the kernels' python, isolated from the user's files and environment."""
    return (f"{VENV}/bin/python3", "-I", "-c", START.format(module))


def read_host() -> None:
    """Read once what all jails share. Otherwise each fork that builds one would, for longer than a jail starts."""
    seccomp.programs()
    _readable(profiles.base().hidden_files)
    _cpuinfo()


def options(jail: Jail, base: Base, open_data: OpenData) -> list[str]:
    """Bubblewrap's options for ``jail``. ``open_data`` turns bytes into a descriptor that bubblewrap reads."""
    limits, profile = jail.limits, jail.profile
    without = set(jail.unsafe_without)
    args = ["--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup"]
    args += [] if "network" in without else ["--unshare-net"]
    args += [] if "userns_lock" in without else ["--disable-userns"]
    args += ["--uid", str(UID_INSIDE), "--gid", str(UID_INSIDE), "--hostname", base.hostname]
    args += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    for name, value in environment(jail).items():
        args += ["--setenv", name, value]
    view = "mount_view" not in without
    args += _system(base, open_data) if view else _unsafe_whole_host(base)
    args += ["--proc", "/proc", "--dev", "/dev"]
    args += _masks(base, limits, open_data) if view else []
    for entry in profile.tmpfs:
        if not any(bind.target == entry.path for bind in jail.binds):
            args += ["--size", str(entry.size(limits)), "--perms", entry.mode, "--tmpfs", entry.path]
    if profile.guards:
        args += guards.options(GUARDS, KERNEL_CODE, open_data)
    for bind in jail.binds:
        args += ["--bind" if bind.writable else "--ro-bind", str(bind.source), bind.target]
    for path, fd in jail.inputs:
        args += ["--perms", "0755", "--dir", os.path.dirname(path)]
        args += ["--perms", "0444", "--file", str(fd), path]
    for entry in profile.tmpfs:
        args += ["--remount-ro", entry.path] if entry.sealed else []
    args += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", profile.workdir]
    if "seccomp" not in without:
        for program in seccomp.programs():
            args += ["--add-seccomp-fd", str(open_data(program))]
    return args


def environment(jail: Jail) -> dict[str, str]:
    """What the code inside finds in its environment: nothing of ours, thread counts that match its cores."""
    threads = str(max(1, int(jail.limits.cpus)))
    return {
        "PATH": f"{GUARDS}:{VENV}/bin:/usr/bin:/bin",
        "HOME": jail.profile.home,
        "USER": "jovyan",
        "LOGNAME": "jovyan",
        "SHELL": "/bin/bash",
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",  # noqa: S108 - inside the jail
        "PYTHONPATH": KERNEL_CODE,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "JUPYTER_RUNTIME_DIR": "/run/jupyter",
        "JUPYTER_PLATFORM_DIRS": "1",
        "IPYTHONDIR": f"{jail.profile.home}/.ipython",
        "MPLCONFIGDIR": "/tmp/matplotlib",  # noqa: S108 - inside the jail
        "MATPLOTLIBRC": "/etc/matplotlibrc",
        **dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS", "NUMEXPR_MAX_THREADS"),
            threads,
        ),
        **jail.environment,
    }


def _system(base: Base, open_data: OpenData) -> list[str]:
    args: list[str] = []
    for path in base.read_only:
        args += ["--ro-bind", path, path]
    for path, target in base.links.items():
        args += ["--symlink", target, path]
    args += ["--dir", "/etc"]
    for path in base.read_only_if_there:
        args += ["--ro-bind-try", path, path]
    for path, text in base.files.items():
        args += ["--perms", "0444", "--file", str(open_data(text.encode())), path]
    for path in base.emptied:
        if os.path.isdir(path):
            args += ["--size", "4096", "--perms", "0555", "--tmpfs", path]
    return args


def _unsafe_whole_host(base: Base) -> list[str]:
    """What a jail without a view of its own would see: the host's folders, where nothing of the jail's lies."""
    args: list[str] = []
    for path in (*base.read_only, "/boot", "/etc", "/root", "/srv", "/sys", "/var"):
        args += ["--ro-bind-try", path, path]
    for path, target in base.links.items():
        args += ["--symlink", target, path]
    return args


def _masks(base: Base, limits: Limits, open_data: OpenData) -> list[str]:
    """Every bind makes bubblewrap read the whole mount table, so only what a plain uid could read is covered."""
    args: list[str] = []
    for path in _readable(base.hidden_files):
        args += ["--ro-bind", "/dev/null", path]
    for path in base.hidden_folders:
        if os.path.isdir(path):
            args += ["--size", "4096", "--perms", "0555", "--tmpfs", path]  # one page, for itself
    if base.virtual_files:
        for path, text in virtual_files(limits).items():
            if os.path.exists(path):
                args += ["--perms", "0444", "--ro-bind-data", str(open_data(text)), path]
    return args


def virtual_files(limits: Limits) -> dict[str, bytes]:
    """Files of /proc that libraries read, with contents that depend on nothing but the jail's own limits."""
    total = limits.memory_bytes // 1024
    cores = os.cpu_count() or 1
    memory = "".join(
        f"{name + ':':<16}{value:>8} kB\n"
        for name, value in (
            ("MemTotal", total),
            ("MemFree", total),
            ("MemAvailable", total),
            ("Buffers", 0),
            ("Cached", 0),
            ("SwapCached", 0),
            ("Active", 0),
            ("Inactive", 0),
            ("SwapTotal", 0),
            ("SwapFree", 0),
            ("Shmem", 0),
            ("Slab", 0),
            ("SReclaimable", 0),
        )
    )
    zeros = " 0" * 10
    ticks = f"cpu {zeros}\n" + "".join(f"cpu{core}{zeros}\n" for core in range(cores))
    ticks += "intr 0\nctxt 0\nbtime 0\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n"
    return {
        "/proc/meminfo": memory.encode(),
        "/proc/stat": ticks.encode(),
        "/proc/loadavg": b"0.00 0.00 0.00 1/1 1\n",
        "/proc/uptime": b"1.00 1.00\n",
        "/proc/version": b"Linux\n",
        "/proc/cpuinfo": _cpuinfo(),
    }


@cache
def _readable(paths: tuple[str, ...]) -> tuple[str, ...]:
    """Those that exist and that others than root may read."""
    return tuple(path for path in paths if os.path.exists(path) and os.stat(path).st_mode & stat.S_IROTH)


@cache
def _cpuinfo() -> bytes:
    """As it was when the launcher started: the flags libraries choose their code by, without moving clock rates."""
    with open("/proc/cpuinfo", "rb") as file:
        return b"".join(line for line in file if not line.startswith((b"cpu MHz", b"bogomips", b"BogoMIPS")))
