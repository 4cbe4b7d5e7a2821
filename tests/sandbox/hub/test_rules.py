"""What the gate allows, what sealing keeps, who gets which number, which secrets are taken: tables and edges."""

from __future__ import annotations

import os
import secrets

import pytest

from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.hub.__main__ import options_from, prepare
from sandbox.hub.allowed import Call, allow
from sandbox.hub.gate import TokenBucket
from sandbox.hub.options import HubSecrets
from sandbox.hub.people import People
from sandbox.hub.sealing import NotOurs, Sealer

ALLOWED = [
    ("GET", "/hub/api", "", Call.VERSION),
    ("GET", "/hub/api/", "", Call.VERSION),
    ("GET", "/hub/api/user", "", Call.USER),
    ("POST", "/hub/api/oauth2/token", "", Call.TOKEN),
    ("POST", "/hub/api/users/li%20lei/activity", "", Call.ACTIVITY),
    ("GET", "/api/v1/workspaces/falls", "", Call.SERVICE),
    ("GET", "/api/v1/workspaces/falls/datasets", "", Call.SERVICE),
    ("GET", "/api/v1/workspaces/falls/practice/flights", "", Call.SERVICE),
    ("POST", "/api/v1/workspaces/falls/check", "path=%E7%BB%93%E6%9E%9C.csv", Call.SERVICE),
    ("POST", "/api/v1/workspaces/falls/queries", "", Call.SERVICE),
    ("POST", "/api/v1/workspaces/falls/jobs", "filename=a.ipynb", Call.SERVICE),
    ("GET", "/api/v1/workspaces/falls/jobs/1f", "", Call.SERVICE),
    ("POST", "/api/v1/workspaces/falls/jobs", "filename=%E7%A4%BA%E4%BE%8B+example.ipynb", Call.SERVICE),
    ("GET", "/api/v1/workspaces/falls/outputs/7/%E7%BB%93%E6%9E%9C.csv", "", Call.SERVICE),
]

REFUSED = [
    ("GET", "/hub/api/users", ""),  # the list of people
    ("GET", "/hub/api/users/li%20lei", ""),
    ("POST", "/hub/api/users/li%20lei/server", ""),  # start and stop servers
    ("DELETE", "/hub/api/users/li%20lei/server", ""),
    ("POST", "/hub/api/users/han/activity", ""),  # somebody else
    ("POST", "/hub/api/users/li%20lei/tokens", ""),  # a token for outside
    ("GET", "/hub/api/proxy", ""),
    ("GET", "/hub/api/info", ""),
    ("POST", "/hub/api/shutdown", ""),
    ("GET", "/hub/api/user", "token=x"),
    ("GET", "/hub/api/oauth2/token", ""),
    ("GET", "/hub/home", ""),
    ("GET", "/hub//api/user", ""),
    ("GET", "/", ""),
    ("GET", "/api/v1/workspaces", ""),  # which workspaces there are
    ("GET", "/api/v1/workspaces/", ""),
    ("GET", "/api/v1/workspaces/other/datasets", ""),
    ("GET", "/api/v1/workspaces/fallsother/datasets", ""),
    ("GET", "/api/v1/workspaces/falls/../other/datasets", ""),
    ("GET", "/api/v1/workspaces/falls/%2e%2e/other/datasets", ""),
    ("GET", "/api/v1/workspaces/falls/outputs/..%2f..%2fother/a", ""),
    ("GET", "/api/v1/workspaces/falls/outputs/%2e%2e/a", ""),
    ("GET", "/api/v1/workspaces/falls/outputs//a", ""),
    ("GET", "/api/v1/workspaces/falls/outputs/a%00/b", ""),
    ("GET", "/api/v1/workspaces/falls/outputs/a%0d%0aX/b", ""),
    ("GET", "/api/v1/workspaces/falls/outputs/a/b/c", ""),
    ("GET", "/api/v1/workspaces/falls/members", ""),  # a page that is not named
    ("POST", "/api/v1/workspaces/falls/datasets", ""),
    ("DELETE", "/api/v1/workspaces/falls/jobs/1", ""),
    ("GET", "/api/v1/airlock", ""),
    ("POST", "/api/v1/airlock/7/vote", ""),
    ("GET", "/api/v1/datasets", ""),
    ("POST", "/api/v1/sign-in", ""),
    ("POST", "/api/v1/internal/session-token", ""),
    ("GET", "http://elsewhere/hub/api/user", ""),
    ("CONNECT", "elsewhere:80", ""),
    ("GET", "/api/v1/workspaces/falls/outputs/" + "a" * 3000, ""),
    ("GET", "/api/v1/workspaces/falls/jobs", "x=\r\ny"),
    ("GET", "/hub/api/user\\..", ""),
]


