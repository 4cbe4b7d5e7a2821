"""What the service answers, as values that show themselves in a notebook.

Each is made by ``from_json`` from one object of the API and keeps the whole object in ``.json``; members the client
does not know are kept there and hurt nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from sandbox.client.answers import Plot, ReleasedTable
from sandbox.client.display import ProgressLine, escape, facts, moment, picture, table, words
from sandbox.client.errors import ClientError, UnusableFile

DATA_ROOT = "/data"
_KINDS = {
    "edition": "发布版本 edition",
    "practice": "仿真数据，仅供调试，结果没有意义 practice data, for debugging only",
}
# The states in which the service goes on by itself; in every other one it waits for a person or has ended.
_GOING = frozenset({"submitted", "dry_running", "queued", "running"})

T = TypeVar("T")


class Listing(list[T], Generic[T]):
    """A list that shows itself as a table."""

    def __init__(self, items: Iterable[T], headings: tuple[str, ...], row: Callable[[T], tuple], empty: str) -> None:
        super().__init__(items)
        self._headings = headings
        self._row = row
        self._empty = empty

    def _repr_html_(self) -> str:
        return table(self._headings, (self._row(item) for item in self), empty=self._empty)

    def __repr__(self) -> str:
        return "\n".join(repr(item) for item in self) or self._empty


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset of the workspace: what stands under ``/data/<name>`` here, and what sealed jobs will meet there."""

    name: str
    title: str
    level: str
    kind: str
    path: str
    json: dict[str, Any] = field(repr=False)

    HEADINGS = ("数据集 dataset", "名称 title", "级别 level", "这里看到的 what stands here", "文件 file")

    @classmethod
    def from_json(cls, item: dict[str, Any]) -> Dataset:
        name = str(item["name"])
        return cls(
            name=name,
            title=words(item.get("title")),
            level=words(item.get("level_title") or item.get("level")),
            kind=str(item.get("kind") or item.get("source") or ""),
            path=str(item.get("path") or f"{DATA_ROOT}/{name}/{name}.parquet"),
            json=item,
        )

    @property
    def here(self) -> bool:
        """Whether the file is mounted in this session (a dataset added later appears after a restart)."""
        return os.path.exists(self.path)

    def row(self) -> tuple[object, ...]:
        """The cells of its line in a listing."""
        place: str | None = (
            self.path if self.here else f"{self.path}（重新启动会话后可见 after a restart of the session）"
        )
        lack = words(self.json.get("lack_title"))
        if lack and not self.kind:
            place = None
        stands = "；".join(filter(None, (_KINDS.get(self.kind, self.kind), lack)))
        return self.name, self.title, self.level, stands, place

    def _repr_html_(self) -> str:
        return facts(zip(self.HEADINGS, self.row(), strict=True))


