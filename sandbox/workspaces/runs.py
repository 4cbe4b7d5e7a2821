"""Running one job in a jail: data in through pipes, output back through a pipe, nothing of it on a disk.

The raw table is decrypted by the caller's feeder and written straight into the launcher's file descriptor; the
output is read into bounded memory. A feeder that fails makes the whole run fail: half a table is never computed on.
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa

from sandbox.contracts import PARSE_LIMITS, BadContract, JobResult, JobSpec, Limits, ParsedOutput
from sandbox.errors import LauncherAway, LauncherBusy
from sandbox.execution.client import Launcher
from sandbox.inside.output import ERROR_FILE

Feeder = Callable[[BinaryIO], None]
BUSY_PAUSE_S: Final = 2.0
BUSY_TRIES: Final = 5400
"""Three hours: several quiet times of the host may come before a job's turn."""
AWAY_S: Final = 60.0
"""How long a launcher may be away, in seconds: the supervisor starts a killed one again within a few."""
BROKEN_RUNS: Final = 3
"""After so many runs that ended with the launcher no more are tried: the job itself may be what kills it."""
MAX_NOTEBOOK_BYTES: Final = 8_000_000
MAX_LOG: Final = 4000
EXECUTED: Final = "executed.ipynb"
MAX_ERROR_BYTES: Final = 64 * 1024
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class RunOutput:
    """How a run ended and what it wrote: a hostile tar."""

    result: JobResult
    content: bytes = field(repr=False)


def run_job(
    launcher: Launcher,
    spec: JobSpec,
    inputs: Sequence[tuple[str, Feeder]],
    *,
    waiting: Callable[[], None] = lambda: None,
) -> RunOutput:
    """Run ``spec`` with each input written by its feeder, in order; wait for a free place.

    A run that ended with a killed launcher is run again by the next one. ``waiting`` is called between tries and while
    it runs; it may raise to give up, which kills the jail.

    Raises SandboxUnavailable, LauncherRefused, or whatever a feeder raised.
    """
    broken, away_since = 0, None
    for _ in range(BUSY_TRIES):
        try:
            return _run_once(launcher, spec, inputs, waiting)
        except LauncherBusy:
            away_since = None
        except LauncherAway as error:
            now = time.monotonic()
            broken += error.broke_off
            away_since = now if away_since is None or error.broke_off else away_since
            if broken == BROKEN_RUNS or now - away_since > AWAY_S:
                raise
        waiting()
        time.sleep(BUSY_PAUSE_S)
    raise LauncherBusy("沙箱一直没有空位。", "There was no free place in the sandbox for a long time.")


def parse_output(
    launcher: Launcher, spec_id: str, workspace: str, tar: bytes, *, sealed: bool = False
) -> ParsedOutput | None:
    """The typed tables in a job's tar, parsed in the check jail. None when the parser was beaten by its input.

    ``sealed``: what a sealed job wrote, parsed within its quiet time; everything else waits until that is over.
    """
    spec = JobSpec(
        id=spec_id,
        workspace=workspace,
        kind="parse",
        entry="outputs.tar",
        limits=PARSE_LIMITS,
        sealed_output=sealed,
    )
    run = run_job(launcher, spec, [("/job/outputs.tar", feed_bytes(tar))])
    if run.result.state != "ok":
        return None
    try:
        return ParsedOutput.from_json(run.content)
    except BadContract:
        return None


def pack_single(name: str, content: bytes) -> bytes:
    """A tar that looks like a job's output with one file: what `.check` sends through the same parser."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo(f"out/{name}")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return sink.getvalue()


def executed_notebook(tar: bytes) -> dict[str, Any] | None:
    """The executed notebook in a job's tar, if it is there, small and JSON. For people only; nothing parses it on."""
    try:
        document = json.loads(_member(tar, EXECUTED, MAX_NOTEBOOK_BYTES) or b"null")
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def error_of(tar: bytes) -> str:
    """What the code of a dry run said when it failed: its traceback's end. Never asked of a sealed run."""
    return notebook_error(executed_notebook(tar)) or script_error(tar)


def script_error(tar: bytes) -> str:
    """The end of what a script of a dry run said when it failed, as plain text, bounded; empty when there is none."""
    said = (_member(tar, ERROR_FILE, MAX_ERROR_BYTES) or b"").decode(errors="replace")
    return _plain(said).strip()[-MAX_LOG:]


