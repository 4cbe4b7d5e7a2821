"""A long command while it runs: how far it is, how fast, how long still; and how it is stopped.

Progress goes to standard error, if that is a terminal. Ctrl-C and a request to end (SIGTERM) stop a run between two
batches, so that threads, processes and half-written files are cleaned up; a second one stops it at once.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from masking.errors import Cancelled, MaskingError

if TYPE_CHECKING:
    from masking.engines.pace import Pace

STAGES: Final = {
    "fit": "通读 reading",
    "search": "搜索 searching",
    "measure": "度量 measuring",
    "write": "写出 writing",
}
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_ASKED_S: Final = 1.0
"""A run that asked so recently whether to stop will ask again soon; one that did not is stopped at once."""
_STOPPED: Final = "stopped; nothing was written"
_HEAD: Final = 1 << 20


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """What a run asks between batches: True once somebody wants it to stop. It ends as ``Cancelled`` then."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    stop, asked = False, 0.0
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal stop
        if stop or time.monotonic() - asked > _ASKED_S:
            raise KeyboardInterrupt
        stop = True

    def cancelled() -> bool:
        nonlocal asked
        asked = time.monotonic()
        return stop

    for number in _SIGNALS:
        signal.signal(number, handle)
    try:
        yield cancelled
    except KeyboardInterrupt:
        raise Cancelled(_STOPPED) from None
    except MaskingError:  # of the run itself, or of a worker that was stopped too
        if stop:
            raise Cancelled(_STOPPED) from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_after(seconds: float | None) -> Callable[[], bool] | None:
    """What a search asks often: True once it has run so many seconds, counted from the first time that it asks."""
    if seconds is None:
        return None
    began: float | None = None

    def stop() -> bool:
        nonlocal began
        now = time.monotonic()
        began = now if began is None else began
        return now - began >= seconds

    return stop


@contextmanager
def pace(label: str, stages: Sequence[str], total: int | None) -> Iterator[Callable[[str, int], None]]:
    """Show what a run tells of itself: records, records a second, the time still needed.

    ``total`` records go through each stage; None: not known, then no time is shown.
    """
    if not sys.stderr.isatty():
        yield lambda _stage, _rows: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    from masking.engines.pace import Meter

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), TextColumn("{task.fields[said]}"))
    meter = Meter(tuple(stages), total, time.monotonic())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total, said="")

        def tell(stage: str, rows: int) -> None:
            now = meter.at(stage, rows, time.monotonic())
            bar.update(task, description=STAGES.get(stage, label), completed=rows, said=in_words(now))

        yield tell


def in_words(pace: Pace) -> str:
    """Where a run is, for people.

    >>> from masking.engines.pace import Pace
    >>> in_words(Pace("write", 1_200_000, 400_000.0, 125.0))
    '1,200,000 行 rows · 400,000/s · 约余 left 2:05'
    """
    said = f"{pace.rows:,} 行 rows · {pace.rate:,.0f}/s"
    if pace.remaining_s is None:
        return said
    minutes, seconds = divmod(round(pace.remaining_s), 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
    return f"{said} · 约余 left {clock}"


def records_in(path: Path) -> int | None:
    """How many records a file holds: as a Parquet file says, or estimated from the size of text; None: not known."""
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            import pyarrow as pa
            import pyarrow.parquet as pq

            try:
                return int(pq.read_metadata(path).num_rows)
            except (pa.ArrowException, ValueError):
                return None  # whoever opens it as a table says what is wrong
        if name.endswith((".csv", ".tsv", ".jsonl")):
            with path.open("rb") as file:
                head = file.read(_HEAD)
            lines = head.count(b"\n")
            return None if not lines else max(1, round(path.stat().st_size * lines / len(head)))
    except OSError:
        return None
    return None


def total_of(paths: Sequence[Path]) -> int | None:
    """The records of several files; None if one is not known."""
    counted: list[Any] = [records_in(path) for path in paths]
    return None if None in counted else sum(counted)