@dataclass(frozen=True, slots=True)
class Practice:
    """The table a member develops on: same path, columns and types as in a sealed run."""

    name: str
    path: str
    kind: str
    note: str
    json: dict[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, name: str, item: dict[str, Any]) -> Practice:
        return cls(
            name=name,
            path=str(item.get("path") or f"{DATA_ROOT}/{name}/{name}.parquet"),
            kind=str(item.get("kind") or item.get("source") or ""),
            note=words(item.get("note")),
            json=item,
        )

    @property
    def columns(self) -> list[dict[str, Any]]:
        """Name, type and meaning of each column, as the service describes them."""
        return list(self.json.get("columns") or [])

    def read(self) -> Any:
        """The table as a pandas DataFrame.

        Raises:
            UnusableFile: it is not mounted in this session (a dataset added later appears after a restart).
        """
        lack = self.json.get("lack_title")
        if not os.path.exists(self.path) and isinstance(lack, dict) and not self.kind:
            raise UnusableFile(f"{self.name}：{lack['zh']}。", f"{self.name}: {lack['en']}.")
        if not os.path.exists(self.path):
            raise UnusableFile(
                f"本会话中还没有 {self.path}。请在 File → Hub Control Panel 中停止并重新启动会话。",
                f"{self.path} is not in this session yet. Stop and start the session in File → Hub Control Panel.",
            )
        import pandas as pd

        return pd.read_parquet(self.path)

    def _repr_html_(self) -> str:
        top = facts(
            [("文件 file", self.path), ("内容 content", _KINDS.get(self.kind, self.kind)), ("说明 note", self.note)],
            caption=self.name,
        )
        if not self.columns:
            return top
        return top + table(
            ("列 column", "类型 type", "含义 meaning"),
            ((c.get("name"), c.get("type"), words(c.get("title"))) for c in self.columns),
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a checker would object to, explained. Comes from practice output only."""

    rule: str
    message: str
    where: str
    blocking: bool
    advice: str
    json: dict[str, Any] = field(repr=False)

    HEADINGS = ("规则 rule", "位置 where", "问题 what is wrong", "怎么改 what to do")

    @classmethod
    def from_json(cls, item: dict[str, Any]) -> Finding:
        places = [str(item[part]) for part in ("file", "column", "row", "cell") if item.get(part) not in (None, "")]
        return cls(
            rule=str(item.get("rule") or item.get("code") or item.get("check") or ""),
            message=words(item.get("message") or item.get("detail") or item.get("text")),
            where=str(item.get("where") or " · ".join(places)),
            blocking=bool(item.get("blocking", item.get("severity", "error") != "warning")),
            advice=words(item.get("advice") or item.get("help")),
            json=item,
        )

    def row(self) -> tuple[object, ...]:
        """The cells of its line in a listing."""
        return self.rule, self.where, self.message, self.advice


@dataclass(frozen=True, slots=True)
class Findings:
    """What the automatic checks say about one file made from practice data."""

    path: str
    findings: tuple[Finding, ...]
    json: dict[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, path: str, item: dict[str, Any]) -> Findings:
        return cls(path, tuple(Finding.from_json(f) for f in item.get("findings") or []), item)

    @property
    def passed(self) -> bool:
        """It ran to its end and no check objects. People still decide about the real output."""
        return not (self.ended or self.error) and not any(finding.blocking for finding in self.findings)

    @property
    def _verdict(self) -> str:
        if self.ended or self.error:
            return f"{self.path}：试运行没有正常结束。 The dry run did not end well."
        if self.passed:
            return f"{self.path}：自动检查没有发现问题；最终由人工审查决定。 No objection by the checks; people decide."
        count = sum(finding.blocking for finding in self.findings)
        return f"{self.path}：{count} 处需要修改。 {count} to change."

    def __repr__(self) -> str:
        lines = [f"  [{f.rule}] {f.where}  {f.message}  {f.advice}".rstrip() for f in self.findings]
        return "\n".join([*filter(None, [self._verdict, *lines, self.ended, self.error])])

    @property
    def ended(self) -> str:
        """How the dry run ended if it was not well: out of time, of memory, too many files; empty otherwise."""
        return words(self.json.get("message"))

    @property
    def error(self) -> str:
        """What the dry run's code said when it failed; empty otherwise. It met practice data only."""
        return words(self.json.get("error"))

    @property
    def figures(self) -> dict[str, str]:
        """The figures as the service draws them: name and SVG."""
        return {str(f["name"]): str(f["svg"]) for f in self.json.get("files") or [] if f.get("svg")}

    def _repr_html_(self) -> str:
        drawn = "".join(picture(name, svg) for name, svg in self.figures.items())
        failed = f"<p>{escape(self.ended)}</p>" if self.ended else ""
        failed += f"<pre>{escape(self.error)}</pre>" if self.error else ""
        return table(Finding.HEADINGS, (f.row() for f in self.findings), caption=self._verdict) + failed + drawn


class Job:
    """A sealed job: its id, and one of a few fixed states. What it found on raw data is for the checkers only."""

    HEADINGS = ("作业 job", "程序 entry", "状态 state", "提交时间 submitted")

    def __init__(
        self,
        item: dict[str, Any],
        reload: Callable[[str], dict[str, Any]],
        cancel: Callable[[str], dict[str, Any]],
        rerun: Callable[[str], dict[str, Any]] | None = None,
    ) -> None:
        self.json = item
        self._reload = reload
        self._cancel = cancel
        self._rerun = rerun

    @property
    def id(self) -> str:
        return str(self.json.get("id") or "")

    @property
    def state(self) -> str:
        return str(self.json.get("state") or "")

    @property
    def entry(self) -> str:
        return str(self.json.get("entry") or self.json.get("filename") or "")

    @property
    def dry_run(self) -> Findings | None:
        """The checks' words on the dry run (practice data), once there are any."""
        item = self.json.get("dry_run") or self.json.get("dry")
        return Findings.from_json(self.entry, item) if isinstance(item, dict) else None

    @property
    def done(self) -> bool:
        """Nothing more will happen without a person."""
        return self.state not in _GOING

    def refresh(self) -> Job:
        """Ask the service again."""
        self.json = self._reload(self.id)
        return self

    def cancel(self) -> Job:
        """Stop it, as long as it has not met raw data."""
        self.json = self._cancel(self.id)
        return self

    def rerun(self) -> Job:
        """Run it again on the same data in the same environment; returns the new job.

        Refused, with what changed, when the data or the environment is another one today.
        """
        if self._rerun is None:
            raise ClientError("这里不能重跑作业。", "A job cannot be run again from here.")
        return Job(self._rerun(self.id), self._reload, self._cancel, self._rerun)

    def wait(self, timeout_s: float = 900, every_s: float = 3) -> Job:
        """Wait until the job is done, showing its state.

        ``timeout_s`` and ``every_s`` must be positive. It asks a little more often at first, as a dry run may be over
        soon; the states of a sealed run change at fixed ticks, so asking more often shows nothing earlier.
        """
        line = ProgressLine(f"作业 job {self.id}")
        began = time.monotonic()
        try:
            while not self.refresh().done:
                waited = time.monotonic() - began
                if waited > timeout_s:
                    raise ClientError(
                        f"作业 {self.id} 在 {timeout_s:g} 秒后仍未结束，它会继续运行；稍后用 .jobs() 查看。",
                        f"Job {self.id} is still going after {timeout_s:g} s and goes on; look again with .jobs().",
                    )
                line.say(f"{self._state_words}  {waited:.0f} s")
                time.sleep(min(every_s, 0.5 + waited / 4))
            line.say(self._state_words)
        finally:
            line.end()
        return self

    @property
    def _state_words(self) -> str:
        return words(self.json.get("state_title")) or self.state

    def row(self) -> tuple[object, ...]:
        """The cells of its line in a listing."""
        at = moment(self.json.get("submitted_at") or self.json.get("created_at"))
        return self.id, self.entry, self._state_words, at

    def __repr__(self) -> str:
        return f"Job({self.id!r}, {self.entry!r}, {self._state_words})"

    def _repr_html_(self) -> str:
        note = words(self.json.get("message") or self.json.get("note"))
        top = facts([*zip(self.HEADINGS, self.row(), strict=True), ("说明 note", note)])
        return top + (self.dry_run._repr_html_() if self.dry_run else "")


class Output:
    """A released output: files that people have let out, with the record of the checks and a signature."""

    HEADINGS = ("产出 output", "文件 files", "放行时间 released")

    def __init__(self, item: dict[str, Any], download: Callable[[str, str, ProgressLine], bytes]) -> None:
        self.json = item
        self._download = download

    @property
    def id(self) -> str:
        return str(self.json.get("id") or "")

    @property
    def files(self) -> list[str]:
        """Names of its files."""
        return [str(f["name"]) if isinstance(f, dict) else str(f) for f in self.json.get("files") or []]

    def save(self, directory: str | os.PathLike[str] = "outputs") -> list[Path]:
        """Write its files below ``directory`` and return where they are. An existing file is replaced whole."""
        place = Path(directory) / _plain_name(self.id)
        place.mkdir(parents=True, exist_ok=True)
        return [self._save_one(name, place) for name in self.files]

    def read(self, name: str) -> bytes:
        """The bytes of one of its files."""
        line = ProgressLine(f"下载 downloading {name}")
        try:
            return self._download(self.id, name, line)
        finally:
            line.end()

    def table(self, name: str = "") -> ReleasedTable:
        """One of its tables; the first one by default.

        Raises:
            ClientError: there is no such table.
        """
        names = [each for each in self.files if each.endswith(".csv")]
        wanted = name or next(iter(names), "")
        if wanted not in names:
            raise ClientError(
                f"没有这张表；产出中的表：{'、'.join(names) or '无'}。",
                f"There is no such table; the output has {', '.join(names) or 'none'}.",
            )
        return ReleasedTable.from_csv(wanted, self.read(wanted))

    def tables(self) -> list[ReleasedTable]:
        """All its tables."""
        return [self.table(name) for name in self.files if name.endswith(".csv")]

    def plot(self, y: str = "", *, by: Sequence[str] = (), lang: str = "zh") -> Plot:
        """Draw the first table; ``.table(name).plot(…)`` draws another."""
        return self.table().plot(y, by=by, lang=lang)

    def _save_one(self, name: str, place: Path) -> Path:
        target = place / _plain_name(name)
        partial = target.with_name(f".{target.name}.partial")
        content = self.read(name)
        try:
            partial.write_bytes(content)
            partial.replace(target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise UnusableFile.unwritable(str(target), error.strerror or type(error).__name__) from None
        return target

    def row(self) -> tuple[object, ...]:
        """The cells of its line in a listing."""
        return self.id, "，".join(self.files), moment(self.json.get("released_at"))

    def __repr__(self) -> str:
        return f"Output({self.id!r}, {self.files})"

    def _repr_html_(self) -> str:
        return facts(zip(self.HEADINGS, self.row(), strict=True))


def _plain_name(name: str) -> str:
    """A file name without directories, refusing what would leave the folder."""
    if not name or name in {".", ".."} or "/" in name or "\0" in name:
        raise ClientError(f"文件名不可用：{name!r}。", f"Unusable file name: {name!r}.")
    return name
