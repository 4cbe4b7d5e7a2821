"""`./run demo` on real tables: all that it shows holds and every cheat is refused; only the pictures are not taken.

The two large tables are cut to a tenth here, whole aircraft and villages of every province: the way is the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import polars as pl
import pytest

from opendata.cli.demo.__main__ import prepare, run
from opendata.cli.demo.context import Demo
from opendata.cli.demo.tables import RealTable, TablesMissing
from opendata.cli.demo.tour import stops
from tests.conftest import Service, free_port, short_home
from tests.sandbox.execution.conftest import jails_possible

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(jails_possible()), reason=jails_possible() or "possible"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a sealed job on data of level 4"),
]
PART = 10
CHEATS = [
    "L4 数据的固定口径统计",
    "原始行当作产出",
    "沙箱内访问网络",
    "新批次多出一列",
    "下载文件改动一个字节",
    "专员批准自己的发布",
]


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """Beside a service of its own: tables of this size would slow whoever searches a home for planted values."""
    with short_home() as home, pytest.MonkeyPatch.context() as patch:
        own = Service(home, free_port(), free_port())
        try:
            own.start()
            for name, value in own.environment.items():
                if name.startswith("OPENDATA_"):
                    patch.setenv(name, value)
            try:
                made = prepare(own.settings(), "zh")
            except TablesMissing as missing:
                pytest.skip(str(missing))
            tables = made.made["tables"]
            tables |= {"villages": some_villages(tables["villages"]), "flights": some_aircraft(tables["flights"])}
            yield made
            made.close()
        finally:
            own.stop()


def some_villages(table: RealTable) -> RealTable:
    head, *lines = table.path.read_bytes().splitlines(keepends=True)
    table.path.write_bytes(head + b"".join(lines[::PART]))
    return replace(table, rows=len(lines[::PART]))


def some_aircraft(table: RealTable) -> RealTable:
    """All flights of each: those with few flights stay as rare as they are."""
    frame = pl.read_parquet(table.path)
    some = frame["tailnum"].drop_nulls().unique().sort().gather_every(PART)
    frame = frame.filter(pl.col("tailnum").is_in(some.implode()))
    frame.write_parquet(table.path)
    return replace(table, rows=frame.height)


def test_the_whole_chain_holds_and_every_cheat_is_refused(demo: Demo) -> None:
    run(demo)  # raises where a step fails and where a cheat succeeds
    assert "workspace" in demo.made, "the sandbox's steps were left out"
    assert [line.step for line in demo.lines if line.refused] == CHEATS
    for stop in stops(demo):  # raises where a page of the tour is not shown to whom it is for
        demo.client(stop.who).request("GET", stop.path)
