"""A policy over seven columns (three FF1, two tokens, two masks) against presidio-structured with encrypt."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tests.benchmarks.measured import RUNS, Measured, peer_rate, rate

ROWS = 1_000_000
SEVEN = ("id", "mobile", "card", "credit_code", "email", "name", "address")
POLICY = """version: 1
dataset: seven
attributes:
  id: {role: direct_identifier, technique: cryptographic.ff1, key: k}
  mobile: {role: direct_identifier, technique: cryptographic.ff1, key: k}
  card: {role: direct_identifier, technique: cryptographic.ff1, key: k}
  credit_code: {role: direct_identifier, technique: pseudonymization.keyed, key: k}
  email: {role: direct_identifier, technique: pseudonymization.keyed, key: k}
  name: {role: quasi_identifier, technique: suppression.mask, keep_first: 1}
  address: {role: quasi_identifier, technique: suppression.mask, keep_first: 6}
"""
PEER = """
import json, logging, time, warnings
warnings.simplefilter("ignore"); logging.disable(50)
import pandas as pd
from presidio_anonymizer.entities import OperatorConfig
from presidio_structured import PandasDataProcessor, StructuredAnalysis, StructuredEngine
names, rows = %r, 5000
widths = dict(zip(names, (18, 11, 19, 18, 16, 3, 18)))
frame = pd.DataFrame({name: [str(10 ** (widths[name] - 1) + i) for i in range(rows)] for name in names})
analysis = StructuredAnalysis(entity_mapping={name: "X_" + name.upper() for name in names})
operators = {"X_" + name.upper(): OperatorConfig("encrypt", {"key": "k" * 16}) for name in names}
engine = StructuredEngine(data_processor=PandasDataProcessor())
times = []
for _ in range(%d):
    start = time.process_time()
    engine.anonymize(frame, analysis, operators)
    times.append(time.process_time() - start)
print(json.dumps(times))
"""


def table(rows: int) -> pa.RecordBatch:
    """Seven columns as wide as the real ones."""
    serial = np.arange(rows)
    numbers = {
        "id": 10**17 + serial * 7,
        "mobile": 13_000_000_000 + serial * 13,
        "card": 6_222_000_000_000_000_000 + serial * 17,
        "credit_code": 91_000_000_000_000_000 + serial,
    }
    columns = {name: pa.array(values).cast(pa.string()) for name, values in numbers.items()}
    columns["email"] = pa.array([f"user{n}@example{n % 90 + 10}.cn" for n in range(rows)])
    columns["name"] = pa.array(["张三丰", "李四", "欧阳修远", "王五"]).take(pa.array(serial % 4))
    columns["address"] = pa.array(
        ["浙江省衢州市柯城区府山街道新桥街108号", "江西省南昌市东湖区八一大道12号3单元501室"]
    ).take(pa.array(serial % 2))
    return pa.RecordBatch.from_pydict(columns)


def seven_columns() -> Iterator[Measured]:
    """Rows a CPU second of one process."""
    from masking.engines.local import compile as compile_plan
    from masking.keys import as_keys
    from masking.policy import load

    batch = table(ROWS)
    plan = compile_plan(load(POLICY), batch.schema, as_keys({"k": bytes(range(32))}))
    parts = [batch.slice(start, 1 << 16) for start in range(0, ROWS, 1 << 16)]
    ours = rate(lambda: [plan.mask_batch(part) for part in parts], ROWS)
    peer = peer_rate(PEER % (SEVEN, RUNS), 5000)
    yield Measured("7-column policy / presidio-structured with encrypt", ours, peer, "rows/s", ">= 100")
