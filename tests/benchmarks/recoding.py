"""Local recoding beside ARX's recorded runs (reference.csv: ARX 3.9.2, wall seconds, its granularity).

Ours is CPU seconds for the whole way from an Arrow table of text: items, search, released table; median of three.
Granularity is shown twice, for two formulas are in use: as ARX pools it over the attributes, and as the mean over the
attributes that the README of the data gives. Suppressed records are held to the limits, which ARX's are not.
"""

from __future__ import annotations

import csv
import math
import statistics
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tests.benchmarks.measured import RUNS, Measured
from tests.conftest import SHARED

if TYPE_CHECKING:
    import pyarrow as pa

    from masking.hierarchies import Hierarchy

FOLDER = SHARED / "data" / "arx"
LOCAL = "k={} local (optimizeIterativeFast 0.01)"
GENETIC = "k=5 local, genetic 1 s a step"
ROWS: tuple[tuple[str, str, str, str, Mapping[str, Any], float, float], ...] = (
    # name, file, ARX's row (dataset, config), limits, least granularity, times faster
    ("Adult, k=5", "adult/adult.csv", "adult 30162x9", LOCAL.format(5), {"k_anonymity": 5}, 0.950, 9),
    ("Adult, k=10", "adult/adult.csv", "adult 30162x9", LOCAL.format(10), {"k_anonymity": 10}, 0.925, 9),
    ("MACH2019, k=5", "highdim/mach2019_int.csv.gz", "mach2019_int 73489x16", GENETIC, {"k_anonymity": 5}, 0.670, 7),
    (
        "credit card, k=5",
        "highdim/creditcard_int.csv.gz",
        "creditcard_int 30000x24",
        GENETIC,
        {"k_anonymity": 5},
        0.560,
        2,
    ),
    (
        "Adult, recursive (4,3)",
        "adult/adult.csv",
        "adult 30162x8 (occupation sensitive)",
        "k=5 + recursive (4,3)-diversity local",
        {"k_anonymity": 5, "recursive_cl_diversity": [4, 3]},
        0.947,
        4.58 / 0.7,
    ),
    (
        "Adult, 0.2-closeness",
        "adult/adult.csv",
        "adult 30162x8 (occupation sensitive)",
        "k=5 + 0.2-closeness equal distance local",
        {"k_anonymity": 5, "t_closeness": 0.2},
        0.560,
        83.8 / 5,
    ),
)
SIZES = (100_000, 1_000_000, 5_000_000)


def local() -> Iterator[Measured]:
    """Granularity and seconds of each local row of the reference, ours / ARX."""
    if not FOLDER.is_dir():
        print("recoding-local: no outside data (OPENDATA_SHARED), skipped")
        return
    with (FOLDER / "reference.csv").open(newline="") as stream:
        known = {(row["dataset"], row["config"]): row for row in csv.DictReader(stream)}
    for what, file, dataset, config, limits, least, faster in ROWS:
        row = known[dataset, config]
        table, hierarchies = read(file)
        sensitive = ["occupation"] if "sensitive" in dataset else []
        for name in sensitive:
            del hierarchies[name]
        found, seconds = recoded(table, hierarchies, limits, sensitive)
        theirs = float(row["granularity"])
        yield Measured(f"{what}: granularity as ARX pools it", found[0], theirs, "", f">= {least:.3f}")
        yield Measured(f"{what}: granularity, mean of attributes / ARX", found[1], theirs, "", f">= {least:.3f}")
        yield Measured(f"{what}: seconds", seconds, float(row["seconds"]), "s", f"<= {1 / faster:.3g}x")


def growth() -> Iterator[Measured]:
    """CPU seconds at 1 M records, and the exponent with which they grow from 10^5 to 5 x 10^6, against 1 (linear)."""
    if not FOLDER.is_dir():
        print("recoding-growth: no outside data (OPENDATA_SHARED), skipped")
        return
    table, hierarchies = read("adult/adult.csv")
    taken = {}
    for rows in SIZES:
        found, taken[rows] = recoded(perturbed(table, rows), hierarchies, {"k_anonymity": 5}, [], runs=1)
        if rows == 1_000_000:
            yield Measured("perturbed Adult, 1 M x 9, k=5: seconds / target", taken[rows], 4.0, "s", "<= 1x")
            yield Measured("  its granularity, mean of attributes / prototype", found[1], 0.987, "", ">= 1x")
    exponent = math.log(taken[SIZES[-1]] / taken[SIZES[0]]) / math.log(SIZES[-1] / SIZES[0])
    yield Measured("exponent of CPU seconds, 10^5 to 5 x 10^6 records", exponent, 1.0, "", "< 0.9")


def perturbed(table: pa.Table, rows: int) -> pa.Table:
    """Rows drawn with replacement, each cell replaced with probability 0.2 by a draw of its column: the data's README."""
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(0)
    base = random.integers(0, table.num_rows, rows)
    columns = {}
    for name in table.column_names:
        drawn = random.integers(0, table.num_rows, rows)
        columns[name] = table[name].combine_chunks().take(pa.array(np.where(random.random(rows) < 0.2, drawn, base)))
    return pa.table(columns)


def read(file: str) -> tuple[pa.Table, dict[str, Hierarchy]]:
    """The table as text, and the hierarchies beside it."""
    import pyarrow as pa
    import pyarrow.csv

    from masking.hierarchies import as_hierarchy

    path = FOLDER / file
    with pa.input_stream(path) as stream:
        names = stream.read(4096).split(b"\n", 1)[0].decode().strip().split(";")
    options = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
    with pa.input_stream(path) as stream:
        table = pyarrow.csv.read_csv(
            stream, parse_options=pyarrow.csv.ParseOptions(delimiter=";"), convert_options=options
        )
    stem = path.name.partition(".")[0]
    found = {name: next(path.parent.glob(f"{stem}_hierarchy_{name}.csv*")) for name in names}
    return table, {name: as_hierarchy(each) for name, each in found.items()}


def recoded(
    table: pa.Table,
    hierarchies: Mapping[str, Hierarchy],
    limits: Mapping[str, Any],
    sensitive: list[str],
    runs: int = RUNS,
) -> tuple[tuple[float, float], float]:
    """(granularity as ARX pools it, mean of the attributes) and CPU seconds from text to text."""
    import numpy as np

    from masking.limits import Limits
    from masking.recoding.items import Items
    from masking.recoding.local_recoding import search_local
    from masking.recoding.search import Watch, Wishes

    times = []
    for _ in range(runs):
        start = time.process_time()
        items, of_record = Items.of(table, hierarchies, sensitive)
        found = search_local(items, Limits.of(limits), Wishes(), Watch())
        found.table(table, of_record)
        times.append(time.process_time() - start)
    least = np.array([1 / len(hierarchy.leaves) for hierarchy in items.hierarchies])
    return (found.granularity(), float(np.mean(1 - (found.shares() - least) / (1 - least)))), statistics.median(times)
