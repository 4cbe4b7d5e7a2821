"""The hub's sockets stand inside addresses, which keep neither capitals nor other scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from opendata.errors import ConfigurationError
from opendata.settings import RUN_DIR_BYTES, Settings


@pytest.mark.parametrize("name", ["plain", "Capital", "公共数据", "with space", "l" * 80])
def test_sockets_lie_where_every_client_finds_them(tmp_path: Path, name: str) -> None:
    run_dir = Settings.load(tmp_path / name).run_dir
    assert str(run_dir).isascii()
    assert str(run_dir) == str(run_dir).lower()
    assert " " not in str(run_dir)
    assert len(str(run_dir)) <= RUN_DIR_BYTES
    assert run_dir == Settings.load(tmp_path / name).run_dir
    assert run_dir != Settings.load(tmp_path / "another").run_dir


def test_a_named_directory_the_hub_could_not_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="run_dir"):
        Settings.load(tmp_path / "home", run_dir="/run/Capital")
