"""A real session: sign-in, spawn, kernel over websocket, and what cannot be reached from inside."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def alice(sandbox):
    browser = sandbox.browser("alice")
    browser.sign_in()
    browser.spawn()
    lab = browser.lab()
    assert lab.status_code == 200, sandbox.log("hub")[-3000:]
    return browser


@pytest.fixture(scope="module")
def kernel(alice):
    running = alice.kernel()
    yield running
    running.close()


def test_cell_runs(kernel):
    reply = kernel.run("print(6 * 7)")
    assert reply.text.strip() == "42", reply