def notebook_error(document: dict[str, Any] | None) -> str:
    """The first error of an executed notebook as plain text, bounded; empty when there is none."""
    for cell in (document or {}).get("cells") or []:
        outputs = cell.get("outputs") if isinstance(cell, dict) else None
        for output in outputs if isinstance(outputs, list) else []:
            if isinstance(output, dict) and output.get("output_type") == "error":
                trace = output.get("traceback")
                lines = [str(line) for line in trace] if isinstance(trace, list) else []
                text = "\n".join(lines) or f"{output.get('ename')}: {output.get('evalue')}"
                return _plain(text)[-MAX_LOG:]
    return ""


def feed_bytes(content: bytes) -> Feeder:
    """A feeder of bytes in memory."""

    def feed(sink: BinaryIO) -> None:
        sink.write(content)

    return feed


def feed_file(path: Path) -> Feeder:
    """A feeder of a file of practice data."""

    def feed(sink: BinaryIO) -> None:
        with path.open("rb") as source:
            while chunk := source.read(1 << 20):
                sink.write(chunk)

    return feed


def feed_parquet(open_reader: Callable[[], Any]) -> Feeder:
    """A feeder that turns a stream of record batches into Parquet on the fly: flat memory, no file."""

    def feed(sink: BinaryIO) -> None:
        import pyarrow.parquet as pq

        with open_reader() as reader, pq.ParquetWriter(_Forward(sink), reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)

    return feed


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as Parquet, the same settings as the sealed stream."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _member(tar: bytes, name: str, most: int) -> bytes | None:
    """A regular file of a hostile tar that is not larger than ``most``."""
    try:
        with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
            for member in archive:
                if member.name.lstrip("./") == name and member.isreg() and member.size <= most:
                    stream = archive.extractfile(member)
                    return stream.read() if stream else None
    except (tarfile.TarError, ValueError, OSError, EOFError):
        return None
    return None


def _plain(text: str) -> str:
    """Without colours and control characters, which a terminal would obey."""
    return _CONTROL.sub("", _ANSI.sub("", text))


class _Forward(io.RawIOBase):
    """A pipe that knows how far it is, which is all that a Parquet writer asks of a file."""

    def __init__(self, sink: BinaryIO) -> None:
        super().__init__()
        self._sink = sink
        self._at = 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._sink.write(view)
        self._at += view.nbytes
        return view.nbytes


def _run_once(
    launcher: Launcher, spec: JobSpec, inputs: Sequence[tuple[str, Feeder]], waiting: Callable[[], None]
) -> RunOutput:
    failures: list[BaseException] = []
    with ExitStack() as stack:
        given: list[tuple[str, int]] = []
        threads = []
        for path, feeder in inputs:
            read_end, write_end = os.pipe2(os.O_CLOEXEC)
            thread = threading.Thread(target=_feed, args=(feeder, write_end, failures), daemon=True)
            threads.append(thread)
            given.append((path, read_end))
        output = _Collector(spec.limits)
        stack.callback(output.close)
        for thread in threads:
            thread.start()
        try:
            result = launcher.run_job(spec, given, output.write_end, waiting=waiting)
        finally:
            # Closing our ends lets feeders of a refused run see a broken pipe and the collector see the end.
            for _, read_end in given:
                os.close(read_end)
            content = output.finish()
            for thread in threads:
                thread.join(60)
    # A broken pipe only says that the launcher stopped reading, which the result tells.
    real = next((failure for failure in failures if not isinstance(failure, BrokenPipeError)), None)
    if real is not None:
        raise real
    return RunOutput(result, content)


def _feed(feeder: Feeder, write_end: int, failures: list[BaseException]) -> None:
    try:
        with os.fdopen(write_end, "wb", buffering=1 << 18) as sink:
            feeder(sink)
    except BaseException as error:  # noqa: BLE001 - told to the thread that waits
        failures.append(error)


class _Collector:
    """Reads a pipe into memory, at most the job's output limit and a little for the tar's own bytes."""

    def __init__(self, limits: Limits) -> None:
        self.limit = limits.output_bytes + (1 << 20)
        self.read_end, self.write_end = os.pipe2(os.O_CLOEXEC)
        self.parts: list[bytes] = []
        self.thread = threading.Thread(target=self._collect, daemon=True)
        self.thread.start()

    def _collect(self) -> None:
        taken = 0
        with os.fdopen(self.read_end, "rb", buffering=0) as source:
            while chunk := source.read(1 << 18):
                taken += len(chunk)
                if taken > self.limit:
                    self.parts.clear()
                    return
                self.parts.append(chunk)

    def finish(self) -> bytes:
        self.close()
        self.thread.join(60)
        return b"".join(self.parts)

    def close(self) -> None:
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1
