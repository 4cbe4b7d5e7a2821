"""A real session: sign-in, spawn, a kernel over its websocket, and what cannot be reached from inside or beside it."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
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


# What works


def test_cell_runs(kernel):
    assert kernel.run("print(6 * 7)").text.strip() == "42"


def test_lab_speaks_chinese_first_and_looks_for_no_news(alice):
    settings = alice.api("GET", "lab/api/settings/@jupyterlab/translation-extension:plugin").json()
    assert '"default": "zh_CN"' in json.dumps(settings["schema"]["properties"]["locale"])
    assert alice.api("GET", "lab/api/translations/zh_CN").json()["data"]
    notification = alice.api("GET", "lab/api/settings/@jupyterlab/apputils-extension:notification").json()
    assert notification["schema"]["properties"]["checkForUpdates"]["default"] is False


def test_pages_of_the_hub_are_chinese_first_and_lead_back_to_the_portal(sandbox, alice):
    home = alice.http.get(f"{sandbox.url}/hub/home").text
    assert "停止会话" in home
    assert f'href="{sandbox.portal.url}"' in home
    assert "/hub/token" not in home
    missing = alice.http.get(f"{sandbox.url}/hub/nothing")
    assert missing.status_code == 404
    assert "没有这个页面" in missing.text
    assert "There is no such page" in missing.text
    assert "moons" not in missing.text


def test_fresh_home_holds_the_example(alice):
    names = {item["name"] for item in alice.api("GET", "api/contents/").json()["content"]}
    assert {"示例 example.ipynb", "示例 examples"} <= names
    book = alice.api("GET", "api/contents/示例 examples/visits-and-cost.ipynb").json()["content"]
    code = "\n".join("".join(cell["source"]) for cell in book["cells"])
    assert 'DATASET = "flights"' in code  # the only one there is


def test_example_runs_up_to_the_service(alice, kernel):
    """Each cell of the example that needs no more than this portal knows."""
    notebook = alice.api("GET", "api/contents/示例 example.ipynb").json()["content"]
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert kernel.run(code[0]).error.startswith("NotAvailable")  # this portal has no page about the workspace itself
    assert "表 flights" in kernel.run(code[1]).html


def test_data_of_the_workspace_is_readable_and_only_that(kernel):
    reply = kernel.run(
        "import os, pandas as pd\n"
        "print(sorted(os.listdir('/data')), list(pd.read_parquet('/data/flights/flights.parquet')['origin']))"
    )
    assert reply.text.strip() == "['flights'] ['practice', 'rows']"


def test_data_cannot_be_written(kernel):
    assert "OSError" in kernel.run("open('/data/flights/x', 'w')").error


def test_home_is_as_large_as_the_level_allows(kernel):
    """A file that fits is written, one beyond the size that the service named is not."""
    written = kernel.run(
        "import os\n"
        "def fill(mib):\n"
        "    try:\n"
        "        with open('fill', 'wb') as file:\n"
        "            for _ in range(mib):\n"
        "                file.write(b'x' * 2**20)\n"
        "        return 'written'\n"
        "    except OSError as error:\n"
        "        return error.strerror\n"
        "    finally:\n"
        "        os.unlink('fill')\n"
        "print(fill(48), '|', fill(97), '|', fill(1))"
    )
    assert written.text.strip() == "written | No space left on device | written"


def test_query_says_the_service_s_answer(kernel):
    reply = kernel.run("from sandbox.client import Workspace\nWorkspace.current().query('flights', by=['month'])")
    assert reply.error.startswith("NotAvailable")
    assert "固定口径统计尚未开放" in reply.error


def test_job_is_handed_in_with_the_person_s_right(sandbox, kernel):
    reply = kernel.run(
        "open('a.py', 'w').write('print(1)')\nfrom sandbox.client import Workspace\nWorkspace.current().submit('a.py')"
    )
    assert "job1" in reply.text, reply
    handed_in = [seen for seen in sandbox.portal.seen if seen["path"].endswith("jobs?filename=a.py")]
    assert handed_in[-1]["who"] == ("alice", "falls")
    assert handed_in[-1]["body"] == b"print(1)"


# What is refused


@pytest.mark.parametrize("cell", ["!curl https://example.org", "%%bash\ncurl https://example.org"])
def test_curl_is_refused_naming_the_guard(kernel, cell):
    reply = kernel.run(cell)
    assert "网络守卫" in reply.text
    assert "network guard" in reply.text


NETWORK = """
import socket
tried = []
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, 40):
    try:
        socket.socket(family, socket.SOCK_STREAM if family != 17 else socket.SOCK_RAW)
        tried.append("open")
    except OSError:
        tried.append("refused")
