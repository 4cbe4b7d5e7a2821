"""CKAN's read API as its clients use it, OIDC as the hub uses it, ledger and health."""

import base64
import hashlib
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet


@pytest.mark.parametrize("base", ["/api/3/action", "/api/action"])
def test_ckan_answers_get_and_post_and_ignores_unknown_parameters(portal, base):
    client = portal.client()
    for answer in (
        client.get(f"{base}/package_list?include_private=true"),
        client.post(f"{base}/package_list", json={"include_drafts": True}),
        client.post(f"{base}/package_list", data={"x": "1"}),
    ):
        assert answer.json()["success"] is True
        assert {"stops", "flights"} <= set(answer.json()["result"])


def test_ckan_package_has_uuids_and_exact_sizes_of_open_files_only(portal):
    client = portal.client()
    for name, told in (("stops", True), ("flights", False)):
        package = client.get(f"/api/3/action/package_show?id={name}").json()["result"]
        assert uuid.UUID(package["id"])
        for resource in package["resources"]:
            assert uuid.UUID(resource["id"])
            assert (resource["size"] is not None) is told
            assert bool(resource["hash"]) is told
        if told:
            resource = package["resources"][0]
            assert len(client.get(urlsplit(resource["url"]).path).content) == resource["size"]


@pytest.mark.parametrize(
    ("query", "names"),
    [("q=*:*&fq=name:stops", ["stops"]), ("q=name:stops", ["stops"]), ("rows=0", []), ("q=不存在的词", [])],
)
def test_ckan_search(portal, query, names):
    result = portal.client().get(f"/api/3/action/package_search?{query}").json()["result"]
    assert [package["name"] for package in result["results"]] == names


def test_ckan_errors_have_its_form(portal):
    client = portal.client()
    assert client.get("/api/3/action/unknown").status_code == 400
    assert isinstance(client.get("/api/3/action/unknown").json(), str)
    for path, status, kind in (
        ("package_show?id=absent", 404, "Not Found Error"),
        ("package_show", 409, "Validation Error"),
        ("package_search?q=a:[1 TO 2]", 409, "Search Query Error"),
        ("package_search?start=x", 409, "Validation Error"),
    ):
        answer = client.get(f"/api/3/action/{path}")
        assert (answer.status_code, answer.json()["error"]["__type"]) == (status, kind)


def test_ckan_datastore_search(portal):
    client = portal.client()
    open_file = client.get("/api/3/action/package_show?id=stops").json()["result"]["resources"][0]["id"]
    shut_file = client.get("/api/3/action/package_show?id=flights").json()["result"]["resources"][0]["id"]
    fields = client.post("/api/action/datastore_search", json={"resource_id": open_file, "limit": 0}).json()["result"]
    assert [field["id"] for field in fields["fields"]] == ["id", "district", "day"]
    assert fields["records"] == []
    assert client.post("/api/action/datastore_search", json={"resource_id": shut_file}).status_code == 403


VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def authorize(client, portal, **changes):
    query = {
        "response_type": "code",
        "client_id": "sandbox-hub",
        "redirect_uri": f"{portal.settings.hub_url}/hub/oauth_callback",
        "scope": "openid profile groups",
        "state": "s",
        "nonce": "n",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    } | changes
    return client.get("/oidc/authorize", params={k: v for k, v in query.items() if v is not None})


def exchange(portal, code, **changes):
    secret = (portal.settings.keys_dir / "web" / "oidc-client-secret").read_text().strip()
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": f"{portal.settings.hub_url}/hub/oauth_callback",
        "code_verifier": VERIFIER,
    } | changes
    return portal.client().post("/oidc/token", data=form, auth=("sandbox-hub", secret))


def test_oidc_signs_the_researcher_in(portal):
    code = parse_qs(urlsplit(authorize(portal.client("researcher"), portal).headers["location"]).query)["code"][0]
    tokens = exchange(portal, code).json()
    client = portal.client()
    keys = KeySet.import_key_set(client.get("/oidc/jwks").json())
    claims = jwt.decode(tokens["id_token"], keys, ["RS256"]).claims
    assert (claims["preferred_username"], claims["groups"], claims["nonce"]) == ("researcher", ["researcher"], "n")
    me = client.get("/oidc/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"}).json()
    assert me["sub"] == claims["sub"]
    assert exchange(portal, code).status_code == 400  # a code works once


