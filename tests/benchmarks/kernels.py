"""Single columns: tokens, format-preserving encryption, masks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tests.benchmarks.measured import PEERS, ROOT, RUNS, Measured, peer_rate, rate

ROWS = 1_000_000


def numbers(count: int, digits: int) -> pa.Array:
    """Distinct strings of digits."""
    start = 10 ** (digits - 1)
    return pa.array(np.arange(start, start + count).astype(str))


def keyed_token() -> Iterator[Measured]:
    """pseudonymization.keyed against an hmac loop."""
    import hmac

    from masking.keys import as_keys
    from masking.techniques.base import get

    values = numbers(ROWS, 18)
    technique = get("pseudonymization.keyed").build({}, attribute="id", key="k", keys=as_keys({"k": b"k" * 32}))
    few = values.slice(0, 100_000).to_pylist()
    loop = rate(lambda: [hmac.new(b"k" * 32, value.encode(), "sha256").hexdigest()[:16] for value in few], len(few))
    ours = rate(lambda: technique.apply(values), len(values), runs=9)
    yield Measured("keyed token, 1 M x 18 digits / hmac loop", ours, loop, "v/s", ">= 40")


def ff1() -> Iterator[Measured]:
    """FF1 on a column against ff3, one value at a time, and against ten AES blocks a value."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    from masking.techniques.cryptographic import FF1

    values = numbers(ROWS, 18)
    cipher = FF1(b"k" * 16, 10)
    program = (
        "import json, time\nfrom ff3 import FF3Cipher\n"
        "cipher = FF3Cipher('6b' * 16, '00' * 7)\nvalues = [str(10**17 + i) for i in range(20000)]\ntimes = []\n"
        f"for _ in range({RUNS}):\n    start = time.process_time()\n    [cipher.encrypt(v) for v in values]\n"
        "    times.append(time.process_time() - start)\nprint(json.dumps(times))"
    )
    ours = rate(lambda: cipher.encrypt(values), len(values), runs=9)
    yield Measured("FF1, 1 M x 18 digits / ff3", ours, peer_rate(program, 20_000), "v/s", ">= 600")
    chunk, out = bytes(16 << 14), bytearray((16 << 14) + 16)
    into = Cipher(algorithms.AES(b"k" * 16), modes.ECB()).encryptor().update_into
    rounds = 10 * ROWS // (1 << 14)
    bound = rate(lambda: [into(chunk, out) for _ in range(rounds)], rounds * (1 << 14) // 10, runs=9)
    yield Measured("FF1, 1 M x 18 digits / bound of 10 AES blocks a value", ours, bound, "v/s", ">= 0.18")


def resident_id() -> Iterator[Measured]:
    """pseudonymization.resident_id against FF1 on as many strings of 18 digits."""
    from masking.detection.invented import resident_ids
    from masking.keys import as_keys
    from masking.techniques.base import get
    from masking.techniques.cryptographic import FF1

    random = np.random.default_rng(1)
    ids = pa.array(resident_ids(random.integers(1930, 2020, ROWS), random.integers(0, 2, ROWS) == 1, seed=1))
    values, cipher = numbers(ROWS, 18), FF1(b"k" * 16, 10)
    peer = rate(lambda: cipher.encrypt(values), ROWS, runs=9)
    for keep in ([], ["province", "birth_year", "gender"]):
        technique = get("pseudonymization.resident_id").build(
            {"keep": keep}, attribute="id", key="k", keys=as_keys({"k": b"k" * 32})
        )
        ours = rate(lambda technique=technique: technique.apply(ids), ROWS, runs=9)
        what = f"resident ID, 1 M{', 3 parts kept' if keep else ''} / FF1, 18 digits"
        yield Measured(what, ours, peer, "v/s", ">= 0.4")


COMPILED = """
import json, statistics, sys, time
sys.path.insert(0, %r)
import numpy as np, pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from masking.techniques import ff1
assert ff1.compiled_kernel() is not None
cipher, rows, runs = ff1.FF1(b"k" * 16, 10), 1_000_000, 9
values = pa.array(np.arange(10**17, 10**17 + rows)).cast(pa.string())
fast = cipher.encrypt(values)
kernel, ff1.compiled_kernel = ff1.compiled_kernel, lambda: None
assert cipher.encrypt(values).equals(fast), "the compiled kernel gives other values"
ff1.compiled_kernel = kernel
into = Cipher(algorithms.AES(b"k" * 16), modes.ECB()).encryptor().update_into
chunk, out, rounds = bytes(16 << 14), bytearray((16 << 14) + 16), 10 * rows // (1 << 14)

def rate(work, items):
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return items / statistics.median(times)

ours = rate(lambda: cipher.encrypt(values), rows)
print(json.dumps([ours, rate(lambda: [into(chunk, out) for _ in range(rounds)], rounds * (1 << 14) // 10)]))
"""


def ff1_compiled() -> Iterator[Measured]:
    """The same with the optional compiled kernel (numba, in the peers' environment), equal to the pure one."""
    program = COMPILED % str(ROOT)
    done = subprocess.run([str(PEERS), "-c", program], capture_output=True, text=True, check=True)
    ours, bound = json.loads(done.stdout.splitlines()[-1])
    yield Measured("FF1 compiled (numba) / bound of 10 AES blocks a value", ours, bound, "v/s", ">= 0.35")


def mask() -> Iterator[Measured]:
    """suppression.mask against the bare polars expression."""
    import polars as pl

    from masking.techniques.base import get

    values = numbers(ROWS, 11)
    technique = get("suppression.mask").build({"keep_first": 3, "keep_last": 4}, attribute="phone", keys=None)
    expression = pl.concat_str(pl.col("x").str.head(3), pl.lit("****"), pl.col("x").str.tail(4))

    def bare() -> object:
        series = pl.from_arrow(values)
        assert isinstance(series, pl.Series)
        return series.to_frame("x").select(expression).to_series().to_arrow()

    peer = rate(bare, len(values), runs=9)
    ours = rate(lambda: technique.apply(values), len(values), runs=9)
    yield Measured("mask, 1 M x 11 digits / bare polars expression", ours, peer, "v/s", ">= 0.9")
