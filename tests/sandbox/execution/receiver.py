# ruff: noqa: TRY300
"""What an author's session can measure beside and after a sealed job, run inside it. Standard library only.

It waits for files ``go-<n>`` and ``stop-<n>`` in ``/run/hub``, measures in between, and prints one JSON line for each.
"""

import fcntl
import json
import os
import struct
import time

GATE, SHARED = "/run/hub", "/usr/bin/env"
BATCH = 1024


def pipe_number():
    read, write = os.pipe()
    number = os.fstat(read).st_ino
    os.close(read)
    os.close(write)
    return number


def file_number():
    fd = os.memfd_create("")
    number = os.fstat(fd).st_ino
    os.close(fd)
    return number


def next_batch(number, first):
    before = now = number()
    while (now - first) // BATCH == (before - first) // BATCH:
        now = number()
    return now


def counters():
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    found = next_batch(pipe_number, 1), next_batch(file_number, 0)
    os.sched_setaffinity(0, range(os.cpu_count()))
    return found


def spin():
    start = time.perf_counter()
    held = bytearray(1 << 18)
    for _ in range(40):
        held = bytes(held)
    return time.perf_counter() - start


def locked(fd):
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(fd, fcntl.LOCK_UN)
        return False
    except OSError:
        return True


def record_locked(fd):
    asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
    return struct.unpack("hhqqi4x", fcntl.fcntl(fd, fcntl.F_GETLK, asked))[0] != fcntl.F_UNLCK


def lookup(name):
    """Seconds to find that nothing of that name is there, and to read the first bytes of a file, the first time."""
    start = time.perf_counter()
    for number in range(200):
        os.path.lexists(f"/usr/lib/{name}-{number}")
    return time.perf_counter() - start


def cold_read(path):
    start = time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        file.read(1 << 20)
    return time.perf_counter() - start


def measure(number):
    fd = os.open(SHARED, os.O_RDONLY)
    before = counters()
    spins, flocks, records, gap, last = [], 0, 0, 0.0, time.monotonic()
    print(json.dumps({"ready": number, "pipes": before[0]}), flush=True)  # from here on it may be frozen
    while not os.path.exists(f"{GATE}/stop-{number}"):
        now = time.monotonic()
        gap, last = max(gap, now - last), now
        spins.append(spin())
        flocks += locked(fd)
        records += record_locked(fd)
        time.sleep(0.001)
    after = counters()
    os.close(fd)
    with open(f"{GATE}/stop-{number}") as file:
        told = json.load(file)
    spins.sort()
    found = {
        "pipes": after[0] - before[0], "files": after[1] - before[1], "load": sum(spins[len(spins) // 2:]) / len(spins),
        "flock": flocks, "record lock": records, "time": gap,
        "names": lookup(told["name"]), "page cache": cold_read(told["file"]),
    }  # fmt: skip
    print(json.dumps({"found": number, "values": found}), flush=True)


def main():
    number = 0
    while True:
        if os.path.exists(f"{GATE}/go-{number}"):
            measure(number)
            number += 1
        time.sleep(0.002)


main()
