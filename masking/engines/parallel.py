"""
Batches on all cores, in order, with a bounded number of them in flight.

Threads do: the kernels of numpy, Arrow, polars and AES let others run while they work. Techniques that are plain Python
(``Technique.holds_gil``) hold the interpreter, so those plans run in processes of their own
(``masking.engines.processes``), each driven by one of these threads.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

import pyarrow as pa

Item = TypeVar("Item")
Result = TypeVar("Result")

_POLL_S = 0.1


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def in_order(
    items: Iterable[Item], work: Callable[[Item], Result], *, workers: int, check: Callable[[], None]
) -> Generator[Result, None, None]:
    """
    Give ``work(item)`` for each item, in order; at most ``workers + 1`` of them are begun and not yet given.

    ``items`` is read by the caller's thread only (a database cursor belongs to one thread; a thread that read ahead was
    tried and cost a tenth more without being faster). ``check`` is called between items and while waiting: what it
    raises ends the run. Then, as after any error, work that has begun is waited for.
    """
    source = iter(items)
    if workers < 2:
        for item in source:
            check()
            yield work(item)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="masking") as pool:
        begun: deque[Future[Result]] = deque()
        try:
            while True:
                check()
                if len(begun) < workers + 1 and (following := next(source, None)) is not None:
                    begun.append(pool.submit(work, following))
                    continue
                if not begun:
                    return
                while not wait([begun[0]], timeout=_POLL_S).done:
                    check()
                yield begun.popleft().result()
        finally:
            for each in begun:
                each.cancel()


def recut(reader: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """
    The same records in batches of at most ``rows``, and of a quarter of that at least where there are so many.

    Sources cut as they like: a thousand records of a database cursor, or a whole row group of a million.
    """
    small: list[pa.RecordBatch] = []
    held = 0
    for batch in reader:
        if not small and batch.num_rows >= rows // 4:
            yield from _slices(batch, rows)
            continue
        small.append(batch)
        held += batch.num_rows
        if held >= rows // 4:
            yield from _slices(pa.concat_batches(small), rows)
            small, held = [], 0
    if held:
        yield from _slices(pa.concat_batches(small), rows)


def _slices(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)
