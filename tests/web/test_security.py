"""CSRF, headers, hostile content, roles, redirects."""

import pytest

from opendata.web import security
from tests.web.conftest import HOSTILE

PAGES = [
    "/",
    "/datasets",
    "/dataset/stops",
    "/dataset/hostile",
    "/sign-in",
    "/verify",
    "/about",
    "/threats",
    "/ledger",
    "/api/docs",
]


@pytest.mark.parametrize("path", [*PAGES, "/dataset/absent", "/api/v1/datasets", "/api/v1/datasets/absent"])
def test_every_answer_carries_the_headers(portal, path):
    headers = portal.client().get(path).headers
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_pages_have_no_inline_script_or_style_and_escape_titles(portal, path, lang):
    answer = portal.client().get(path, headers={"Accept-Language": lang})
    assert answer.status_code == 200
    assert HOSTILE not in answer.text
    assert "<img src=x" not in answer.text
    assert " style=" not in answer.text
    assert "<script>" not in answer.text
    assert " onclick=" not in answer.text


FORMS = [
    ("officer", "/console/datasets/new", {"name": "x", "title_zh": "x"}),
    ("officer", "/console/datasets/stops/policy", {"yaml": "version: 1", "action": "save-yaml"}),
    ("applicant", "/dataset/flights/request", {"scenario": "x"}),
    ("applicant", "/sign-out", {}),
    ("applicant", "/oidc/userinfo", {}),
    (None, "/sign-in", {"username": "officer", "password": "x"}),
]


@pytest.mark.parametrize(("who", "path", "values"), FORMS)
@pytest.mark.parametrize("forged", [{}, {"csrf_token": "wrong"}])
def test_forged_forms_are_refused(portal, who, path, values, forged):
    answer = portal.client(who).post(path, data=values | forged)
    assert answer.status_code == 403


def test_a_form_from_another_site_is_refused_even_with_the_token(portal):
    client = portal.client("applicant")
    for headers in (
        {"Origin": "http://sandbox.localhost:8001"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert client.post("/sign-out", data={"csrf_token": client.csrf}, headers=headers).status_code == 403
    assert client.post("/sign-out", data={"csrf_token": client.csrf}).status_code == 303
    assert client.get("/account").status_code == 303


def test_an_upload_form_with_a_wrong_token_leaves_nothing(portal):
    client = portal.client("officer")
    before = set(portal.settings.incoming_dir.rglob("*"))
    files = {"csrf_token": (None, "wrong"), "file": ("t.csv", b"a,b\n1,2\n", "text/csv")}
    assert client.post("/console/datasets/stops/intakes", files=files).status_code == 403
    answer = client.post("/api/v1/datasets/stops/intakes?filename=t.csv", content=b"a,b\n1,2\n")
    assert answer.status_code == 403
    assert set(portal.settings.incoming_dir.rglob("*")) == before


def test_an_upload_is_sealed_and_recorded(portal):
    client = portal.client("officer")
    secret = b"110101199001011234-canary"
    files = {"csrf_token": (None, client.csrf), "file": ("../t.csv", b"a,b\n" + secret + b",2\n", "text/csv")}
    answer = client.post("/console/datasets/stops/intakes", files=files)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith("/console/jobs/")
    stored = [path.read_bytes() for path in portal.settings.home.rglob("*") if path.is_file()]
    assert stored
    assert not any(secret in content for content in stored)
    assert portal.client("stranger").get(answer.headers["location"]).status_code == 404


CONSOLE = [
    ("/console/datasets", {"officer", "stranger"}),
    ("/console/datasets/stops", {"officer"}),
    ("/console/datasets/stops/policy", {"officer"}),
    ("/console/reviews", {"reviewer"}),
    ("/console/requests", {"officer", "stranger", "reviewer"}),
    ("/console/ledger/export", {"auditor"}),
]


@pytest.mark.parametrize(("path", "allowed"), CONSOLE)
@pytest.mark.parametrize("who", [None, "officer", "stranger", "reviewer", "applicant", "auditor", "sysadmin"])
def test_console_belongs_to_its_roles(portal, path, allowed, who):
    status = portal.client(who).get(path).status_code
    if who in allowed:
        assert status in {200, 409}  # 409: nothing signed to export yet
    elif who is None:
        assert status in {303, 401}
    else:
        assert status in {403, 404}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/datasets?q=1", "/datasets?q=1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\nb", "/"),
        ("", "/"),
    ],
)
def test_links_after_sign_in_stay_here(target, expected):
    assert security.local_path(target) == expected


def test_a_large_body_is_refused(portal):
    client = portal.client()
    assert client.post("/api/v1/sign-in", content=b"{" * (security.SMALL_BODY_BYTES + 1)).status_code == 413


def test_an_unforeseen_error_tells_a_reference_and_nothing_else(portal, monkeypatch):
    def broken(*_args, **_options):
        raise RuntimeError("canary 110101199001011234")

    monkeypatch.setattr("opendata.web.public.catalog.search", broken)
    for path in ("/datasets", "/api/v1/datasets"):
        answer = portal.client().get(path)
        assert answer.status_code == 500
        assert "canary" not in answer.text
        assert "content-security-policy" in answer.headers
