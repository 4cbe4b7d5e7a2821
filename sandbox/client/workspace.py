"""The workspace (数据沙箱) of the running session, and everything one can ask of it.

The raw tables are never here: ``/data/<name>`` holds an edition or practice data of the same shape. A sealed job meets
the raw table at the same path; only checked results come back, as ``outputs()``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox.client.answers import QueryAnswer
from sandbox.client.code import code_only
from sandbox.client.display import ProgressLine, day, facts, words
from sandbox.client.errors import BadArgument, NotInSession, UnusableFile
from sandbox.client.figures import with_table
from sandbox.client.gate import GATE_SOCKET, Gate
from sandbox.client.imports import Import
from sandbox.client.records import Dataset, Findings, Job, Listing, Output, Practice
from sandbox.contracts import CHECK_BYTES, CODE_BYTES, MIB

MAX_READ_BYTES = 16 * MIB
"""Of a notebook with what its cells showed, which is left out before it is sent."""
_ROOT = "/api/v1/workspaces"


def in_session() -> bool:
    """Whether the service can be asked. False in dry runs and sealed jobs: the same notebook runs there without it.

    >>> in_session()
    False
    """
    return bool(os.environ.get("SANDBOX_WORKSPACE")) and os.path.exists(os.environ.get("SANDBOX_GATE", GATE_SOCKET))


class Workspace:
    """One sandbox workspace. In a notebook: ``ws = Workspace.current()``."""

    def __init__(self, workspace_id: str, gate: Gate | None = None) -> None:
        self.id = workspace_id
        self._gate = gate or Gate()

    @classmethod
    def current(cls) -> Workspace:
        """The workspace this session was started for.

        Raises:
            NotInSession: the code does not run in a sandbox session.
        """
        socket_path = os.environ.get("SANDBOX_GATE", GATE_SOCKET)
        workspace_id = os.environ.get("SANDBOX_WORKSPACE", "")
        if not workspace_id:
            raise NotInSession.without_workspace() if os.path.exists(socket_path) else NotInSession.without_gate()
        return cls(workspace_id, Gate(socket_path))

    def datasets(self) -> Listing[Dataset]:
        """The datasets of the workspace and what stands under ``/data`` here."""
        items = _items(self._gate.get(self._path("datasets")), "datasets")
        return Listing(
            map(Dataset.from_json, items),
            Dataset.HEADINGS,
            Dataset.row,
            "本沙箱还没有数据集。 This workspace has no dataset yet.",
        )

    def practice(self, name: str) -> Practice:
        """The table to develop on for ``name``: where it is and what its columns mean; ``.read()`` gives a frame."""
        return Practice.from_json(name, self._gate.get(self._path("practice", _dataset(name))))

    def imports(self) -> Listing[Import]:
        """The members' own data brought into the workspace, newest version first; ``imports()[0].read()`` gives one."""
        items = _items(self._gate.get(self._path("imports")), "imports")
        return Listing(
            map(Import.from_json, items),
            Import.HEADINGS,
            Import.row,
            "还没有导入的数据；请在门户的沙箱页面上传。 Nothing imported yet; upload in the portal.",
        )

    def check(self, path: str | os.PathLike[str]) -> Findings:
        """What the automatic checks say about a file made from practice data, each finding explained.

        A figure (``visits.figure.json``) is checked with the table beside it and shown as the service draws it.

        Raises:
            BadArgument, UnusableFile: ``path`` is no path, or there is no such file, or it is too large.
        """
        name, content = with_table(_path_of(path), _read(path, CHECK_BYTES))
        _check_size(path, len(content), CHECK_BYTES)
        answer = self._gate.post(self._path("check"), content, {"path": name})
        return Findings.from_json(str(path), answer or {})

    def query(
        self,
        dataset: str,
        by: Sequence[str] | str = (),
        *,
        measures: Mapping[str, Mapping[str, str] | str] | None = None,
    ) -> QueryAnswer:
        """Ask the fixed tables (固定口径统计): groups ``by``, and ``measures`` such as ``{"n": "count"}``.

        ``by`` may be the name of one dimension. The answer shows itself as a table with errors and note;
        ``.to_pandas()`` and ``.plot()`` go on from it.

        Raises:
            BadArgument: the question is not of that form.
            NotAvailable: the service does not answer such questions for this dataset, with its reason.
        """
        by = _names(by)
        question: dict[str, Any] = {"dataset": _dataset(dataset), "by": by, "measures": _measures(measures)}
        return QueryAnswer.from_json(self._gate.post(self._path("queries"), question) or {}, by)

    def submit(self, path: str | os.PathLike[str]) -> Job:
        """Hand in a notebook or script: first a dry run on practice data, then the sealed run on raw data.

        It is the file as it was saved. A notebook goes without its results, so that another execution in the session
        is not other code, which people would have to read again.

        Raises:
            BadArgument, UnusableFile: ``path`` is no path, or there is no such file, or it is too large.
        """
        content = code_only(_path_of(path).name, _read(path, MAX_READ_BYTES))
        _check_size(path, len(content), CODE_BYTES)
        answer = self._gate.post(self._path("jobs"), content, {"filename": Path(path).name})
        job = answer.get("job") if isinstance(answer, dict) and isinstance(answer.get("job"), dict) else answer
        return Job(job or {}, self._job, self._cancel, self._rerun)

    def jobs(self) -> Listing[Job]:
        """The jobs handed in from this workspace."""
        items = _items(self._gate.get(self._path("jobs")), "jobs")
        return Listing(
            (Job(item, self._job, self._cancel, self._rerun) for item in items),
            Job.HEADINGS,
            Job.row,
            "还没有作业。 No job was handed in yet.",
        )

    def outputs(self) -> Listing[Output]:
        """The outputs that were released; ``outputs()[0].save()`` writes them below ``outputs/``."""
        items = _items(self._gate.get(self._path("outputs")), "outputs")
        return Listing(
            (Output(item, self._download) for item in items),
            Output.HEADINGS,
            Output.row,
            "还没有放行的产出。 Nothing was released yet.",
        )

    def _job(self, job_id: str) -> dict[str, Any]:
        return self._gate.get(self._path("jobs", job_id)) or {}

    def _cancel(self, job_id: str) -> dict[str, Any]:
        return self._gate.post(self._path("jobs", job_id, "cancel"), b"") or {}

    def _rerun(self, job_id: str) -> dict[str, Any]:
        return self._gate.post(self._path("jobs", job_id, "rerun"), b"") or {}

    def _download(self, output_id: str, name: str, line: ProgressLine) -> bytes:
        return self._gate.download(self._path("outputs", output_id, name), line.bytes)

    def _path(self, *parts: str) -> str:
        return "/".join([_ROOT, self.id, *parts])

    def __repr__(self) -> str:
        return f"Workspace({self.id!r})"

    def _repr_html_(self) -> str:
        answer = self._gate.get(f"{_ROOT}/{self.id}") or {}
        return facts(
            [
                ("沙箱 workspace", answer.get("name") or self.id),
                ("名称 title", words(answer.get("title"))),
                ("用途 purpose", words(answer.get("purpose"))),
                ("到期 expires", day(answer.get("expires_at"))),
            ]
        )


