"""Search for planted values everywhere, in every way they could have been written."""

from __future__ import annotations

import base64
import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as pq


def forms(canary: str) -> Iterator[bytes]:
    """The bytes a value could leave: encodings, hexadecimal, base64 at each alignment, JSON escapes, reversed."""
    for encoding in ("utf-8", "gb18030", "utf-16-le", "utf-16-be"):
        raw = canary.encode(encoding)
        yield raw
        yield raw.hex().encode()
        yield raw.hex().upper().encode()
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + raw)
            yield encoded[4 if shift else 0 : -4].rstrip(b"=")
    yield canary.encode("unicode_escape")
    yield canary[::-1].encode()


def found_in(places: Iterable[Path], canaries: Iterable[str]) -> list[str]:
    """Files that hold a canary, by path; compressed and columnar files are opened."""
    needles = {form: canary for canary in canaries for form in forms(canary) if len(form) >= 6}
    hits = []
    for place in places:
        for path in sorted(files_below(place)):
            if path.is_file() and not path.is_symlink():
                hits += [
                    f"{path}: {needles[needle]!r}" for data in contents(path) for needle in needles if needle in data
                ]
    return hits


def files_below(place: Path) -> Iterator[Path]:
    """A file itself, or all below a folder; folders that go away meanwhile hold nothing any more."""
    if place.is_file():
        yield place
    for folder, _, names in os.walk(place):
        yield from (Path(folder) / name for name in names)


def contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what is inside it."""
    try:
        data = written(path)
    except (PermissionError, FileNotFoundError):
        return
    yield data
    yield from inside(path.name, data)


def written(path: Path) -> bytes:
    """What was ever written to a file; the holes of a disk image are left out."""
    parts = []
    with path.open("rb") as stream:
        position = 0
        while True:
            try:
                start = os.lseek(stream.fileno(), position, os.SEEK_DATA)
            except OSError:
                return b"".join(parts)
            position = os.lseek(stream.fileno(), start, os.SEEK_HOLE)
            parts.append(os.pread(stream.fileno(), position - start, start))


def inside(name: str, data: bytes) -> Iterator[bytes]:
    """What stands compressed in a file: gzip, zip (xlsx), tar, Parquet."""
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    elif data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield archive.read(member)
    elif data[:4] == b"PAR1":
        table = pq.read_table(io.BytesIO(data))
        yield "\n".join(str(value) for column in table.columns for value in column.to_pylist()).encode()
    elif name.endswith(".tar"):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive.getmembers():
                extracted = archive.extractfile(member)
                if extracted is not None:
                    yield extracted.read()
