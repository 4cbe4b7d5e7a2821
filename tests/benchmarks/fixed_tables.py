"""Fixed tables: how long a cube of 1 million records takes, what memory it grows by, and how fast it answers over HTTP.

Counting is measured beside the exact cube without any protection (polars: distinct persons and sums of every base
cell). Memory is that of a process of its own, sampled while it streams batches that nobody else holds.
"""

from __future__ import annotations

import logging
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from tests.benchmarks.measured import ROOT, RUNS, Measured

ROWS = 1_000_000
MEMORY_ROWS = (1_000_000, 8_000_000)
ASKED = 600
POLICY = """\
version: 1
dataset: visits
unit: patient
attributes:
  patient: {role: direct_identifier, technique: suppression.drop}
  district: {role: quasi_identifier, technique: keep, codes: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]}
  age: {role: quasi_identifier, technique: keep}
  sex: {role: quasi_identifier, technique: keep, codes: [1, 2]}
  kind: {role: sensitive, codes: [1, 2, 3, 4, 5, 6]}
  cost: {role: sensitive}
sandbox:
  tables:
    dimensions:
      district: {other: false}
      age: {lower: 0, upper: 90, width: 10, other: false}
      sex: {other: false}
      kind: {other: false}
    measures: {cost: {lower: 0, upper: 50000}}
"""


def cube() -> Iterator[Measured]:
    """Counting, noise, tables and hiding of 1 million records beside the exact cube; CPU seconds."""
    from sandbox.queries import tables
    from sandbox.queries.design import Design
    from tests.sandbox.queries.cubes import counted, noisy, registered

    registration, table = registered(POLICY), records(ROWS)

    def ours() -> None:
        base = noisy(registration, counted(registration, table, batch=65_536))
        tables.published(base, registration, Design.of(registration, 1))

    def exact() -> None:
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        frame.group_by("district", pl.col("age") // 10, "sex", "kind").agg(
            pl.col("patient").n_unique(), pl.col("cost").clip(0, 50_000).sum()
        )

    taken: dict[str, list[float]] = {"ours": [], "exact": []}
    for _ in range(RUNS + 1):
        for name, work in (("ours", ours), ("exact", exact)):
            begun = time.process_time()
            work()
            taken[name].append(time.process_time() - begun)
    mine, plain = (statistics.median(each[1:]) for each in taken.values())
    yield Measured("fixed tables, 1 M records / exact cube (polars), CPU", mine, plain, "s")


def memory() -> Iterator[Measured]:
    """Peak memory of a process that counts a stream, from 1 to 8 million records."""
    small, large = (_peak(rows) for rows in MEMORY_ROWS)
    yield Measured("fixed tables, memory of 8 M records / 1 M", large / 1e6, small / 1e6, "MB", "<= 2")


def answers() -> Iterator[Measured]:
    """An answer over HTTP from the cube of 1 million records, first ones with their ledger entries; wall time."""
    import structlog
    from fastapi.testclient import TestClient

    from opendata.app import create_app
    from tests.sandbox.queries.conftest import Tables
    from tests.sandbox.sandbox_world import make_world

    with tempfile.TemporaryDirectory(prefix="bench") as folder, make_world(Path(folder) / "home") as world:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        begun = time.process_time()
        Tables(world).ready("visits", table=records(ROWS), yaml=POLICY)
        yield Measured("fixed tables, 1 M records, from the vault to publication", time.process_time() - begun, 60, "s")
        client = TestClient(create_app(world.settings), base_url="http://localhost:8000")
        names, draw = ["district", "age", "sex", "kind"], random.Random(1)
        wall, used = [], []
        for _ in range(ASKED):
            by = draw.sample(names, draw.randint(0, 3))
            params = {"by": by, "measures": ["n=count", "total=cost:sum", "mean=cost:mean"]}
            begun, spent = time.perf_counter(), time.process_time()
            answer = client.get("/api/v1/datasets/visits/tables/query", params=params)
            wall.append(1000 * (time.perf_counter() - begun))
            used.append(1000 * (time.process_time() - spent))
            assert answer.status_code == 200
    yield Measured("fixed tables, answer over HTTP, median / 50 ms", statistics.median(wall), 50, "ms")
    for what, taken in (("wall", wall), ("CPU", used)):
        last = sorted(taken)[int(len(taken) * 0.95)]
        yield Measured(f"fixed tables, answer over HTTP, p95 {what} / 50 ms", last, 50, "ms", "<= 1")


def records(rows: int, seed: int = 1) -> pa.Table:
    """Visits of half as many persons."""
    rng = np.random.default_rng(seed)
    patient = rng.integers(0, rows // 2, rows)
    own = np.random.default_rng(0).integers(0, 1 << 30, rows // 2)[patient]
    return pa.table(
        {
            "patient": patient,
            "district": own % 16 + 1,
            "age": own // 16 % 90,
            "sex": own // 1440 % 2 + 1,
            "kind": rng.choice(6, rows, p=[0.3, 0.25, 0.2, 0.1, 0.1, 0.05]) + 1,
            "cost": np.round(rng.gamma(2, 3000, rows), 2),
        }
    )


def _peak(rows: int) -> float:
    """Bytes at the peak of a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"from tests.benchmarks.fixed_tables import stream; stream({rows})"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout.splitlines()[-1])


def stream(rows: int) -> None:
    """Count a stream whose batches are made one after the other; print the peak."""
    from sandbox.queries.counting import count
    from tests.sandbox.queries.cubes import registered

    registration, batch = registered(POLICY), 100_000

    @contextmanager
    def opened() -> Iterator[pa.RecordBatchReader]:
        def made() -> Iterator[pa.RecordBatch]:
            for part in range(rows // batch):
                table = records(batch, part)
                ids = pa.array(np.random.default_rng(part).integers(0, rows // 2, batch))
                yield table.set_column(0, "patient", ids).combine_chunks().to_batches()[0]

        yield pa.RecordBatchReader.from_batches(records(2).schema, made())

    count(registration, opened, secret=b"s" * 16, records=rows)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
