"""How long the check of a 5,000-row CSV takes, raw match on a million encrypted rows included.

    ./run bench output-check

Parse, types, all checks; the raw table streams out of a vault. Three outputs: honest aggregates (nothing is stopped, so
everything is asked), records, disguised numbers. The peer is decrypting and decoding that raw table once and doing
nothing with it: the part of the time that no check can save. Wall time is that of whatever else the machine does.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
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
from tests.benchmarks.measured import Measured
from tests.sandbox.airlock.seeded.path import csv, parsed
from tests.sandbox.airlock.seeded.tables import CODE_LISTS, make

ROWS = 1_000_000
OUTPUT_ROWS = 5_000
BATCH = 65_536
RUNS = 20


def check() -> Iterator[Measured]:
    """Median and 95th percentile of wall and processor seconds, of the check and of a plain decode, in turns."""
    visits = _visits()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.load(Path(folder) / "home", as_root=False)
        settings.home.mkdir(mode=0o700)
        initialise(settings)
        vault = Vault(settings, KeyStore(settings))
        vault.write_table("visits", visits.to_arrow(compat_level=pl.CompatLevel.oldest()).to_reader(BATCH))
        raw = RawTable("visits", lambda: vault.read_table("visits"), {c: visits[c].n_unique() for c in visits.columns})
        for name, output in _outputs(visits).items():
            content, attributes = csv(output), frozenset(visits.columns)
            _check(content, raw, attributes)
            ours, plain = [], []
            for _ in range(RUNS):
                ours.append(_seconds(lambda: _check(content, raw, attributes)))  # noqa: B023 - called at once
                plain.append(_seconds(lambda: _decode(raw)))
            for place, clock in enumerate(("wall", "processor")):
                for share in (0.5, 0.95):
                    told = f"output check, {name}, {output.height} rows, {clock} p{share * 100:.0f} / plain decode"
                    values = [float(np.quantile([pair[place] for pair in taken], share)) for taken in (ours, plain)]
                    target = "<= 2 s" if (clock, share) == ("wall", 0.95) else ""
                    yield Measured(told, *values, "s", target)


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    wall, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - used


def _check(content: bytes, raw: RawTable, attributes: frozenset[str]) -> None:
    output = parsed({"result.csv": content})
    tables = typed_tables(output, attributes=attributes, shape=None)
    run_checks(CheckInput(output, tables, default_limits(), known=CODE_LISTS, raws=[raw]))


def _decode(raw: RawTable) -> int:
    with raw.open() as reader:
        return sum(batch.num_rows for batch in reader)


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
    least = (2025 - pl.col("birth_date").dt.year()) // 20 * 20
    age = pl.format("{}–{}", least, least + 19).alias("age")
    honest = (
        visits.with_columns(age)
        .group_by(*groups, "age")
        .agg(
            (pl.len() / 5).round().cast(pl.Int64).alias("n") * 5,
            pl.col("cost").mean().round_sig_figs(3).alias("mean_cost"),
        )
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
