"""Privacy models on Adult (30,162 records) against pycanon, each in its own process, CPU seconds a check.

Text in, as pycanon gets it: k over all nine columns; l and t of the occupation over the other eight. pycanon's checks of
t take so long that one run must do; all others are medians. Ours and pycanon's answers are compared first.
"""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Callable, Iterator

import polars as pl

from tests.benchmarks.measured import PEERS, Measured, rate
from tests.conftest import SHARED

PYCANON = """
import json, sys, time
import pandas as pd
from pycanon import anonymity
frame = pd.read_csv(sys.argv[1], sep=";", dtype=str)
quasi = [name for name in frame.columns if name != "occupation"]
checks = {
    "k": (3, lambda: anonymity.k_anonymity(frame, list(frame.columns))),
    "l": (3, lambda: anonymity.l_diversity(frame, quasi, ["occupation"])),
    "t": (1, lambda: anonymity.t_closeness(frame, quasi, ["occupation"])),
}
found = {}
for name, (runs, check) in checks.items():
    times = []
    for _ in range(runs):
        start = time.process_time()
        answer = float(check())
        times.append(time.process_time() - start)
    found[name] = [answer, times]
print(json.dumps(found))
"""


def checks() -> Iterator[Measured]:
    """k, l and t on text in pandas and Arrow; k on columns of categories."""
    from masking.measures import k_anonymity, l_diversity, t_closeness

    path = SHARED / "data" / "arx" / "adult" / "adult.csv"
    if not path.exists():
        print("models: no outside data (OPENDATA_SHARED), skipped")
        return
    text = pl.read_csv(path, separator=";", infer_schema=False).rechunk()
    quasi, everything = [name for name in text.columns if name != "occupation"], text.columns
    done = subprocess.run([str(PEERS), "-c", PYCANON, str(path)], capture_output=True, text=True, check=True)
    peer = json.loads(done.stdout.splitlines()[-1])
    frames = {"pandas": text.to_pandas(), "Arrow": text.to_arrow()}
    categories = text.to_arrow()
    for place, name in enumerate(everything):
        categories = categories.set_column(place, name, categories[name].combine_chunks().dictionary_encode())
    asked: list[tuple[str, str, str, Callable[[], float]]] = []
    for kind, frame in frames.items():
        asked += [
            ("k", f"k-anonymity, text in {kind}", ">= 40", lambda frame=frame: k_anonymity(frame, everything)),
            (
                "l",
                f"l-diversity, text in {kind}",
                ">= 100",
                lambda frame=frame: l_diversity(frame, quasi, "occupation"),
            ),
            (
                "t",
                f"t-closeness, text in {kind}",
                ">= 100",
                lambda frame=frame: t_closeness(frame, quasi, "occupation"),
            ),
        ]
    asked.append(("k", "k-anonymity, categories in Arrow", ">= 100", lambda: k_anonymity(categories, everything)))
    for model, what, target, check in asked:
        answer, times = peer[model]
        assert abs(check() - answer) <= 1e-9, f"{what}: ours and pycanon's answers differ"
        yield Measured(f"{what} / pycanon", rate(check, 1, runs=9), 1 / statistics.median(times), "/s", target)
