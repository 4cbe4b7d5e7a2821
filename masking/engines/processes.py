"""
Plans in processes of their own: for techniques that hold the interpreter while they work.

A child is a fresh interpreter that imports this module and nothing of the caller's program, gets the pickled plan
(derived keys included) through a socket that only the two of them hold, and answers one batch at a time. It ends when
its parent does. Nothing goes through arguments, environment or disk.
"""

import contextlib
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection, Pipe
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from masking.engines.plan import MaskedBatch, Plan
from masking.errors import MaskingError, WorkerLost

_PROGRAM = "import sys; sys.path[:] = {path!r}; from masking.engines.processes import serve; serve({descriptor})"


class Children:
    """``count`` processes that run one plan; ``run`` may be called by as many threads."""

    def __init__(self, plan: Plan, count: int) -> None:
        self._free: queue.SimpleQueue[_Child] = queue.SimpleQueue()
        self._all = [_Child(plan) for _ in range(count)]
        for child in self._all:
            self._free.put(child)

    def run(self, batch: pa.RecordBatch) -> MaskedBatch:
        """
        Do what ``Plan.run`` does, in a process.

        Raises:
            WorkerLost: the process died.

        """
        child = self._free.get()
        try:
            return child.run(batch)
        finally:
            self._free.put(child)

    def close(self) -> None:
        """End all processes, whatever they are doing."""
        for child in self._all:
            child.close()


@contextlib.contextmanager
def children(plan: Plan, count: int) -> Iterator[Children]:
    """Start them and end them."""
    made = Children(plan, count)
    try:
        yield made
    finally:
        made.close()


def serve(descriptor: int) -> None:
    """Answer batches until the parent is gone: what a child does."""
    # Whatever a library prints goes where errors go.
    os.dup2(2, 1)
    with Connection(descriptor) as connection, contextlib.suppress(EOFError, BrokenPipeError):
        plan: Plan = connection.recv()
        while True:
            connection.send(_answer(plan, _unpacked(connection.recv_bytes())))


def _answer(plan: Plan, batch: pa.RecordBatch) -> Any:
    try:
        done = plan.run(batch)
        return _packed(done.masked), done.rejects, done.stay
    except MaskingError as error:
        error.__traceback__ = error.__context__ = None
        return error
    except Exception as error:  # noqa: BLE001  its message may quote a cell: only its kind goes back
        return AssertionError(f"the plan failed ({type(error).__name__})")


def _packed(batch: pa.RecordBatch) -> bytes:
    """The batch and nothing of what it was cut from, which pickling its buffers would send along."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def _unpacked(data: bytes) -> pa.RecordBatch:
    return pa.ipc.open_stream(data).read_next_batch()


class _Child:
    def __init__(self, plan: Plan) -> None:
        self._connection, theirs = Pipe()
        descriptor = theirs.fileno()
        program = _PROGRAM.format(path=sys.path, descriptor=descriptor)
        # Ctrl-C reaches every process of a terminal, but it is for the parent, which ends its children.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program], pass_fds=[descriptor], stdin=subprocess.DEVNULL
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()
        self._plan: Plan | None = plan

    def run(self, batch: pa.RecordBatch) -> MaskedBatch:
        try:
            if self._plan is not None:
                self._connection.send(self._plan)
                self._plan = None
            self._connection.send_bytes(_packed(batch))
            answer = self._connection.recv()
        except (EOFError, OSError):
            raise WorkerLost("a worker process ended before its work was done; nothing was written") from None
        if isinstance(answer, BaseException):
            raise answer
        masked, rejects, stay = answer
        kept = batch if stay is None or stay.all() else batch.filter(pa.array(stay))
        return MaskedBatch(kept, _unpacked(masked), rejects, batch.num_rows, stay)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._connection.close()
