"""Sessions and imports: a session that holds a withdrawn one ends at its next check; the hub asks before it starts."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from sandbox.contracts import MIB, BadContract, SessionSpec
from sandbox.hub.allowed import allow
from sandbox.hub.options import HubOptions
from sandbox.hub.service import Service, ServiceAway
from sandbox.hub.spawner import BubblewrapSpawner
from sandbox.settings import SandboxSettings


class Gate:
    """Answers what is mounted."""

    def __init__(self, mounted: set[str]) -> None:
        self.mounted, self.asked = mounted, []

    async def entitled(self, *, imports: bool = False) -> set[str]:
        self.asked.append(imports)
        return self.mounted if imports else set()


@pytest.mark.parametrize(
    ("held", "mounted", "ends"),
    [
        (("a",), {"a"}, False),
        (("a", "b"), {"a"}, True),  # one of two was withdrawn
        (("a",), {"c"}, True),  # replaced by another version
        (("a",), {"a", "b"}, False),  # a new one appears after a restart
        ((), {"a"}, False),
    ],
)
def test_session_with_a_withdrawn_import_ends(held: tuple[str, ...], mounted: set[str], ends: bool):
    session = SimpleNamespace(
        started=time.time(),
        session="s1",
        options=SimpleNamespace(longest_s=1e9, idle_s=1e9, recheck_s=0),
        orm_spawner=None,
        gate=Gate(mounted),
        imports=held,
        editions=(),
        _rechecked=0.0,
    )
    reason = asyncio.run(BubblewrapSpawner._over(session))
    assert reason == ("an import was withdrawn" if ends else "")
    assert session.gate.asked == [bool(held)]


def test_the_next_check_comes_within_a_minute(tmp_path):
    assert HubOptions(SandboxSettings(tmp_path, tmp_path), tmp_path).recheck_s + 10 < 60


@pytest.mark.parametrize(
    ("status", "document", "named"),
    [
        (200, {"mounted": [{"name": "own", "id": "i1"}]}, {"own": "i1"}),
        (404, {}, {}),  # a service without imports
        (503, {}, None),
    ],
)
def test_hub_has_imports_handed_over_before_a_session_starts(status: int, document: dict, named: dict | None):
    service = Service("http://localhost:1", "secret")

    @asynccontextmanager
    async def ask(method, path, token, **options):
        assert (method, path) == ("POST", "/api/v1/workspaces/w1/imports/open")
        yield SimpleNamespace(status=status, json=lambda: asyncio.sleep(0, document))

    service.ask = ask
    if named is None:
        with pytest.raises(ServiceAway):
            asyncio.run(service.open_imports(None, "w1"))
    else:
        assert asyncio.run(service.open_imports(None, "w1")) == named


def test_a_session_names_imports_and_reads_their_state_only():
    spec = SessionSpec("s1", 1, "w1", ("a",), {}, ("own",), 64 * MIB)
    assert SessionSpec.from_json(spec.to_json()) == spec
    for wrong in ({"imports": ("../own",)}, {"home_bytes": 1}, {"home_bytes": -1}, {"home_bytes": True}):
        with pytest.raises(BadContract):
            SessionSpec("s1", 1, "w1", **wrong)
    path = "/api/v1/workspaces/w1/imports"
    assert allow("GET", path, "", user="a", workspace="w1")
    assert allow("POST", path, "filename=a.csv", user="a", workspace="w1") is None
    assert allow("POST", f"{path}/open", "", user="a", workspace="w1") is None
    assert allow("GET", "/api/v1/workspaces/w2/imports", "", user="a", workspace="w1") is None
