"""How sessions live and end: restarts of the hub, stops, limits, rights that run out, a launcher that is away."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sandbox.contracts import JobSpec, Limits, Quiet, Ticks
from sandbox.execution.client import Launcher
from tests.sandbox.execution.conftest import memory_file
from tests.sandbox.hub.conftest import Sandbox

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def hub_options() -> tuple[str, ...]:
    return ("--recheck", "1", "--poll", "1")


@pytest.fixture(autouse=True)
def as_it_was(sandbox) -> Iterator[None]:
    """Every test begins and ends with the launcher, a plain hub and no session; only what was changed starts anew."""
    yield
    sandbox.portal.workspaces.update(falls=["alice"], other=["bob"])
    if not sandbox.runs("launcher"):
        sandbox.start_launcher()
    if not sandbox.runs("hub") or sandbox.given:
        sandbox.restart_hub()
    if not sessions_are_closed(sandbox):
        sandbox.restart_launcher()
        sandbox.restart_hub()


def sessions_are_closed(sandbox: Sandbox) -> bool:
    """Close everybody's session, as they would, until the hub says that there is none."""

    def asked() -> bool:
        said = {each.hub_api("DELETE", f"users/{each.person}/server").status_code for each in sandbox.browsers}
        return said <= {204} and not any((sandbox.run / "hub/gates").iterdir())

    closed = wait_until(asked, 40)
    while sandbox.browsers:
        sandbox.browsers.pop().http.close()
    return closed


def open_session(sandbox: Sandbox):
    browser = sandbox.browser("alice")
    browser.sign_in()
    browser.spawn()
    assert browser.lab().status_code == 200, sandbox.log("hub")[-2000:]
    return browser


def session_of(sandbox: Sandbox) -> str:
    return next((sandbox.run / "hub/gates").iterdir()).name


def wait_until(condition, seconds: float = 90) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.25)
    return False


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_notebook_survives_a_restart_of_the_hub(sandbox, how):
    alice = open_session(sandbox)
    kernel = alice.kernel()
    kernel.run("kept = 41")
    kernel.close()
    session = session_of(sandbox)

    sandbox.restart_hub(how=how)

    assert wait_until(lambda: alice.api("GET", "api/kernels").status_code == 200)
    again = type(kernel)(alice, kernel.id)
    assert again.run("print(kept + 1)").text.strip() == "42"
    # The gate is open again, and what was sealed before the restart still opens.
    reply = again.run("from sandbox.client import Workspace\nprint(len(Workspace.current().datasets()))")
    assert reply.text.strip() == "1", reply
    again.close()
    assert session_of(sandbox) == session


def test_stopped_session_leaves_nothing(sandbox):
    alice = open_session(sandbox)
    session = session_of(sandbox)
    assert sandbox.launcher.poll_session(session) is None

    assert alice.hub_api("DELETE", "users/alice/server").status_code in {202, 204}

    assert wait_until(lambda: sandbox.launcher.poll_session(session) is not None)
    assert wait_until(lambda: not list((sandbox.run / "hub/gates").iterdir()))
    assert not list((sandbox.run / "hub").glob(f"{session}*"))
    # And another one can be opened.
    assert alice.spawn().status_code == 200
    assert session_of(sandbox) != session


def test_membership_that_ends_ends_the_session(sandbox):
    open_session(sandbox)
    session = session_of(sandbox)
    sandbox.portal.workspaces["falls"] = []
    assert wait_until(lambda: sandbox.launcher.poll_session(session) is not None)
    assert "no longer entitled" in sandbox.log("hub")


def test_edition_that_is_taken_down_ends_the_session_that_holds_it_and_its_page_says_why(sandbox):
    """The control: several looks while it may be held end nothing."""
    sandbox.portal.editions["flights"] = "e1"
    sandbox.portal.held.update({"e1", "e0"})
    try:
        alice = open_session(sandbox)
        session = session_of(sandbox)
        assert not wait_until(lambda: sandbox.launcher.poll_session(session) is not None, 4)
        sandbox.portal.held.discard("e1")
        assert wait_until(lambda: sandbox.launcher.poll_session(session) is not None)
        assert wait_until(lambda: "版本已下架" in alice.lab().text)
        assert "was taken down" in alice.http.get(f"{sandbox.url}/hub/home").text
        sandbox.portal.editions.clear()
        assert alice.spawn().status_code == 200
        assert "版本已下架" not in alice.http.get(f"{sandbox.url}/hub/home").text
    finally:
        sandbox.portal.editions.clear()


def test_unused_session_is_stopped(sandbox):
    open_session(sandbox)
    session = session_of(sandbox)
    sandbox.restart_hub("--idle", "1")
    assert wait_until(lambda: sandbox.launcher.poll_session(session) is not None)
    assert "ends: idle" in sandbox.log("hub")