def _items(answer: Any, member: str) -> list[dict[str, Any]]:
    """The objects of a list answer: a bare list, or an object holding it."""
    if isinstance(answer, dict):
        answer = answer.get(member) or answer.get("items")
    return list(answer or [])


def _dataset(name: object) -> str:
    if not isinstance(name, str) or not name or "/" in name:
        raise BadArgument.dataset(name)
    return name


def _names(by: object) -> list[str]:
    if isinstance(by, str):
        return [by]
    if not isinstance(by, Iterable):
        raise BadArgument.by(by)
    given = list(by)
    found = [each for each in given if isinstance(each, str)]
    if len(found) != len(given):
        raise BadArgument.by(by)
    return found


def _measures(given: object) -> dict[str, Any]:
    if given is None:
        return {"count": "count"}
    if not isinstance(given, Mapping) or not given or not all(isinstance(name, str) for name in given):
        raise BadArgument.measures(given)
    return dict(given)


def _path_of(path: object) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise BadArgument.path(path)
    return Path(path)


def _read(path: str | os.PathLike[str], limit: int) -> bytes:
    """The bytes of a regular file within the limit."""
    file = _path_of(path)
    if not file.is_file():
        raise UnusableFile.missing(str(path))
    _check_size(path, file.stat().st_size, limit)
    return file.read_bytes()


def _check_size(path: str | os.PathLike[str], size: int, limit: int) -> None:
    if size > limit:
        raise UnusableFile.too_large(str(path), size, limit)
