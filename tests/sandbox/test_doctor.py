"""What `opendata doctor` says of the machine below the sandbox: each finding can be good and can be bad."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sandbox.parts.machine import FULL, ROOMY, findings, font, packages, room


def test_packages_are_those_of_the_lock_or_it_is_said(tmp_path: Path) -> None:
    lock, environment = tmp_path / "kernel.lock", tmp_path / "env"
    lock.write_text("numpy==2.4.0 \\\n")
    assert packages(environment, lock).state == "weaker"
    environment.mkdir()
    (environment / "stamp").write_text(hashlib.sha256(lock.read_bytes()).hexdigest())
    assert packages(environment, lock).state == "enforced"
    folder = environment / "lib/python3.11/site-packages/sneaked-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Name: sneaked\nVersion: 1\n")
    found = packages(environment, lock)
    assert found.state == "weaker"
    assert "sneaked" in found.detail["zh"]
    assert "sneaked" in found.detail["en"]


def test_a_chinese_font_is_looked_for(tmp_path: Path) -> None:
    assert font(tmp_path).state == "weaker"
    (tmp_path / "opentype").mkdir()
    (tmp_path / "opentype/NotoSansCJK-Regular.ttc").touch()
    assert font(tmp_path).state == "enforced"


@pytest.mark.parametrize(
    ("free", "state"), [(ROOMY, "enforced"), (ROOMY - 1, "weaker"), (FULL, "weaker"), (FULL - 1, "off"), (0, "off")]
)
def test_room_on_the_disk(free: int, state: str, tmp_path: Path) -> None:
    assert room(tmp_path, free).state == state


def test_doctor_has_all_three_also_before_the_first_start(tmp_path: Path) -> None:
    names = [found.name["en"] for found in findings(tmp_path / "a/b", environment=tmp_path / "no", fonts=tmp_path)]
    assert names == ["notebook packages", "Chinese in plots", "disk space"]
