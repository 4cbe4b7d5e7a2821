"""A run that ends early, however it ends, leaves no output and nothing that the next one trips over."""

import fcntl
import os
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pytest

from masking.errors import BadFile
from masking.table import FORMATS, open_table, write_table

TABLE = pa.table({"a": ["x"] * 1000, "b": list(range(1000))})
PROGRAM = """
import sys, time
import numpy as np, pyarrow as pa
from masking.engines.local import apply_stream
from masking.policy.load import load
from masking.table import write_table

policy = load('''version: 1
dataset: d
attributes:
  a: {role: insensitive, technique: keep}
''')

def batches():
    for number in range(1000):
        print(number, flush=True)
        yield pa.record_batch({"a": np.random.default_rng(number).random(20_000)})
        time.sleep(0.01)

def reader():
    return pa.RecordBatchReader.from_batches(pa.schema([("a", pa.float64())]), batches())

apply_stream(policy, reader, None, lambda masked: write_table(masked, sys.argv[1]) and None)
"""


@pytest.mark.parametrize("batches", [0, 5, 40])
def test_a_killed_run_leaves_no_output_and_the_next_one_cleans_up(tmp_path, batches):
    path = tmp_path / "out.parquet"
    path.write_bytes(b"old")
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE)
    for _ in range(batches):
        assert process.stdout.readline()
    time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert path.read_bytes() == b"old"
    write_table(TABLE, path)
    assert os.listdir(tmp_path) == [path.name]
    assert open_table(path).read_all().equals(TABLE)


def test_only_what_dead_runs_left_is_removed(tmp_path):
    path = tmp_path / "t.csv"
    dead, alive, other = (tmp_path / name for name in (".t.csv.dead.part", ".t.csv.alive.part", ".u.csv.dead.part"))
    for part in (dead, alive, other):
        part.write_bytes(b"half")
    with alive.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        write_table(TABLE, path)
    assert sorted(os.listdir(tmp_path)) == [".t.csv.alive.part", ".u.csv.dead.part", "t.csv"]


@pytest.mark.parametrize("call", ["fcntl.flock", "os.path.exists", "os.replace"])
def test_stopped_at_any_moment_it_leaves_nothing(tmp_path, monkeypatch, call):
    """The file is there before its first lock: a signal may come between them. The control: it is there then."""
    seen = []

    def stopped(*_arguments, **_options):
        seen.extend(os.listdir(tmp_path))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(call, stopped)
        with pytest.raises(KeyboardInterrupt):
            write_table(TABLE, tmp_path / "t.csv")
    assert [name.startswith(".t.csv.") for name in seen] == [True]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", FORMATS)
def test_a_full_disk_leaves_nothing(tmp_path, kind):
    """The process may not write files over 64 KiB."""
    program = (
        "import resource, signal, sys, numpy, pyarrow\n"
        "from masking.table import write_table\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))\n"
        "table = pyarrow.table({'a': numpy.random.default_rng(1).random(50_000)})\n"
        "try:\n    write_table(table, sys.argv[1])\nexcept Exception as error:\n    print(type(error).__name__)\n"
    )
    path = tmp_path / f"t.{kind}"
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    assert done.stdout.strip(), done.stderr
    assert os.listdir(tmp_path) == []


def test_outputs_that_are_no_files_are_refused(tmp_path):
    target = tmp_path / "target.csv"
    target.write_bytes(b"old")
    (tmp_path / "link.csv").symlink_to(target)
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "fifo.csv")
    for name in ("link.csv", "folder.csv", "fifo.csv"):
        with pytest.raises(BadFile, match="name a file"):
            write_table(TABLE, tmp_path / name)
    with pytest.raises(BadFile, match="name a file"):
        write_table(TABLE, "/dev/null", format="csv")
    with pytest.raises(BadFile, match="no such folder"):
        write_table(TABLE, tmp_path / "none" / "t.csv")
    assert target.read_bytes() == b"old"


def test_inputs_that_are_no_files_are_refused_at_once(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "fifo.csv")
    (tmp_path / "device.csv").symlink_to("/dev/zero")
    (tmp_path / "nowhere.csv").symlink_to(tmp_path / "none")
    for name in ("folder.csv", "fifo.csv", "device.csv"):
        with pytest.raises(BadFile, match="not a regular file"):
            open_table(tmp_path / name)
    with pytest.raises(BadFile, match="no such file"):
        open_table(tmp_path / "nowhere.csv")
    (tmp_path / "good.csv").write_bytes(b"a\n1\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "good.csv")
    assert open_table(tmp_path / "link.csv").read_all().num_rows == 1
