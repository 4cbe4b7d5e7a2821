"""Runs one notebook or script inside a sealed jail, then writes what it left in ``/out`` to the output pipe.

    python -m sandbox.inside.job /job/analysis.ipynb MAX_FILES MAX_BYTES [tell-errors]

The tar holds ``out/<name>`` for regular files, ``executed.ipynb`` (for checkers only) and ``refused.json``: a list of
``{code, count}`` for what was left out (links, folders, devices, odd names). Exit code 0: it ran; 1: its code failed;
77: too many or too large outputs, none of which were taken. With ``tell-errors``, which a dry run gets and a sealed run
never does, ``error.txt`` holds the end of what a failed script said of itself.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from sandbox.inside.output import ERROR_FILE, REFUSED_OUTPUT, TELL_ERRORS, no_screen, open_output

OUT: Final = "/out"
WORK: Final = "/job-work"
NAME: Final = re.compile(r"[^\W_][\w.\- ]{0,99}")
NOTEBOOK_BYTES: Final = 4 * 1024 * 1024
SHOWN_BYTES: Final = 1024 * 1024
SCANNED: Final = 10_000
"""A folder with more entries than this is not even listed to its end."""
ERROR_BYTES: Final = 16 * 1024
TAR_BLOCK: Final = 512
TAR_END: Final = 10_240


def main(arguments: list[str]) -> int:
    """Run, stop whatever still runs, collect."""
    entry, max_files, max_bytes = arguments[0], int(arguments[1]), int(arguments[2])
    with open_output() as output:
        no_screen()
        executed = error = b""
        if entry.endswith(".ipynb"):
            done, executed = run_notebook(entry)
        elif TELL_ERRORS in arguments[3:]:
            done, error = run_script_aloud(entry)
        else:
            done = run_script(entry)
        stop_everything_else()
        fits = write_tar(output, OUT, executed, max_files, max_bytes, error=error)
    if not fits:
        return REFUSED_OUTPUT
    return 0 if done else 1


def run_script(entry: str) -> bool:
    """True if the script ended with exit code 0."""
    return subprocess.run([sys.executable, entry], cwd=WORK, stdin=subprocess.DEVNULL, check=False).returncode == 0


def run_script_aloud(entry: str) -> tuple[bool, bytes]:
    """The same, and if it failed the last of what it wrote to stderr: its traceback, on practice data."""
    read, write = os.pipe()
    said = bytearray()

    def listen() -> None:
        while piece := os.read(read, 1 << 16):
            said.extend(piece)
            del said[:-ERROR_BYTES]

    listener = threading.Thread(target=listen, daemon=True)
    script = subprocess.Popen([sys.executable, entry], cwd=WORK, stdin=subprocess.DEVNULL, stderr=write)
    os.close(write)
    listener.start()
    code = script.wait()
    stop_everything_else()  # what it left running holds the pipe open
    listener.join(1.0)
    if code < 0:
        said += f"\n{signal.Signals(-code).name}\n".encode()
    return code == 0, bytes(said) if code else b""


def run_notebook(entry: str) -> tuple[bool, bytes]:
    """True if every cell ran; and the executed notebook, its outputs cut after a megabyte."""
    # Compiling this grammar at import costs seconds; jsonschema does without it.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    import nbformat
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    os.makedirs("/run/jupyter", mode=0o700, exist_ok=True)
    try:
        notebook = nbformat.read(entry, as_version=4)
    except Exception:  # noqa: BLE001 - the notebook is the user's; whatever is wrong with it, the run failed
        return False, b""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None

    class Capped(NotebookClient):
        """Drops what cells print once it is too much; an endless printer then only meets the clock."""

        shown = 0

        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            if msg["msg_type"] in ("stream", "display_data", "execute_result", "update_display_data"):
                self.shown += len(json.dumps(msg["content"]))
                if self.shown > SHOWN_BYTES:
                    return None
            return super().process_message(msg, cell, cell_index)

    manager = AsyncKernelManager(
        kernel_name="python3",
        transport="ipc",
        connection_file="/run/jupyter/kernel.json",
        ip="/run/jupyter/kernel",
    )
    client = Capped(notebook, km=manager, timeout=None, resources={"metadata": {"path": WORK}}, allow_errors=False)
    try:
        client.execute()
        done = True
    except (CellExecutionError, DeadKernelError):
        done = False
    written = nbformat.writes(notebook).encode()
    return done, written if len(written) <= NOTEBOOK_BYTES else b""


def stop_everything_else() -> None:
    """Kill all other processes of the jail, so nothing changes the outputs while they are read."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def write_tar(
    output: BinaryIO, folder: str, executed: bytes, max_files: int, max_bytes: int, *, error: bytes = b""
) -> bool:
    """Write the tar; false if there are too many or too large files, none of which are then in it.

    Links, hard links, folders, sockets, pipes and devices are never opened; they are counted in ``refused.json``.
    """
    refused: Counter[str] = Counter()
    files: list[tuple[str, bytes]] = []
    room = max_bytes - TAR_END - _in_tar(len(executed)) - _in_tar(len(error)) - 4 * TAR_BLOCK
    scanned = _scan(folder, refused)
    for entry in scanned:
        content = _content(folder, entry, refused, room)
        if content is None:
            continue
        room -= _in_tar(len(content))
        if len(files) >= max_files:  # told with the true number
            refused["too-many"] += len(files) + 1 + sum(1 for _ in scanned)
            break
        if room < 0:
            refused["too-large"] += 1
            break
        files.append((entry, content))
    fits = not refused["too-large"] and not refused["too-many"]
    with tarfile.open(fileobj=output, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for name, content in sorted(files) if fits else []:
            _add(tar, f"out/{name}", content)
        if executed:
            _add(tar, "executed.ipynb", executed)
        if error:
            _add(tar, ERROR_FILE, error)
        told = [{"code": code, "count": count} for code, count in sorted(refused.items())]
        _add(tar, "refused.json", json.dumps(told).encode())
    return fits


def _scan(folder: str, refused: Counter[str]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number >= SCANNED:
                refused["too-many"] += 1
                return
            if not NAME.fullmatch(entry.name):
                refused["odd-name"] += 1
            elif entry.is_symlink():
                refused["link"] += 1
            elif entry.is_dir(follow_symlinks=False):
                refused["folder"] += 1
            else:
                yield entry.name


def _content(folder: str, name: str, refused: Counter[str], room: int) -> bytes | None:
    try:
        fd = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        refused["unreadable"] += 1
        return None
    with open(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            refused["not-a-file"] += 1
        elif status.st_nlink != 1:
            refused["hard-link"] += 1
        elif status.st_size > room:
            refused["too-large"] += 1
        else:
            return file.read(status.st_size)
    return None


def _in_tar(size: int) -> int:
    return 3 * TAR_BLOCK + (size + TAR_BLOCK - 1) // TAR_BLOCK * TAR_BLOCK


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