try:
    socket.create_connection(("127.0.0.1", PORT), 2)
    tried.append("open")
except OSError:
    tried.append("refused")
print(set(tried))
"""


def test_no_network(sandbox, kernel):
    assert kernel.run(NETWORK.replace("PORT", str(sandbox.port))).text.strip() == "{'refused'}"


RAW_SEARCH = """
import os
found, looked = [], 0
for top, folders, files in os.walk("/", followlinks=False):
    if top.startswith(("/proc", "/sys", "/usr", "/opt/venv", "/dev")):
        folders[:] = []
        continue
    for name in files:
        path = os.path.join(top, name)
        try:
            if os.path.isfile(path) and os.path.getsize(path) < 5_000_000:
                looked += 1
                if b"CANARY-" + b"RAW-ROW" in open(path, "rb").read() or b"CANARY-" + b"OTHER" in open(path, "rb").read():
                    found.append(path)
        except OSError:
            pass
print(found, looked > 3)
"""


def test_no_raw_row_and_no_other_workspace_anywhere(kernel):
    """The canaries lie in the vault and in another workspace's data of the same home."""
    reply = kernel.run(RAW_SEARCH)
    assert reply.text.strip() == "[] True", reply


@pytest.mark.parametrize(
    "place", ["", "home", "home/vault/raw.csv", "home/hub", "home/keys/hub", "r", "r/hub/hub.sock"]
)
def test_host_places_are_not_there(sandbox, kernel, place):
    assert kernel.run(f"import os; print(os.path.exists({str(sandbox.root / place)!r}))").text.strip() == "False"


def test_other_processes_are_not_seen(kernel):
    reply = kernel.run(
        "import glob\nprint(any('sandbox.hub' in open(p).read() for p in glob.glob('/proc/[0-9]*/cmdline')))"
    )
    assert reply.text.strip() == "False"


GATE = """
import http.client, os, socket
class Gate(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/run/hub/hub.sock")
answers = {}
token = os.environ["JUPYTERHUB_API_TOKEN"]
for method, path in CALLS:
    gate = Gate("gate")
    gate.request(method, path, headers={"Authorization": "token " + token})
    answers[method + " " + path] = gate.getresponse().status
print(answers)
"""
FORBIDDEN = [
    ("GET", "/hub/api/users"),
    ("GET", "/hub/api/users/alice"),
    ("POST", "/hub/api/users/alice/tokens"),
    ("POST", "/hub/api/users/bob/activity"),
    ("DELETE", "/hub/api/users/alice/server"),
    ("GET", "/hub/api/proxy"),
    ("GET", "/hub/home"),
    ("GET", "/api/v1/workspaces"),
    ("GET", "/api/v1/workspaces/other/datasets"),
    ("GET", "/api/v1/workspaces/falls/../other/datasets"),
    ("POST", "/api/v1/internal/session-token"),
    ("GET", "/api/v1/airlock"),
    ("GET", "/api/v1/datasets"),
]


def test_gate_refuses_all_other_calls(kernel):
    answers = kernel.run(GATE.replace("CALLS", repr(FORBIDDEN))).text
    assert set(eval(answers).values()) == {403}, answers


def test_tokens_inside_are_of_no_use_outside(sandbox, kernel):
    """Whatever looks like a secret in the server's or the kernel's environment is sealed."""
    environment = eval(kernel.run("import os; print({k: v for k, v in os.environ.items()})").text)
    secrets = {
        name: value for name, value in environment.items() if "TOKEN" in name or "SECRET" in name or "KEY" in name
    }
    assert secrets
    for value in secrets.values():
        assert value.startswith("sealed-")
        answer = httpx2.get(
            f"http://127.0.0.1:{sandbox.port}/hub/api/user", headers={"Authorization": f"token {value}"}
        )
        assert answer.status_code == 403


