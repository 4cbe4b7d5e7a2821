"""Promise 1: information derived from raw data leaves only through the listed exits."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import polars as pl
import pytest

from tests.chain.steps import create_dataset, csv, grant, open_workspace, people, people_policy, publish, upload
from tests.conftest import Service
from tests.promises.canaries import found_in

pytestmark = pytest.mark.integration
CANARY_NAME, CANARY_TEXT = "金丝雀甲乙丙", "canary-remark-7f3a9c"
# The session's test types its canaries into a notebook, whose history keeps them: they are others.
SESSION_NAME, SESSION_TEXT = "会话金丝雀丁", "canary-session-51be02"


def planted(name: str = CANARY_NAME, text: str = CANARY_TEXT) -> tuple[pl.DataFrame, list[str]]:
    """A table with canaries in every column that is not published as it is."""
    frame = people().with_columns(
        name=pl.concat_str(pl.lit(name), pl.int_range(pl.len()).cast(pl.String)),
        remark=pl.lit(text),
    )
    return frame, [name, text, *frame["resident_id"].to_list()[:8]]


def policy(name: str) -> str:
    return people_policy(name, keyed=True).replace(
        "  visits:", "  remark: {role: direct_identifier, technique: suppression.drop}\n  visits:"
    )


def test_canaries_are_found_nowhere(service: Service, tmp_path: Path) -> None:
    """Everything written during intake, masking, review, publication and a killed intake is searched."""
    frame, canaries = planted()
    publish(service, "canary", csv(frame), policy("canary"), opening_class="conditional")
    grant(service, "canary")
    subprocess.run(["pkill", "-9", "-f", f"opendata.worker --home {service.home}"], check=False)
    client = service.client("officer-social")
    create_dataset(client, "canary-killed")
    upload(client, "canary-killed", csv(frame))
    settings = service.settings()
    places = [service.home, settings.run_dir, service.home.parent / "up.log", Path("/dev/shm"), *new_in_tmp(service)]
    hits = found_in([place for place in places if place.exists()], canaries)
    assert hits == []
    control = tmp_path / "leak.log"
    control.write_bytes(f"x {canaries[0]} y".encode("gb18030"))
    assert found_in([tmp_path], canaries), "positive control: a planted leak is found"


def new_in_tmp(service: Service) -> list[Path]:
    """What the service's processes left in the temporary directory: theirs by owner, or new where all run as one."""
    import pwd

    names = [service.settings().users.web, service.settings().users.worker, service.settings().users.hub]
    owners = {pwd.getpwnam(name).pw_uid for name in names if name} or {os.geteuid()}
    born = service.home.stat().st_ctime
    found = []
    for path in Path("/tmp").iterdir():
        with contextlib.suppress(FileNotFoundError):  # of another service beside this one, and gone by now
            about = path.lstat()
            if about.st_uid in owners and about.st_mtime >= born and not path.name.startswith("pytest-"):
                found.append(path)
    return found


READ_ALL = """
import os, sys
def stop(error): raise error
for top in sys.argv[1:]:
    try:
        if os.path.isfile(top):
            open(top, "rb").read(1)
        else:
            for folder, _, names in os.walk(top, onerror=stop):
                for name in names:
                    open(os.path.join(folder, name), "rb").read(1)
        print("readable", top)
    except PermissionError:
        print("denied", top)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: processes have no users of their own otherwise")
def test_web_user_reads_neither_vault_nor_keys(service: Service) -> None:
    """As the web process's user every private folder gives a permission error; what it needs does not."""
    from opendata.supervisor.paths import enter_command

    settings = service.settings()
    client = service.client("officer-social")
    create_dataset(client, "web-user")
    upload(client, "web-user", csv(people(60)))
    private = [
        settings.vault_dir,
        settings.keys_dir / "worker",
        settings.keys_dir / "hub",
        settings.jobs_file.parent,
        settings.hub_dir,
        settings.logs_dir,
    ]
    needed = [settings.keys_dir / "public", settings.keys_dir / "web", settings.database_file]
    assert all(place.exists() for place in [*private, *needed])
    staging = Path("/run") / f"opendata-test-{os.getpid()}"
    staging.mkdir()
    drop = ["setpriv", f"--reuid={settings.users.web}", f"--regid={settings.users.group}", "--init-groups", "--"]
    command = [*enter_command([settings.home], staging), *drop, "/usr/bin/python3", "-c", READ_ALL]
    try:
        done = subprocess.run([*command, *map(str, [*private, *needed])], capture_output=True, text=True, check=True)
    finally:
        staging.rmdir()
    expected = [f"denied {place}" for place in private] + [f"readable {place}" for place in needed]
    assert done.stdout.splitlines() == expected


