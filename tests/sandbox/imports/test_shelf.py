"""The launcher's memory of imports: sealed files only, bounded, replaced as a whole."""

from __future__ import annotations

import fcntl
import os

import pytest

from sandbox.errors import LauncherBusy, LauncherRefused
from sandbox.execution.shelf import Shelf, session_inputs
from sandbox.imports.runs import F_ADD_SEALS, SEALS


def sealed(content: bytes, *, seal: bool = True) -> int:
    fd = os.memfd_create("own", os.MFD_ALLOW_SEALING)
    os.write(fd, content)
    if seal:
        fcntl.fcntl(fd, F_ADD_SEALS, SEALS)
    return fd


def read(shelf: Shelf, workspace: str, name: str) -> bytes:
    [(path, fd)] = session_inputs(shelf.wanted(workspace, [name]))
    assert path == f"/data/import/{name}/{name}.parquet"
    with os.fdopen(fd, "rb") as file:
        return file.read()


def test_imports_are_held_read_from_the_start_each_time_and_replaced_as_a_whole():
    shelf, fds = Shelf(), [sealed(b"one"), sealed(b"two")]
    shelf.set("w1", [("a", "id-a"), ("b", "id-b")], fds)
    for fd in fds:
        os.close(fd)  # the launcher has descriptors of its own
    assert [read(shelf, "w1", name) for name in ("a", "b", "a")] == [b"one", b"two", b"one"]
    with pytest.raises(LauncherBusy):
        shelf.wanted("w2", ["a"])  # another workspace's imports are nobody's
    shelf.set("w1", [("b", "id-c")], [sealed(b"three")])
    assert read(shelf, "w1", "b") == b"three"
    with pytest.raises(LauncherBusy):
        shelf.wanted("w1", ["a"])
    shelf.set("w1", [], [])
    assert shelf.bytes == 0
    assert shelf.descriptors == []


def test_what_could_still_change_or_is_named_oddly_is_refused():
    shelf = Shelf()
    with pytest.raises(LauncherRefused):
        shelf.set("w1", [("a", "id")], [sealed(b"x", seal=False)])
    with open(__file__, "rb") as file, pytest.raises(LauncherRefused):
        shelf.set("w1", [("a", "id")], [file.fileno()])
    for workspace, named in (("w1", [("../x", "id")]), ("W/1", [("a", "id")]), ("w1", [("a", "i"), ("a", "j")])):
        with pytest.raises(LauncherRefused):
            shelf.set(workspace, named, [sealed(b"x") for _ in named])
    with pytest.raises(LauncherRefused):
        shelf.set("w1", [("a", "id")], [sealed(b"")])
    assert shelf.held == {}


def test_memory_is_bounded_and_the_oldest_workspace_makes_room():
    shelf = Shelf(most=10)
    shelf.set("w1", [("a", "i")], [sealed(b"123456")])
    shelf.set("w2", [("a", "i")], [sealed(b"1234")])
    shelf.set("w3", [("a", "i")], [sealed(b"123")])
    assert sorted(shelf.held) == ["w2", "w3"]
    with pytest.raises(LauncherBusy):
        shelf.set("w4", [("a", "i")], [sealed(b"12345678901")])
    assert sorted(shelf.held) == ["w2", "w3"]
