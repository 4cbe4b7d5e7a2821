"""Two editions of Adult (30,162 persons): k=5 without 1 % of them, then k=10 with all; beside the edition that forgets.

The peer column is the naive control: the k=10 edition that knows nothing of the first.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from tests.benchmarks.measured import Measured
from tests.conftest import SHARED


def two_editions() -> Iterator[Measured]:
    """Smallest joint class, persons below 5, newcomers that stand alone, granularity, CPU seconds."""
    import masking
    from masking.hierarchies import as_hierarchy
    from masking.limits import Limits
    from masking.measures.joint_classes import joint_classes
    from masking.recoding.history import NEVER, Earlier, history_of

    folder = SHARED / "data" / "arx" / "adult"
    if not folder.is_dir():
        print("composition: no outside data (OPENDATA_SHARED), skipped")
        return
    adult = pl.read_csv(folder / "adult.csv", separator=";", infer_schema=False)
    names = adult.columns
    trees = {name: as_hierarchy(folder / f"adult_hierarchy_{name}.csv") for name in names}
    adult = adult.with_columns(pl.int_range(pl.len()).cast(pl.String).alias("id"))
    new = np.random.default_rng(0).permutation(adult.height)[: adult.height // 100]
    old = adult.filter(~pl.int_range(pl.len()).is_in(new))

    def timed(table: pl.DataFrame, k: int, earlier: list[Any]) -> tuple[masking.Masked, float]:
        start = time.process_time()
        made = masking.anonymize(table, trees, {"k_anonymity": k}, unit="id", earlier=earlier)
        return made, time.process_time() - start

    first, _ = timed(old, 5, [])
    naive, naive_s = timed(adult, 10, [])
    held, held_s = timed(adult, 10, [first])
    editions = [Earlier.of_persons(first.table, names, "id", Limits(k_anonymity=5))]
    history = history_of(adult["id"], adult.height, editions, Limits(k_anonymity=10))
    code = dict(zip(adult["id"], history.codes.tolist(), strict=True))
    found = []
    for made in (held, naive):
        codes = np.array([code[person] for person in made.table["id"]])
        joint = joint_classes(made.table, names, codes, k=5, totals=history.present + history.away)
        alone = joint_classes(made.table.filter(pl.Series(codes == NEVER)), names, codes[codes == NEVER], k=2)
        found.append((joint, 100 * joint.below / joint.persons, 100 * alone.below / max(1, alone.persons)))
    (ours, below, alone), (theirs, naive_below, naive_alone) = found
    yield Measured("joint minimum class, k=5 then k=10 / naive", ours.smallest, theirs.smallest, "persons", ">= 5")
    yield Measured("persons in joint classes below 5 / naive", below, naive_below, "%", "0")
    yield Measured("newcomers that stand alone / naive", alone, naive_alone, "%", "0")
    detail = [made.report.recoding.granularity for made in (held, naive)]
    yield Measured(f"granularity, {detail[1] - detail[0]:.4f} lost / naive", *detail, "", "<= 0.02 lost")
    yield Measured("CPU time of the second edition / naive", held_s, naive_s, "s")