def test_oidc_refuses_what_is_not_agreed(portal):
    client = portal.client("researcher")
    assert authorize(portal.client(), portal).status_code in {303, 401}
    for changes in (
        {"code_challenge": None},
        {"code_challenge_method": "plain"},
        {"redirect_uri": "https://evil.example/cb"},
        {"client_id": "other"},
    ):
        answer = authorize(client, portal, **changes)
        assert answer.status_code in {400, 401, 422}, changes
        assert "evil.example" not in answer.headers.get("location", "")
    code = parse_qs(urlsplit(authorize(client, portal).headers["location"]).query)["code"][0]
    assert exchange(portal, code, code_verifier="w" * 64).status_code == 400
    assert exchange(portal, code).status_code == 400  # spent by the failed try


def test_session_tokens_are_for_the_hub_only(portal):
    secret = (portal.settings.keys_dir / "web" / "oidc-client-secret").read_text().strip()
    client, body = portal.client(), {"username": "researcher", "workspace": "w"}
    assert client.post("/api/v1/internal/session-token", json=body).status_code == 401
    assert client.post("/api/v1/internal/session-token", json=body, auth=("sandbox-hub", "x")).status_code == 401
    token = client.post("/api/v1/internal/session-token", json=body, auth=("sandbox-hub", secret)).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/me", headers=headers).status_code == 401
    assert client.get("/api/v1/requests", headers=headers).status_code == 401
    for name, status in (("officer", 404), ("reviewer", 404), ("nobody", 404), ("researcher", 200)):
        asked = client.post("/api/v1/internal/session-token", json={"username": name}, auth=("sandbox-hub", secret))
        assert asked.status_code == status
    hub = {"Authorization": f"Bearer {asked.json()['token']}"}
    assert client.get("/oidc/userinfo", headers=hub).json()["preferred_username"] == "researcher"
    assert client.get("/api/v1/datasets", headers=hub).status_code == 401


def test_the_sign_in_token_of_the_hub_opens_only_the_persons_claims(portal):
    client = portal.client("officer")
    code = parse_qs(urlsplit(authorize(client, portal).headers["location"]).query)["code"][0]
    headers = {"Authorization": f"Bearer {exchange(portal, code).json()['access_token']}"}
    machine = portal.client()
    assert machine.get("/oidc/userinfo", headers=headers).json()["preferred_username"] == "officer"
    for path in ("/api/v1/me", "/console/datasets", "/api/v1/datasets/flights/rows"):
        assert machine.get(path, headers=headers).status_code == 401


def test_health_and_documents(portal):
    client = portal.client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").json() == {"ready": True}
    assert client.get("/favicon.ico", follow_redirects=True).headers["content-type"].startswith("image/svg+xml")
    assert "opendata_datasets" in client.get("/metrics").text
    document = client.get("/api/v1/openapi.json").json()
    assert "/api/v1/datasets/{name}/rows" in document["paths"]
    assert client.get("/ledger/key").status_code == 200
    assert client.get("/ledger/proof/999999").status_code == 404


def test_one_time_links_work_once_and_looking_does_not_spend_them(portal):
    from opendata.db import utc_now
    from opendata.identity import User
    from opendata.identity import service as identity

    with portal.database.begin() as session:
        secret = identity.issue_sign_in_link(session, session.get(User, portal.users["applicant"]), now=utc_now())
    client = portal.client()
    page = client.get(f"/sign-in/link/{secret}")
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    form = {"csrf_token": token, "secret": secret}
    assert client.post("/sign-in/link", data=form).headers["location"] == "/account"
    assert client.get("/account").status_code == 200
    assert portal.api("applicant").post("/api/v1/sign-in", json={"link": secret}).status_code == 401
