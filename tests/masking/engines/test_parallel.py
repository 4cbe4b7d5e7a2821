"""Batches on all cores: the same table for any batch size and any number of workers, bounded, ended early, never half."""

import concurrent.futures
import multiprocessing
import os
import signal
import threading
import traceback

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from masking.engines import local, processes
from masking.engines.local import apply_stream, compile, run  # noqa: A004
from masking.engines.parallel import in_order, recut
from masking.engines.plan import Plan
from masking.errors import Cancelled, InvalidValue, WorkerLost
from masking.keys import MappingKeys
from masking.policy.load import load

KEYS = MappingKeys({"k": bytes(range(32))})
SECRET = "13800000000"
POLICY = """version: 1
dataset: visits
attributes:
  id: {role: direct_identifier, technique: cryptographic.ff1, key: k, on_invalid: token}
  name: {role: direct_identifier, technique: pseudonymization.keyed, key: k}
  age: {role: quasi_identifier, technique: generalization.bands, width: 10}
  city: {role: quasi_identifier, technique: suppression.mask, keep_first: 1}
  ill: {role: sensitive, technique: keep}
limits: {k_anonymity: 2, suppression: 0.9}
"""
TEXT = """version: 1
dataset: calls
attributes:
  note: {role: insensitive, technique: text.redact}
  number: {role: insensitive, technique: keep}
"""
MASKED = TEXT.replace("text.redact", "suppression.mask, keep_first: 1")


def visits(rows):
    serial = range(rows)
    return pa.table(
        {
            "id": [str(10**17 + 7919 * n) if n % 50 else f"x{n}" for n in serial],
            "name": [None if n % 13 == 0 else f"人{n % 97}" for n in serial],
            "age": pa.array([n % 80 for n in serial], pa.int64()),
            "city": pa.array(["北京", "衢州", "B"])
            .dictionary_encode()
            .take(pa.array([n % 3 for n in serial], pa.int64())),
            "ill": ["xyz"[n % 3] for n in serial],
        }
    )


def calls(rows):
    return pa.table({"note": [f"请回拨{SECRET}，第{n}次" for n in range(rows)], "number": list(range(rows))})


def masked(policy, table, size, workers):
    out = []
    report = apply_stream(
        load(policy),
        lambda: table.to_reader(max_chunksize=size),
        KEYS,
        lambda reader: out.append(reader.read_all()),
        workers=workers,
    )
    return out[0].combine_chunks(), report


@pytest.fixture
def small_batches(monkeypatch):
    """Runs of a few thousand records have many batches."""
    monkeypatch.setattr(local, "BATCH_ROWS", 64)
    monkeypatch.setattr(local, "_TEXT_ROWS", 64)


@pytest.fixture
def in_processes(monkeypatch):
    """Any plan runs in processes, which start sooner without what detects identifiers in texts."""
    monkeypatch.setattr(Plan, "holds_gil", property(lambda _: True))


@given(
    rows=st.integers(100, 200),
    size=st.integers(5, 120),
    workers=st.integers(1, 4),
    batch=st.integers(5, 80),
    limited=st.booleans(),
)
@example(rows=100, size=1, workers=3, batch=100, limited=True)
@example(rows=100, size=100, workers=3, batch=1, limited=True)
@settings(max_examples=12, deadline=None)
def test_whole_equals_chunked_equals_many_workers(rows, size, workers, batch, limited):
    policy = POLICY if limited else POLICY.split("limits", maxsplit=1)[0]
    whole, expected = masked(policy, visits(rows), rows, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "BATCH_ROWS", batch)
        table, report = masked(policy, visits(rows), size, workers)
    assert table.equals(whole)
    assert report == expected


def test_an_empty_table_needs_no_worker():
    table, report = masked(POLICY, visits(0), 1, 4)
    assert (table.num_rows, report.rows_in) == (0, 0)


@pytest.mark.usefixtures("small_batches")
def test_plain_python_runs_in_processes_and_gives_the_same():
    table = calls(500)
    assert compile(load(TEXT), table.schema, None).holds_gil
    alone, _ = masked(TEXT, table, 1000, 1)
    together, _ = masked(TEXT, table, 100, 2)
    assert together.equals(alone)
    assert SECRET not in str(together.to_pydict())
    assert together["number"].to_pylist() == list(range(500))


def test_a_plan_runs_in_a_spawn_pool():
    """What a cluster engine would do: pickled plan and batches, fresh interpreters."""
    table = visits(300)
    plan = compile(load(POLICY), table.schema, KEYS)
    batches = table.to_batches(max_chunksize=100)
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=spawn) as pool:
        there = list(pool.map(plan.mask_batch, batches))
    assert there == [plan.mask_batch(batch) for batch in batches]


@pytest.mark.usefixtures("small_batches", "in_processes")
def test_a_worker_that_dies_is_one_clear_error_and_no_output(monkeypatch):
    ended = []

    def killed(self, plan, count):
        original(self, plan, count)
        os.kill(self._all[0]._process.pid, signal.SIGKILL)

    original = processes.Children.__init__
    monkeypatch.setattr(processes.Children, "__init__", killed)
    with pytest.raises(WorkerLost, match="nothing was written"):
        apply_stream(
            load(MASKED), lambda: calls(2000).to_reader(), None, lambda r: ended.append(r.read_all()), workers=2
        )
    assert not ended