def test_browser_s_page_holds_no_token_of_the_hub(alice):
    page = alice.lab().text
    config = json.loads(page.split('id="jupyter-config-data"')[1].split(">", 1)[1].split("</script>")[0])
    assert config["token"].startswith("sealed-")


# Other people


def test_another_researcher_cannot_enter(sandbox, alice):
    bob = sandbox.browser("bob")
    bob.sign_in()
    for page in ("lab", "api/kernels", "api/contents/"):
        assert bob.http.get(f"{alice.server}/{page}").status_code in {403, 404}


def test_nobody_enters_without_signing_in(sandbox, alice):
    stranger = sandbox.browser("")
    assert stranger.http.get(f"{alice.server}/api/contents/").status_code in {401, 403}


def test_person_without_the_role_cannot_sign_in(sandbox):
    assert sandbox.browser("carol").sign_in().status_code == 403


def test_role_taken_away_signs_out_at_the_next_look(sandbox):
    sandbox.portal.people["erin"] = ["researcher"]
    erin = sandbox.browser("erin")
    assert erin.sign_in().status_code == 200
    sandbox.portal.people["erin"] = ["applicant"]
    assert erin.http.get(f"{sandbox.url}/hub/spawn").status_code == 403


def test_researcher_without_a_workspace_is_told_so(sandbox):
    dave = sandbox.browser("dave")
    dave.sign_in()
    answer = dave.spawn()
    assert answer.status_code == 403
    assert "没有可用的沙箱" in answer.text


def test_person_of_two_workspaces_chooses(sandbox):
    bob = sandbox.browser("bob")
    bob.sign_in()
    form = bob.spawn()
    assert form.status_code == 200
    assert 'value="other"' in form.text
    assert 'value="empty"' in form.text
    refused = bob.spawn("?workspace=falls")
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "users"),  # no administrators
        ("GET", "users/bob"),
        ("POST", "users/alice/servers/second"),  # no named servers
        ("POST", "users/bob/server"),
        ("POST", "shutdown"),
        ("GET", "proxy"),
        ("GET", "users/alice/tokens"),
        ("POST", "users/alice/tokens"),  # it would outlive the session
        ("DELETE", "users/alice/tokens/a1"),
    ],
)
def test_hub_grants_nothing_more(alice, method, path):
    assert alice.hub_api(method, path).status_code in {400, 403, 404}


def test_nobody_makes_a_token_of_the_hub(sandbox, alice):
    page = alice.http.get(f"{sandbox.url}/hub/token")
    assert page.status_code == 403
    assert "令牌会比会话活得长" in page.text
    assert "outlive the session" in page.text


# Traces


def test_no_secret_on_a_command_line(sandbox, alice):
    secrets = [path.read_text().strip() for path in (sandbox.home / "keys/hub").iterdir()]
    assert len(secrets) == 4
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().decode(errors="replace")
        except OSError:
            continue
        assert not any(secret in line for secret in secrets)


def test_logs_hold_no_token(sandbox, alice, kernel):
    kernel.run("print('logged')")
    logs = sandbox.logs()
    assert "alice" in logs
    secrets = [path.read_text().strip() for path in (sandbox.home / "keys/hub").iterdir()]
    secrets += [*sandbox.portal.tokens, *(c.value for b in sandbox.browsers for c in b.http.cookies.jar if c.value)]
    secrets = [secret for secret in secrets if len(secret) > 12]
    assert secrets
    for secret in [*secrets, "sealed-", "portal-access-", "portal-session-"]:
        where = [line for line in logs.splitlines() if secret in line]
        assert not where
    assert "code=[secret]" in logs


def test_each_person_has_a_host_of_their_own(alice):
    assert urlsplit(str(alice.lab().url)).hostname == "alice.sandbox.localhost"
    shared = {cookie.name for cookie in alice.http.cookies.jar if cookie.domain_specified}
    # The session id is shared on purpose (it ends all caches at sign-out) and opens nothing.
    assert shared <= {"person", "jupyterhub-session-id"}
