"""The members' own imports (自有数据) as a notebook sees them: state, path, what is still needed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from sandbox.client.display import facts, words
from sandbox.client.errors import UnusableFile


@dataclass(frozen=True, slots=True)
class Import:
    """One version of an import. Mounted, it stands at ``path``: itself in sealed jobs, here a twin that joins with the
    practice data when it has person keys.
    """

    name: str
    number: int
    state: str
    path: str
    json: dict[str, Any] = field(repr=False)

    HEADINGS = ("导入 import", "版本 version", "状态 state", "级别 level", "这里看到的 what stands here", "文件 file")

    @classmethod
    def from_json(cls, item: dict[str, Any]) -> Import:
        return cls(
            name=str(item["name"]),
            number=int(item.get("number") or 1),
            state=str(item.get("state") or ""),
            path=str(item.get("path") or f"/data/import/{item['name']}/{item['name']}.parquet"),
            json=item,
        )

    @property
    def here(self) -> bool:
        """Whether the file is in this session (one that was mounted later appears after a restart)."""
        return self.state == "mounted" and os.path.exists(self.path)

    @property
    def error(self) -> str:
        """Why the scan or the review refused it; empty when it did not."""
        return words(self.json.get("error"))

    @property
    def stands(self) -> str:
        """What this session finds at ``path``: a practice twin, or the import itself."""
        return words(self.json.get("stands"))

    def read(self) -> Any:
        """The table as a pandas DataFrame, as it stands here.

        Raises:
            UnusableFile: it is not mounted, or not in this session yet.
        """
        if not self.here:
            raise UnusableFile(
                f"本会话中还没有 {self.path}：导入须先经审核挂载，新挂载的在重新启动会话后可见。",
                f"{self.path} is not in this session: an import is reviewed first, and appears after a restart.",
            )
        import pandas as pd

        return pd.read_parquet(self.path)

    def row(self) -> tuple[object, ...]:
        """The cells of its line in a listing."""
        place: object = None
        if self.state == "mounted":
            place = self.path if self.here else f"{self.path}（重新启动会话后可见 after a restart of the session）"
        state = words(self.json.get("state_title")) or self.state
        level = words(self.json.get("joined_level_title") or self.json.get("level_title"))
        return self.name, self.number, state, level, self.stands if place else None, place

    def _repr_html_(self) -> str:
        pairs = list(zip(self.HEADINGS, self.row(), strict=True))
        return facts([*pairs, ("行数 rows", self.json.get("rows")), ("原因 reason", self.error)])