def test_researcher_cannot_get_a_raw_row(service: Service) -> None:
    """A real session: signed in through the portal, JupyterLab over HTTP, a kernel over its websocket.

    Practice data is there; the raw table, the vault, the network and other people's places are not. What a sealed job
    saw does not come back before people have voted.
    """
    from tests.sandbox.hub.browser import Browser

    frame, canaries = planted(SESSION_NAME, SESSION_TEXT)
    publish(service, "notebook", csv(frame), policy("notebook"), opening_class="conditional")
    workspace = open_workspace(service, "raw-row", ["notebook"], title="测试", purpose="验证会话里没有任何原始数据")
    service.wait_hub()
    browser = Browser(f"http://sandbox.localhost:{service.hub_port}", service.url, "researcher")
    browser.http.cookies.clear()
    sign_in_at_portal(browser.http, service)
    assert browser.sign_in().status_code == 200
    stop_running_session(browser)
    page = browser.spawn(f"?workspace={workspace}")
    assert page.status_code == 200, page.text[:500]
    assert browser.lab().status_code == 200
    kernel = browser.kernel()
    try:
        read = kernel.run(
            "import pandas as pd; t = pd.read_parquet('/data/notebook/notebook.parquet'); print(len(t), *t.columns)"
        )
        assert "resident_id" in read.text, read.error
        values = kernel.run("print(t.astype(str).to_csv())").text
        assert [canary for canary in canaries if canary in values] == []
        hunt = (
            "import os\nhits = []\nfor top, _, names in os.walk('/'):\n"
            "    if top.startswith(('/dev/', '/proc', '/sys', '/opt/venv', '/usr')):\n        continue\n"
            "    for name in names:\n        if not os.path.isfile(os.path.join(top, name)):\n            continue\n        try:\n            data = open(os.path.join(top, name), 'rb').read(1 << 22)\n"
            f"        except OSError:\n            continue\n        if {SESSION_NAME!r}.encode() in data or {SESSION_TEXT!r}.encode() in data:\n"
            "            hits.append(os.path.join(top, name))\nprint('hits', [h for h in hits if 'history' not in h and '.ipynb' not in h and 'kernel' not in h])"
        )
        assert kernel.run(hunt, timeout_s=120).text.strip().endswith("hits []")
        refused = kernel.run("!curl -s http://192.0.2.1/")
        assert "网络" in refused.text or "network" in refused.text, refused
        assert kernel.run("import socket; socket.create_connection(('192.0.2.1', 80), 2)").error
        asked = kernel.run(
            "from sandbox.client import Workspace\nw = Workspace.current()\n"
            "open('rows.py', 'w').write(\"import pandas as pd\\nt = pd.read_parquet('/data/notebook/notebook.parquet')\\n"
            "g = t.groupby('sex', as_index=False).agg(persons=('resident_id', 'nunique'))\\n"
            "g['persons'] = (g['persons'] / 5).round().astype(int) * 5\\ng.to_csv('/out/g.csv', index=False)\\n\")\n"
            "print(w.submit('rows.py'))",
            timeout_s=120,
        )
        assert not asked.error, asked.error
        assert kernel.run("print(w.outputs())").error == ""
        assert service.client("researcher").get(f"/api/v1/workspaces/{workspace}/outputs")["outputs"] == []
    finally:
        kernel.close()
        browser.http.close()


def stop_running_session(browser) -> None:
    """A session that another test left open belongs to another workspace. The hub says 202 while it is stopping."""
    import time

    deadline = time.monotonic() + 120
    while browser.hub_api("DELETE", f"users/{browser.person}/server").status_code == 202:
        assert time.monotonic() < deadline, "the running session did not stop"
        time.sleep(1)


def sign_in_at_portal(http, service: Service) -> None:
    """Use a one-time link as a browser would: open it, confirm."""
    import re

    shown = http.get(f"{service.url}/sign-in/link/{service.link('researcher')}")
    fields = dict(re.findall(r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"', shown.text))
    answer = http.post(f"{service.url}/sign-in/link", data=fields, headers={"Origin": service.url})
    assert answer.status_code == 200, answer.text[:300]
