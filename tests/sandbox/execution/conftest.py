"""Jails and launchers for the tests: real ones, each with its own short run directory."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.contracts import JobResult, JobSpec, Limits, Quiet, Ticks
from sandbox.errors import SandboxUnavailable
from sandbox.execution.client import Launcher
from sandbox.settings import DEFAULT_KERNEL_ENV, SandboxSettings

ROOT = Path(__file__).parents[3]


def jails_possible() -> str:
    """Why no jail can be built here; empty if one can."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    if not (DEFAULT_KERNEL_ENV / "bin/python").exists():
        return "there is no kernel environment (./run setup)"
    if subprocess.run(["bwrap", "--ro-bind", "/", "/", "--unshare-user", "true"], check=False).returncode:
        return "user namespaces are not allowed"
    return ""


@dataclass
class Running:
    """A launcher that answers."""

    settings: SandboxSettings
    process: subprocess.Popen[bytes]

    @property
    def worker(self) -> Launcher:
        return Launcher(self.settings.launcher_worker_socket)

    @property
    def hub(self) -> Launcher:
        return Launcher(self.settings.launcher_hub_socket)

    def run(
        self, code: bytes, *, entry: str = "x.py", kind: str = "dry", limits: Limits | None = None, data: bytes = b"",
        workspace: str = "w1", quiet: Quiet | None = None, settle: bool = True,
    ) -> tuple[JobResult, bytes]:  # fmt: skip
        """One job; its result and everything it put out. A sealed one is settled, and its tick waited for, as by the worker."""
        inputs = [(f"/job/{entry}", memory_file(code))]
        if data:
            inputs.append(("/data/people/people.parquet", memory_file(data)))
        output = os.memfd_create("output")
        try:
            quiet = (quiet or quiet_now()) if kind == "sealed" else None
            spec = JobSpec(f"j{time.monotonic_ns()}", workspace, kind, entry, limits or Limits(wall_s=60.0), quiet)
            try:
                result = self.worker.run_job(spec, inputs, output)
            finally:
                tick = self.worker.settle(spec.id) if quiet and settle else None
            if tick is not None:
                time.sleep(max(0.0, tick - time.time()))
            return result, os.pread(output, 1 << 27, 0)
        finally:
            for _, fd in inputs:
                os.close(fd)
            os.close(output)


def quiet_now(level: str = "L1", *, base_s: float = 0.05, wall_s: float = 60.0, kin: tuple[str, ...] = ()) -> Quiet:
    """A quiet time that counts from now."""
    return Quiet(level, time.time(), Ticks(base_s, wall_s), kin)


def memory_file(content: bytes) -> int:
    fd = os.memfd_create("input")
    with open(fd, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def start(settings: SandboxSettings, *prefix: str, code: str = "") -> Running:
    """Start a launcher and wait until it answers, or ``code`` that ends in one."""
    arguments = [
        *prefix, sys.executable, *(["-c", code] if code else ["-m", "sandbox.execution"]), "--home", str(settings.home), "--run", str(settings.run_dir),
        "--kernel-env", str(settings.kernel_env),
    ]  # fmt: skip
    for name in ("hub", "worker"):
        uid = getattr(settings, f"{name}_uid")
        arguments += [f"--{name}-uid", str(uid)] if uid is not None else []
    arguments += ["--counter-step", str(settings.counter_step)] + ["--unsafe-keep-caches"] * (not settings.wipe_caches)
    process = subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.DEVNULL)
    running = Running(settings, process)
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            running.worker.probe()
        except SandboxUnavailable:
            time.sleep(0.05)
        else:
            return running
    stop(running)
    pytest.fail("the launcher did not start")


def stop(running: Running) -> None:
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
    running.process.wait(90)


@contextmanager
def fresh_places() -> Iterator[Callable[..., SandboxSettings]]:
    made = []

    def make(**values: object) -> SandboxSettings:
        folder = Path(tempfile.mkdtemp(prefix="sbx-"))
        made.append(folder)
        home = folder / "home"
        home.mkdir()
        values = {"counter_step": 1 << 12, "wipe_caches": False} | values  # dropping caches slows the whole machine
        return SandboxSettings(home=home, run_dir=folder / "run", **values)

    yield make
    for folder in made:
        shutil.rmtree(folder)


@pytest.fixture
def places() -> Iterator[Callable[..., SandboxSettings]]:
    """Makes settings in a fresh directory with a short name, closed to other users."""
    with fresh_places() as make:
        yield make


@pytest.fixture(scope="module")
def launcher() -> Iterator[Running]:
    """One launcher for all tests of a module that leave it running."""
    reason = jails_possible()
    if reason:
        pytest.skip(reason)
    with fresh_places() as make:
        running = start(make())
        yield running
        stop(running)
