"""The worked notebooks of `notebooks/`, put into a home once: each person has copies to change and to hand in.

A notebook says in its metadata which columns each of its names needs; a copy gets the name of the workspace's table
that has them. Columns are looked up in the footers of the Parquet files as bytes, since reading them properly would
load a library before the server is up. Standard library only.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).with_name("worked_notebooks.json")
FOLDER: Final = "示例 examples"
DATA: Final = Path("/data")
IMPORTS: Final = "import"
_MAGIC: Final = b"PAR1"
_TAIL: Final = 8
_MOST_FOOTER: Final = 4 * 1024 * 1024


def place(home: Path, data: Path = DATA) -> bool:
    """Copy the notebooks below ``home``, each name filled in; False, and nothing is done, while there are no data.

    A file that is there, whosever, stays as it is.
    """
    datasets, imports = footers(data), footers(data / IMPORTS)
    if not datasets:
        return False
    folder = home / FOLDER
    folder.mkdir(exist_ok=True)
    for name, notebook in json.loads(FILE.read_text("utf-8")).items():
        content = json.dumps(filled(notebook, datasets, imports), ensure_ascii=False, indent=1)
        try:
            with open(folder / name, "x", encoding="utf-8") as file:
                file.write(content + "\n")
        except FileExistsError:
            continue
    return True


def filled(notebook: Mapping[str, Any], datasets: Mapping[str, bytes], imports: Mapping[str, bytes]) -> dict[str, Any]:
    """The notebook with ``NAME = "…"`` set for each name that its metadata describe.

    ``datasets`` and ``imports``: name → footer. A table that has the columns is taken, else the only one there is; else
    the name stays.
    """
    made = copy.deepcopy(dict(notebook))
    for variable, needed in made["metadata"].get("sandbox", {}).items():
        tables = imports if needed["from"] == IMPORTS else datasets
        chosen = chosen_of(tables, needed["columns"])
        if chosen is None:
            continue
        before, after = (f"{variable} = {json.dumps(name)}" for name in (needed["default"], chosen))
        for cell in made["cells"]:
            if cell["cell_type"] == "code":
                cell["source"] = [
                    after + line[len(before) :] if line.startswith(before) else line for line in cell["source"]
                ]
    return made


def chosen_of(tables: Mapping[str, bytes], columns: Sequence[str]) -> str | None:
    """The first table that has all the columns, else the only one."""
    fitting = [name for name, footer in tables.items() if all(_length_and_name(each) in footer for each in columns)]
    return fitting[0] if fitting else next(iter(tables)) if len(tables) == 1 else None


def footers(folder: Path) -> dict[str, bytes]:
    """Name and Parquet footer of each table ``<name>/<name>.parquet`` below a folder, by name."""
    return dict(_footers(folder))


def _footers(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.glob("*/*.parquet")):
        if path.stem == path.parent.name:
            with open(path, "rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - _TAIL))
                tail = file.read(_TAIL)
                length = int.from_bytes(tail[:4], "little")
                if tail[4:] == _MAGIC and length <= min(size, _MOST_FOOTER):
                    file.seek(max(0, size - _TAIL - length))
                    yield path.stem, file.read(length)


def _length_and_name(column: str) -> bytes:
    """A column's name as it stands in a footer (Thrift's compact form): its length, seven bits a byte, then UTF-8."""
    name = column.encode()
    length, prefix = len(name), b""
    while length > 0x7F:
        prefix, length = prefix + bytes([length & 0x7F | 0x80]), length >> 7
    return prefix + bytes([length]) + name
