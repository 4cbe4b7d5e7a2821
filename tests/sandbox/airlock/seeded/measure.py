"""How long the check of a 5,000-row CSV takes, raw match on a million encrypted rows included.

    python -m tests.sandbox.airlock.seeded.measure [RUNS]

Parse, types, all checks; the raw table streams out of a vault, decrypted anew in every pass. Three outputs: honest
aggregates (the longest way: nothing matches, so everything is asked), records, disguised numbers. Not a test: a busy
machine cannot fail it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from opendata.settings import Settings
from opendata.storage.keys import KeyStore, initialise
from opendata.storage.vault import Vault
from sandbox.airlock.checks import CheckInput, run_checks
from sandbox.airlock.checks.raw import RawTable
from sandbox.airlock.limits import default_limits
from sandbox.airlock.typed import typed_tables
from tests.sandbox.airlock.seeded.path import csv, parsed
from tests.sandbox.airlock.seeded.tables import CODE_LISTS, make

ROWS = 1_000_000
OUTPUT_ROWS = 5_000
BATCH = 65_536


def main(arguments: list[str]) -> int:
    """Measure and print seconds: median and 95th percentile of wall and processor time."""
    runs = int(arguments[0]) if arguments else 20
    visits = _visits()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.load(Path(folder) / "home", as_root=False)
        settings.home.mkdir(mode=0o700)
        initialise(settings)
        vault = Vault(settings, KeyStore(settings))
        vault.write_table("visits", visits.to_arrow(compat_level=pl.CompatLevel.oldest()).to_reader(BATCH))
        distinct = {name: visits[name].n_unique() for name in visits.columns}
        raw = RawTable("visits", lambda: vault.read_table("visits"), distinct)
        for name, output in _outputs(visits).items():
            wall, used = zip(*(_check(csv(output), raw, visits) for _ in range(runs)), strict=True)
            print(
                f"{name:<12} {output.height} rows x {output.width}: wall p50 {np.median(wall):.2f} s, "
                f"p95 {np.quantile(wall, 0.95):.2f} s; processor p50 {np.median(used):.2f} s, "
                f"p95 {np.quantile(used, 0.95):.2f} s; n={runs}",
            )
    return 0


def _check(content: bytes, raw: RawTable, visits: pl.DataFrame) -> tuple[float, float]:
    wall, used = time.perf_counter(), time.process_time()
    output = parsed({"result.csv": content})
    tables = typed_tables(output, attributes=frozenset(visits.columns), shape=None)
    run_checks(CheckInput(output, tables, default_limits(), known=CODE_LISTS, raws=[raw]))
    return time.perf_counter() - wall, time.process_time() - used


def _visits() -> pl.DataFrame:
    rng = np.random.default_rng(7)
    numbers = rng.permutation(np.unique(rng.integers(10_000_000, 99_999_999, ROWS + ROWS // 10)))[:ROWS]
    return (
        make(1)
        .visits.sample(ROWS, with_replacement=True, seed=1)
        .with_columns(
            pl.Series("visit_no", numbers),
            pl.Series("cost", np.round(rng.lognormal(8.2, 0.9, ROWS), 2)),
            pl.Series("id_number", [f"{x:018d}" for x in rng.integers(10**15, 10**17, ROWS)]),
        )
    )


def _outputs(visits: pl.DataFrame) -> dict[str, pl.DataFrame]:
    groups = ("district", "department", "diagnosis", "sex")
    age = ((2025 - pl.col("birth_date").dt.year()) // 20).cast(pl.Utf8).alias("age")
    honest = (
        visits.with_columns(age)
        .group_by(*groups, "age")
        .agg((pl.len() / 5).round().cast(pl.Int64).alias("n") * 5, pl.col("cost").mean().alias("mean_cost"))
        .sort("n", "mean_cost", descending=True)
        .head(OUTPUT_ROWS)
    )
    keys = honest.select(*groups)
    records = visits.select(*groups, "days", "cost").head(OUTPUT_ROWS)
    first = visits.head(keys.height)
    disguised = keys.with_columns(
        pl.lit(50).alias("n"), mean_x=first["visit_no"] + 1, mean_y=first["cost"] * 2, mean_z=first["cost"].log()
    )
    return {"aggregates": honest, "records": records, "disguised": disguised}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
