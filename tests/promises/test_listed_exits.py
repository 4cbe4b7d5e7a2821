"""Promise 1: information derived from raw data leaves only through the listed exits."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import polars as pl
import pytest

from tests.chain.steps import create_dataset, csv, grant, people, people_policy, publish, upload
from tests.conftest import Service
from tests.promises.canaries import found_in

pytestmark = pytest.mark.integration
CANARY_NAME, CANARY_TEXT = "金丝雀甲乙丙", "canary-remark-7f3a9c"


def planted() -> tuple[pl.DataFrame, list[str]]:
    """A table with canaries in every column that is not published as it is."""
    frame = people().with_columns(
        name=pl.concat_str(pl.lit(CANARY_NAME), pl.int_range(pl.len()).cast(pl.String)),
        remark=pl.lit(CANARY_TEXT),
    )
    return frame, [CANARY_NAME, CANARY_TEXT, *frame["resident_id"].to_list()[:40]]


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
    """What other processes than this test put into the temporary directory since the service started."""
    born = service.home.stat().st_ctime
    return [
        path
        for path in Path("/tmp").iterdir()
        if not path.name.startswith("pytest-") and path.lstat().st_mtime >= born and not path.is_symlink()
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: processes have no users of their own otherwise")
def test_web_user_reads_neither_vault_nor_keys(service: Service) -> None:
    """As the web process's user every private folder gives a permission error; what it needs does not."""
    settings = service.settings()
    frame = people(60)
    client = service.client("officer-social")
    create_dataset(client, "web-user")
    upload(client, "web-user", csv(frame))
    program = (
        "import os, sys\n"
        "for top in sys.argv[1:]:\n"
        "    try:\n"
        "        names = [os.path.join(d, f) for d, _, fs in os.walk(top, onerror=lambda e: (_ for _ in ()).throw(e)) for f in fs]\n"
        "        [open(name, 'rb').read(1) for name in names]\n"
        "        print(top, 'readable', len(names))\n"
        "    except PermissionError:\n"
        "        print(top, 'denied')\n"
    )
    private = [
        settings.vault_dir,
        settings.keys_dir / "worker",
        settings.jobs_file.parent / "jobs.sqlite",
        settings.hub_dir,
    ]
    tops = [*map(str, private), str(settings.editions_dir), str(settings.keys_dir / "public")]
    account = settings.users.web
    from opendata.supervisor.paths import enter_command

    staging = Path("/run") / f"opendata-test-{os.getpid()}"
    staging.mkdir()
    try:
        done = subprocess.run(
            [
                *enter_command([settings.home], staging),
                "setpriv", f"--reuid={account}", f"--regid={settings.users.group}", "--init-groups", "--",
                "/usr/bin/python3", "-c", program.replace("for top in", "for top in"), *tops,
            ],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    finally:
        staging.rmdir()
    answers = dict(
        line.rsplit(" ", 1) if line.endswith("denied") else (line.split(" ")[0], "readable")
        for line in done.stdout.splitlines()
    )
    assert [answers[str(place)] for place in private if place.is_dir()] == ["denied"] * len(
        [p for p in private if p.is_dir()]
    )
    assert answers[str(settings.keys_dir / "public")] == "readable", "positive control: the walk itself works"
    assert answers[str(settings.editions_dir)] == "readable"
    jobs = subprocess.run(
        [*(["setpriv", f"--reuid={account}", f"--regid={settings.users.group}", "--init-groups", "--"]), "cat", str(settings.jobs_file)],
        capture_output=True, check=False,
    )  # fmt: skip
    assert jobs.returncode != 0
