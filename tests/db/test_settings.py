"""Settings, parts, errors and logs: the small things at the bottom."""

import dataclasses
import io
import json
import logging
import os

import pytest

from opendata import errors, logs, parts
from opendata.errors import ConfigurationError, safe_sentence
from opendata.parts import Part, merged, resolve
from opendata.settings import ONE_USER, Settings


def test_overrides_beat_environment_beats_defaults(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENDATA_PORT", "9000")
    monkeypatch.setenv("OPENDATA_HUB_PORT", "9001")
    settings = Settings.load(tmp_path, port=9100, as_root=False)
    assert (settings.port, settings.hub_port, settings.host) == (9100, 9001, "127.0.0.1")
    assert settings.public_url == "http://localhost:9100"
    assert settings.hub_url == "http://sandbox.localhost:9001"
    assert settings.database_url == f"sqlite:///{tmp_path}/opendata.sqlite"
    assert settings.users == ONE_USER


def test_the_environment_names_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENDATA_HOME", str(tmp_path / "here"))
    assert Settings.load(as_root=False).home == tmp_path / "here"


@pytest.mark.parametrize("wrong", [{"port": 0}, {"port": "x"}, {"port": 70000}, {"demo": "maybe"}, {"colour": 1}])
def test_malformed_settings_are_refused(tmp_path, wrong):
    with pytest.raises(ConfigurationError):
        Settings.load(tmp_path, as_root=False, **wrong)


def test_settings_are_frozen_and_hide_the_database_password(tmp_path):
    settings = Settings.load(tmp_path, database_url="postgresql://u:secret@h/d", as_root=False)
    assert "secret" not in repr(settings)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.port = 1


def test_sockets_fit_whatever_the_home_is_called(tmp_path):
    for home in (tmp_path, tmp_path / ("long" * 40)):
        settings = Settings.load(home, as_root=False)
        for path in (settings.rawdoor_socket, settings.launcher_hub_socket, settings.launcher_worker_socket):
            assert len(os.fsencode(path)) < 90
    with pytest.raises(ConfigurationError):
        Settings.load(tmp_path, run_dir=tmp_path / ("x" * 80), as_root=False)


def test_only_settings_reads_the_environment():
    from pathlib import Path

    package = Path(errors.__file__).parent
    readers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "os.environ" in path.read_text() or "getenv" in path.read_text()
    }
    assert readers - {"supervisor/main.py", "supervisor/children.py"} == {"settings.py"}


def test_registries_of_parts_are_merged_and_collide_loudly():
    one, two = Part(name="one", jobs={"a": "x:y"}), Part(name="two", jobs={"b": "x:z"})
    assert merged((one, two), "jobs") == {"a": "x:y", "b": "x:z"}
    with pytest.raises(ConfigurationError):
        merged((one, one), "jobs")
    assert merged((one,), "raw_door") == {}


def test_dotted_names_resolve_or_say_so():
    assert resolve("opendata.errors:OpenDataError") is errors.OpenDataError
    for wrong in ("opendata.errors:Nothing", "opendata.nothing:x", "opendata.errors"):
        with pytest.raises(ConfigurationError):
            resolve(wrong)
    assert parts.installed_parts.__wrapped__ is not None


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (errors.InvalidInputError("第 3 行"), "第 3 行"),  # ours: safe
        (ValueError("could not convert 'CANARY'"), "ValueError"),  # a library's: class only
        (OSError(28, "No space left on device", "/secret/path"), "No space left"),  # the operating system's words
        (MemoryError(), "内存"),
    ],
)
def test_sentences_never_hold_foreign_messages(error, shown):
    sentence = safe_sentence(error)
    assert shown in sentence
    assert "CANARY" not in sentence
    assert "/secret" not in sentence


@pytest.fixture
def lines():
    stream = io.StringIO()
    root, level = logging.getLogger().handlers[:], logging.getLogger().level
    logs.configure("test", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.getLogger().handlers[:] = root
    logging.getLogger().setLevel(level)


def test_logs_are_json_and_exceptions_lose_their_message(lines):
    logger = logs.get_logger("opendata.test")
    try:
        int("CANARY-value")
    except ValueError:
        logger.exception("it failed", count=3)
    logger.info("完成", rows=7)
    failed, done = lines()
    assert (failed["event"], failed["error"], failed["count"], failed["process"]) == (
        "it failed",
        "ValueError",
        3,
        "test",
    )
    assert any("test_logs_are_json" in frame for frame in failed["where"])
    assert done["event"] == "完成"
    assert "CANARY" not in json.dumps(lines())


def test_lines_of_other_libraries_keep_their_template_only(lines):
    logging.getLogger("some.library").error("bad value %s in %d", "CANARY", 3)
    logging.getLogger("uvicorn.error").error("stopped after %d", 3)
    try:
        {}["CANARY"]
    except KeyError:
        logging.getLogger("some.library").exception("failed")
    first, second, third = lines()
    assert second["event"] == "stopped after 3"
    assert third["error"] == "KeyError"
    assert "CANARY" not in json.dumps([first, second, third])
