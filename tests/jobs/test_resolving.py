"""A worker that starts again with several jobs to recover finds the functions of all of them at once."""

from __future__ import annotations

import subprocess
import sys

THREADS = """
import sys, threading
from opendata import parts
import opendata.worker.process
if sys.argv[1] == "unguarded":
    import contextlib
    parts._importing = contextlib.nullcontext()
names = [*parts.merged(parts.installed_parts(), "jobs").values(), *parts.merged(parts.installed_parts(), "rounds").values()]
together, missed = threading.Barrier(len(names)), []

def find(name):
    together.wait()
    try:
        parts.resolve(name)
    except Exception as error:
        missed.append(name)

threads = [threading.Thread(target=find, args=(name,)) for name in names]
for each in threads:
    each.start()
for each in threads:
    each.join()
print(len(names), len(missed))
"""


def missed(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", THREADS, how], capture_output=True, text=True, check=True, timeout=120)
    names, lost = map(int, done.stdout.split())
    assert names > 10
    return lost


def test_functions_of_all_parts_are_found_by_threads_at_once() -> None:
    assert missed("guarded") == 0
    assert any(missed("unguarded") for _ in range(5)), "control: without taking turns some are lost"