@pytest.mark.usefixtures("small_batches", "in_processes")
def test_errors_of_a_process_arrive_with_their_records_and_without_values():
    policy = MASKED.replace("technique: keep", "technique: generalization.date, to: year")
    table = pa.table({"note": ["x"] * 300, "number": ["2020-01-01"] * 299 + [SECRET]})
    with pytest.raises(InvalidValue) as refused:
        masked(policy, table, 300, 2)
    assert refused.value.first_rows == (299,)
    assert SECRET not in "".join(traceback.format_exception(refused.value))


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("workers", [1, 2])
def test_refused_records_are_counted_from_the_start_by_any_number_of_workers(workers):
    policy = "version: 1\ndataset: d\nattributes:\n  day: {role: quasi_identifier, technique: generalization.date, to: year}\n"
    with pytest.raises(InvalidValue) as refused:
        masked(policy, pa.table({"day": ["2020-01-01"] * 500 + [SECRET] * 2}), 64, workers)
    assert refused.value.first_rows[0] == 500


def children_left():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("masking")]


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("how", ["threads", "processes"])
def test_a_sink_that_fails_ends_everything(request, how):
    if how == "processes":
        request.getfixturevalue("in_processes")

    def sink(reader):
        reader.read_next_batch()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        apply_stream(load(POLICY), lambda: visits(1000).to_reader(), KEYS, sink, workers=2)
    assert not children_left()


@pytest.mark.usefixtures("small_batches", "in_processes")
def test_cancel_within_the_time_of_a_batch():
    """Counted in batches, not seconds: of 3,000 only those in flight are still finished."""
    seen = []

    def cancelled():
        return len(seen) > 3

    def progress(stage, rows):
        del stage
        seen.append(rows)

    table = calls(200_000)
    with pytest.raises(Cancelled):
        apply_stream(
            load(MASKED),
            lambda: table.to_reader(),
            None,
            lambda r: r.read_all(),
            workers=2,
            progress=progress,
            cancelled=cancelled,
        )
    assert seen[-1] < 64 * 100
    assert not children_left()


def test_only_a_few_items_are_in_flight():
    """However slow the reader of the results is."""
    taken = []

    def source():
        for number in range(100):
            taken.append(number)
            yield number

    given = 0
    for result in in_order(source(), lambda number: number * 2, workers=3, check=lambda: None):
        assert result == 2 * given
        given += 1
        assert len(taken) <= given + 3 + 1
    assert given == 100


def test_readers_and_sinks_stay_in_the_callers_thread(small_batches):
    del small_batches
    threads = set()
    table = visits(2000)

    def batches():
        for batch in table.to_batches(max_chunksize=100):
            threads.add(threading.current_thread())
            yield batch

    def sink(reader):
        threads.add(threading.current_thread())
        reader.read_all()

    apply_stream(
        load(POLICY), lambda: pa.RecordBatchReader.from_batches(table.schema, batches()), KEYS, sink, workers=3
    )
    assert threads == {threading.main_thread()}


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 40))
@settings(max_examples=50, deadline=None)
def test_recut_keeps_records_and_order(sizes, rows):
    whole = pa.table({"a": list(range(sum(sizes))), "b": pa.array(["x", "y"] * sum(sizes))[: sum(sizes)]})
    batches, start = [], 0
    for size in sizes:
        part = whole.slice(start, size)
        encoded = part.set_column(1, "b", part["b"].combine_chunks().dictionary_encode())
        batches += encoded.to_batches()
        start += size
    cut = list(recut(batches, rows))
    assert all(0 < batch.num_rows <= rows for batch in cut)
    assert [value for batch in cut for value in batch["a"].to_pylist()] == whole["a"].to_pylist()
    assert [value for batch in cut for value in batch["b"].to_pylist()] == whole["b"].to_pylist()
    assert len(cut) <= len([size for size in sizes if size]) + 4 * sum(sizes) // rows + 1


@pytest.mark.parametrize("technique", ["suppression.mask, keep_first: 1", "pseudonymization.keyed, key: k"])
def test_a_dictionary_is_masked_by_value_with_the_same_result(technique):
    policy = f"version: 1\ndataset: d\nattributes:\n  a: {{role: quasi_identifier, technique: {technique}}}\n"
    plain = pa.table({"a": ["北京", "衢州", None, "北京"] * 50})
    encoded = pa.table({"a": plain["a"].combine_chunks().dictionary_encode()})
    one, two = (compile(load(policy), table.schema, KEYS) for table in (plain, encoded))
    expected = run(one, plain.to_reader()).read_all()
    assert run(two, encoded.to_reader()).read_all().equals(expected)


def test_rejects_of_a_dictionary_are_counted_by_record():
    policy = (
        "version: 1\ndataset: d\nattributes:\n"
        "  a: {role: direct_identifier, technique: cryptographic.ff1, key: k, on_invalid: 'null'}\n"
    )
    table = pa.table({"a": pa.array(["123456789", "x"] * 50).dictionary_encode()})
    done, report = masked(policy, table, 1000, 1)
    assert report.attributes[0].rejects == 50
    assert done["a"].null_count == 50
