"""A small stable number for each person: the uid of their jails and their home are made from it.

Kept beside the hub's database and never reused, because JupyterHub gives the number of a deleted user to the next one
and a lost database would hand one person's home to another.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from sandbox.errors import SandboxUnavailable

_VERSION = 1
_MOST = 50_000


class People:
    """Numbers by user name, in one JSON file that only the hub writes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def number(self, username: str) -> int:
        """The person's number; the next free one at the first time, on disk before it is used.

        Raises:
            SandboxUnavailable: the file is damaged, or all numbers are given.
        """
        numbers = self._load()
        if username not in numbers:
            given = max(numbers.values(), default=0) + 1
            if given >= _MOST:
                raise SandboxUnavailable("会话编号已用尽。", "All session numbers are given.")
            numbers[username] = given
            self._save(numbers)
        return numbers[username]

    def _load(self) -> dict[str, int]:
        try:
            document = json.loads(self._path.read_bytes())
            numbers = {_VERSION: document["numbers"]}[document["version"]]
            return {str(name): int(number) for name, number in numbers.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SandboxUnavailable(
                f"文件 {self._path.name} 已损坏，请从备份恢复。",
                f"The file {self._path.name} is damaged; restore it from a backup.",
            ) from error

    def _save(self, numbers: dict[str, int]) -> None:
        partial = self._path.with_suffix(".partial")
        with open(partial, "w", encoding="utf-8") as file:
            json.dump({"version": _VERSION, "numbers": numbers}, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