def test_quiet_time_longer_than_the_idle_limit_does_not_end_a_session(sandbox):
    """Neither while it lasts nor at the looks after it. The control: one that could run is stopped in the same while."""
    idle_s = 8.0
    bob = sandbox.browser("bob")
    bob.sign_in()
    assert bob.spawn("?workspace=other").status_code == 200
    other = session_of(sandbox)
    open_session(sandbox)
    [session] = {each.name for each in (sandbox.run / "hub/gates").iterdir()} - {other}
    worker = Launcher(sandbox.run / "launcher-worker.sock")
    sandbox.restart_hub("--idle", str(idle_s))  # from now on it is counted, with both of them there
    with quiet_time(worker, "falls", idle_s + 6):
        assert wait_until(lambda: sandbox.launcher.stands_still(session))
        still_since = time.monotonic()
        assert wait_until(lambda: sandbox.launcher.poll_session(other) is not None)
        time.sleep(max(0.0, still_since + idle_s + 2 - time.monotonic()))
        assert sandbox.launcher.stands_still(session)
    assert wait_until(lambda: not sandbox.launcher.stands_still(session), 120)
    time.sleep(2.0)  # a look, or two
    assert sandbox.launcher.poll_session(session) is None, sandbox.log("hub")[-2000:]
    assert f"{other} ends: idle" in sandbox.log("hub")


@contextmanager
def quiet_time(worker: Launcher, workspace: str, base_s: float) -> Iterator[None]:
    """A sealed job of the workspace has run; its quiet time goes on until the block ends and the next tick comes."""
    code, output = memory_file(b"pass"), os.memfd_create("output")
    quiet = Quiet("L1", time.time(), Ticks(base_s, wall_s=600.0))
    try:
        worker.run_job(
            JobSpec("quiet", workspace, "sealed", "x.py", Limits(wall_s=120.0), quiet), [("/job/x.py", code)], output
        )
        yield
    finally:
        worker.settle("quiet")
        os.close(code)
        os.close(output)


def test_without_a_launcher_nobody_gets_a_session_and_the_reason_is_told(sandbox):
    sandbox.stop("launcher")
    alice = sandbox.browser("alice")
    alice.sign_in()
    answer = alice.spawn()
    assert answer.status_code >= 400
    assert "启动器没有运行" in answer.text
    assert not list((sandbox.run / "hub/gates").iterdir())


def test_session_that_dies_is_noticed(sandbox):
    alice = open_session(sandbox)
    session = session_of(sandbox)
    sandbox.launcher.stop_session(session)
    assert wait_until(lambda: not list((sandbox.run / "hub/gates").iterdir()))
    assert wait_until(lambda: alice.spawn().status_code == 200)  # the hub may still be clearing it away


def test_only_so_many_sessions_at_once(sandbox):
    sandbox.restart_hub("--max-sessions", "1")
    open_session(sandbox)
    bob = sandbox.browser("bob")
    bob.sign_in()
    assert bob.spawn("?workspace=other").status_code == 429


def test_hub_starts_before_the_portal_and_says_so(sandbox):
    """It answers while the portal is away; a person is told to try again, and nobody gets in."""
    alice = sandbox.browser("alice")
    alice.sign_in()
    sandbox.restart_hub("--web-url", "http://127.0.0.1:9")
    assert alice.http.get(f"{sandbox.url}/hub/health").status_code == 200
    assert alice.http.get(f"{sandbox.url}/hub/home", follow_redirects=False).status_code == 302
    sandbox.restart_hub()
    assert alice.http.get(f"{sandbox.url}/hub/home").status_code == 200


def test_another_workspace_is_never_opened_in_a_running_session(sandbox):
    """The person is asked; only the form, with its token against forgery, stops the session and opens the other one."""
    sandbox.portal.workspaces["other"] = ["alice"]
    sandbox.portal.datasets.setdefault("other", [])
    alice = sandbox.browser("alice")
    alice.sign_in()
    assert alice.spawn("?workspace=falls").status_code == 200
    session = session_of(sandbox)
    assert str(alice.spawn("?workspace=falls").url).startswith(alice.server), "its own session is simply opened"

    question = alice.http.get(f"{sandbox.url}/hub/spawn?workspace=other")
    assert question.status_code == 409
    assert "另一个沙箱的会话正在运行" in question.text
    assert session_of(sandbox) == session
    stranger = alice.http.get(f"{sandbox.url}/hub/spawn?workspace=nobodys")
    assert (stranger.status_code, "没有所请求的沙箱" in stranger.text) == (409, True)
    forged = alice.http.post(f"{sandbox.url}/hub/switch", data={"workspace": "other"})
    assert forged.status_code == 403
    assert session_of(sandbox) == session

    token = re.search(r'name="_xsrf" value="([^"]+)"', question.text)
    assert token is not None
    answer = alice.http.post(f"{sandbox.url}/hub/switch", data={"workspace": "other", "_xsrf": token.group(1)})
    assert answer.status_code == 200, answer.text[-500:]
    assert wait_until(lambda: sandbox.launcher.poll_session(session) is not None)
    assert wait_until(lambda: "jupyter-config-data" in alice.lab().text)  # and not the page that says it starts
    kernel = alice.kernel()
    assert kernel.run("import os; print(os.environ['SANDBOX_WORKSPACE'])").text.strip() == "other"
    kernel.close()
