"""How much two known side paths of a sealed job carry on this machine: `python -m tests.sandbox.execution.channels`.

Not a test: both are open and `docs/threat-model.md` says so. The sender is a sealed job that was told a symbol, the
receiver what its author may look at. The first jobs set the scale, the others are counted. As root; idle is better.
"""

from __future__ import annotations

import random
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence

from sandbox.contracts import SessionSpec
from sandbox.execution import cgroup
from tests.sandbox.execution.conftest import Running, fresh_places, jails_possible, start, stop
from tests.sandbox.execution.test_launcher import session_env, session_socket, tar_names

SYMBOLS, JOBS, LEARNED = 8, 16, 4
STEP_S = 1.0
PIPES = 100_000


def frozen_time(launcher: Running) -> list[tuple[int, float]]:
    """Symbol sent and seconds that a session of the workspace was frozen, job by job."""
    launcher.settings.workspaces_dir.mkdir(exist_ok=True)
    trees = cgroup.find(launcher.settings.run_dir)
    state = trees.parents["freezer"] / "session-w1-7" / ("cgroup.freeze" if trees.version == 2 else "freezer.state")
    gaps: list[float] = []
    ended = threading.Event()

    def watch() -> None:
        since = None
        while not ended.is_set():
            frozen = state.read_text().strip() in ("FROZEN", "FREEZING", "1")
            now = time.monotonic()
            if frozen and since is None:
                since = now
            elif since is not None and not frozen:
                gaps.append(now - since)
                since = None
            time.sleep(0.002)

    sent = []
    with session_socket(launcher, "s1") as listener:
        launcher.hub.start_session(SessionSpec("s1", 7, "w1", (), session_env()), listener.fileno())
        watcher = threading.Thread(target=watch)
        watcher.start()
        for symbol in drawn():
            before = len(gaps)
            launcher.run(f"import time; time.sleep({0.5 + STEP_S * symbol})".encode(), kind="sealed")
            while len(gaps) == before:
                time.sleep(0.01)
            sent.append((symbol, gaps[-1] / STEP_S))
        ended.set()
        watcher.join()
        launcher.hub.stop_session("s1")
    return sent


def pipe_numbers(launcher: Running) -> list[tuple[int, float]]:
    """Symbol sent and by how much the number of a new pipe grew, as a dry run of the author reads it before and after."""
    look = b"import os; open('/out/n.txt', 'w').write(str(os.fstat(os.pipe()[0]).st_ino))"

    def number() -> int:
        return int(tar_names(launcher.run(look)[1])["out/n.txt"])

    sent = []
    for symbol in drawn():
        before = number()
        code = f"import os\nfor _ in range({PIPES * symbol}): [os.close(end) for end in os.pipe()]"
        launcher.run(code.encode(), kind="sealed")
        sent.append((symbol, (number() - before) / PIPES))
    return sent


def drawn() -> Sequence[int]:
    """Symbols to send, each equally often, in an order that is not the receiver's guess."""
    symbols = [symbol for symbol in range(SYMBOLS) for _ in range(JOBS // SYMBOLS)]
    random.Random(3).shuffle(symbols)
    return symbols


def said(name: str, sent: Sequence[tuple[int, float]]) -> str:
    """One line: how many symbols the receiver reads right after the first jobs set its offset."""
    offset = statistics.median(seen - symbol for symbol, seen in sent[:LEARNED])
    right = sum(round(seen - offset) == symbol for symbol, seen in sent[LEARNED:])
    spread = statistics.pstdev(seen - offset - symbol for symbol, seen in sent)
    return (
        f"{name}: {right} of {len(sent) - LEARNED} right, {SYMBOLS} symbols, chance 1 in {SYMBOLS}, spread {spread:.3f}"
    )


def main() -> int:
    """Measure both."""
    if reason := jails_possible():
        print(f"not measured: {reason}")
        return 1
    channels: dict[str, Callable[[Running], list[tuple[int, float]]]] = {
        "time a session is frozen": frozen_time, "numbers of pipes": pipe_numbers,
    }  # fmt: skip
    for name, channel in channels.items():
        with fresh_places() as make:
            launcher = start(make())
            try:
                print(said(name, channel(launcher)), flush=True)
            finally:
                stop(launcher)
    return 0


if __name__ == "__main__":
    sys.exit(main())