@pytest.mark.parametrize(("method", "path", "query", "call"), ALLOWED)
def test_session_may(method, path, query, call):
    decision = allow(method, path, query, user="li%20lei", workspace="falls")
    assert decision is not None
    assert decision.call is call


@pytest.mark.parametrize(("method", "path", "query"), REFUSED)
def test_session_may_not(method, path, query):
    assert allow(method, path, query, user="li%20lei", workspace="falls") is None


def test_get_takes_no_body():
    assert allow("GET", "/api/v1/workspaces/falls/jobs", "", user="u", workspace="falls").request_bytes == 0


def test_sealed_token_opens_for_its_session_only():
    sealer = Sealer(secrets.token_bytes(32))
    sealed = sealer.seal("hub-token", "u1-a")
    assert "hub-token" not in sealed
    assert sealer.open(sealed, "u1-a") == "hub-token"
    middle = len(sealed) // 2  # the last character of base64 may hold bits that say nothing
    changed = sealed[:middle] + ("A" if sealed[middle] != "A" else "B") + sealed[middle + 1 :]
    for text, session in [(sealed, "u1-b"), ("hub-token", "u1-a"), (changed, "u1-a"), ("sealed-", "u1-a")]:
        with pytest.raises(NotOurs):
            sealer.open(text, session)
    with pytest.raises(NotOurs):
        Sealer(secrets.token_bytes(32)).open(sealed, "u1-a")


def test_number_of_a_person_is_kept_and_never_given_again(tmp_path):
    people = People(tmp_path / "people.json")
    assert [people.number("ana"), people.number("bo"), people.number("ana")] == [1, 2, 1]
    assert People(tmp_path / "people.json").number("bo") == 2


@pytest.mark.parametrize("content", ["", "{}", '{"version": 2, "numbers": {}}', '{"version": 1, "numbers": []}'])
def test_damaged_numbers_give_nobody_a_home(tmp_path, content):
    path = tmp_path / "people.json"
    path.write_text(content)
    with pytest.raises(SandboxUnavailable):
        People(path).number("ana")


def _client_secret(tmp_path):
    path = tmp_path / "oidc-client-secret"
    path.write_text(secrets.token_hex(32))
    path.chmod(0o600)
    return path


def test_secrets_are_made_once_and_shown_nowhere(tmp_path):
    _client_secret(tmp_path)
    first, second = HubSecrets.load(tmp_path), HubSecrets.load(tmp_path)
    assert first == second
    assert repr(first) == "HubSecrets()"
    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {"0o600"}


def test_secret_open_to_others_is_refused(tmp_path):
    _client_secret(tmp_path).chmod(0o640)
    with pytest.raises(SandboxUnavailable, match="others can read it"):
        HubSecrets.load(tmp_path)


def test_missing_shared_secret_is_refused(tmp_path):
    with pytest.raises(SandboxUnavailable, match="oidc-client-secret"):
        HubSecrets.load(tmp_path)


def test_run_directory_too_deep_for_sockets_is_refused(tmp_path):
    options = options_from(["--home", str(tmp_path), "--run", str(tmp_path / ("d" * 80))])
    before = os.umask(0o022)
    try:
        with pytest.raises(SandboxError, match="run directory's path is too long"):
            prepare(options)
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("hub_url", "sessions"),
    [
        ("http://sandbox.localhost:8001", 60),
        ("https://sandbox.example.gov.cn", 60),
        ("http://192.0.2.7:8001", 1),  # one origin for all servers
        ("http://[2001:db8::7]:8001", 1),
    ],
)
def test_bare_address_allows_one_session(tmp_path, hub_url, sessions):
    options = options_from(["--home", str(tmp_path), "--run", str(tmp_path), "--hub-url", hub_url])
    assert options.sessions_at_once == sessions


def test_token_bucket_lets_a_burst_through_and_then_the_rate():
    now = [0.0]
    bucket = TokenBucket(2.0, 3.0, clock=lambda: now[0])
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now[0] = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
