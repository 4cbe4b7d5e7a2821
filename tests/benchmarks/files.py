"""File to file: the seven-column policy over a Parquet file against a plain Arrow copy of the same file.

Every run is a process of its own, ours and the copy in turn, so that neither profits from what the other left in memory.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.benchmarks.measured import ROOT, RUNS, Measured

ROWS = 4_000_000
BATCH = 1 << 16
SETTINGS: dict[str, Any] = {"compression": "zstd", "version": "2.6", "write_page_checksum": True}
POLICY = """version: 1
dataset: eleven
attributes:
  name: {role: quasi_identifier, technique: suppression.mask, keep_first: 1}
  id: {role: direct_identifier, technique: cryptographic.ff1, key: k}
  mobile: {role: direct_identifier, technique: cryptographic.ff1, key: k}
  email: {role: direct_identifier, technique: pseudonymization.keyed, key: k}
  address: {role: quasi_identifier, technique: suppression.mask, keep_first: 6}
  birthday: {role: insensitive, technique: keep}
  card: {role: direct_identifier, technique: cryptographic.ff1, key: k}
  credit_code: {role: direct_identifier, technique: pseudonymization.keyed, key: k}
  gender: {role: insensitive, technique: keep}
  salary: {role: insensitive, technique: keep}
  remark: {role: insensitive, technique: keep}
"""
OURS = """
import sys
from tests.benchmarks.files import mask
mask(sys.argv[1], sys.argv[2])
"""
COPY = """
import sys
from tests.benchmarks.files import copy
copy(sys.argv[1], sys.argv[2])
"""
_SURNAMES = list("王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高")
_GIVEN = list("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华建文辉力国")
_STREETS = [
    "浙江省衢州市柯城区府山街道新桥街", "江西省南昌市东湖区八一大道", "四川省成都市武侯区人民南路四段",
    "广东省深圳市南山区粤海街道科技园路", "河北省石家庄市长安区中山东路",
]  # fmt: skip
_REMARKS = ["家属电话", "请联系经办人李娜，手机", "转诊，原卡号尾号", "已电话回访，号码", "无异常，回执编号"]


def batches(rows: int, seed: int = 1) -> Iterator[pa.RecordBatch]:
    """Invented people: the widths, alphabets and repetitions of real columns, no two tables alike."""
    random = np.random.default_rng(seed)
    for start in range(0, rows, BATCH):
        count = min(BATCH, rows - start)

        def digits(low: int, high: int, count: int = count) -> pa.Array:
            return pa.array(random.integers(low, high, count)).cast(pa.string())

        def one_of(words: list[str], count: int = count) -> pa.Array:
            return pa.array(words).take(pa.array(random.integers(0, len(words), count)))

        def joined(*parts: Any) -> pa.Array:
            return pc.binary_join_element_wise(*parts, "")

        yield pa.RecordBatch.from_pydict(
            {
                "name": joined(one_of(_SURNAMES), one_of(_GIVEN), one_of([*_GIVEN, "", "", ""])),
                "id": digits(110101194901010010, 659001200612319999),
                "mobile": digits(13_000_000_000, 19_999_999_999),
                "email": joined("u", digits(10_000, 999_999_999), "@", one_of(["qq.com", "163.com", "example.cn"])),
                "address": joined(
                    one_of(_STREETS), digits(1, 999), "号", digits(1, 30), "单元", digits(101, 3305), "室"
                ),
                "birthday": pa.array(random.integers(-7000, 13000, count).astype(np.int32)).cast(pa.date32()),
                "card": digits(6_200_000_000_000_000_000, 6_299_999_999_999_999_999),
                "credit_code": joined("91", digits(110_000, 659_000), "MA", digits(10_000_000, 99_999_999)),
                "gender": one_of(["男", "女"]),
                "salary": pa.array(random.lognormal(9, 0.5, count).astype(np.int64)),
                "remark": joined(one_of(_REMARKS), digits(13_000_000_000, 19_999_999_999), "，", one_of(_STREETS)),
            }
        )


def make(path: Path, rows: int) -> None:
    """Write the test file."""
    stream = batches(rows)
    first = next(stream)
    with pq.ParquetWriter(path, first.schema, **SETTINGS) as writer:
        writer.write_batch(first)
        for batch in stream:
            writer.write_batch(batch)


def copy(source: str, target: str) -> None:
    """Copy a file with nothing but Arrow."""
    file = pq.ParquetFile(source)
    with pq.ParquetWriter(target, file.schema_arrow, **SETTINGS) as writer:
        for batch in file.iter_batches(batch_size=BATCH):
            writer.write_batch(batch)


def mask(source: str, target: str) -> None:
    """Mask a file as `masking apply` does."""
    from masking.engines.local import apply_stream
    from masking.keys import as_keys
    from masking.policy import load
    from masking.table import open_table, write_table

    def sink(reader: pa.RecordBatchReader) -> None:
        write_table(reader, target)

    apply_stream(load(POLICY), lambda: open_table(source), as_keys({"k": bytes(range(32))}), sink)


def used(program: str, source: Path, target: Path) -> tuple[float, float]:
    """CPU and wall seconds of a process that runs ``program``, its children and its start included."""
    timed = (
        "import os, resource, subprocess, sys, time\n"
        "start = time.monotonic()\nsubprocess.run(sys.argv[1:], check=True)\nwall = time.monotonic() - start\n"
        "usage = resource.getrusage(resource.RUSAGE_CHILDREN)\nprint(usage.ru_utime + usage.ru_stime, wall)"
    )
    command = [sys.executable, "-c", timed, sys.executable, "-c", program, str(source), str(target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    cpu, wall = map(float, done.stdout.split()[-2:])
    target.unlink()
    return cpu, wall


def file_to_file(rows: int = ROWS) -> Iterator[Measured]:
    """Rows a second, by CPU and by wall."""
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        source, target = Path(name, "in.parquet"), Path(name, "out.parquet")
        make(source, rows)
        runs = [(used(OURS, source, target), used(COPY, source, target)) for _ in range(RUNS)]
    for place, (what, target_ratio) in enumerate((("CPU", ">= 0.6"), ("wall", ">= 0.8"))):
        ours, peer = (rows / statistics.median(run[side][place] for run in runs) for side in (0, 1))
        yield Measured(f"file to file, {rows / 1e6:g} M x 11, {what} / Arrow copy", ours, peer, "rows/s", target_ratio)
