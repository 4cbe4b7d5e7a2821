"""What the processes around a jail say to each other: specifications in, results and typed tables out.

Standard library only: this module is mounted into jails. Everything that comes *out* of a jail is hostile, so
``ParsedOutput.from_json`` checks every field and raises instead of guessing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from dataclasses import fields as dataclass_fields
from typing import Any, Final, Literal, Self, TypeAlias, get_args

VERSION: Final = 1
MIB: Final = 1024 * 1024
ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
ENTRY: Final = re.compile(r"[^\W_][\w .-]{0,99}")
"""What a notebook or script may be called: letters of any script, digits, space, dot, dash, underscore."""
ENTRY_BYTES: Final = 255
"""The longest name a file may have, in UTF-8; 100 letters of some scripts are longer."""
CODE_BYTES: Final = 2_000_000
"""The largest notebook (without its results) or script that may be handed in."""
CHECK_BYTES: Final = 4 * MIB
"""The largest file that may be sent to be checked."""
HOME_BYTES: Final = (16 * MIB, 64 * 1024 * MIB)
"""The smallest and largest home that may be asked for."""
ENV: Final = re.compile(r"(?:JUPYTER|JUPYTERHUB|SANDBOX|SBX)_[A-Z0-9_]{1,80}|LANG|TZ|LANGUAGE")
JAIL_PATH: Final = re.compile(rf"/data(?:/[A-Za-z0-9][A-Za-z0-9_.-]{{0,99}}){{1,3}}|/job/{ENTRY.pattern}")

JobKind: TypeAlias = Literal["dry", "sealed", "parse"]
JobState: TypeAlias = Literal["ok", "failed", "killed"]
JobReason: TypeAlias = Literal["exit", "timeout", "memory", "output", "cancelled", "unavailable"]
FileKind: TypeAlias = Literal["table", "figure", "notebook", "rejected"]
ColumnType: TypeAlias = Literal["integer", "number", "string", "boolean", "date"]
CheckState: TypeAlias = Literal["stopped", "missing"]
Cell: TypeAlias = bool | int | float | str | None


class BadContract(ValueError):
    """A message between the processes is not in the agreed form. Names the field, never its value."""


def is_entry(name: str) -> bool:
    """Whether a notebook or script may have this name, in every process it comes by.

    >>> is_entry("示例 example.ipynb"), is_entry("a/b.py"), is_entry(".x.py"), is_entry("字" * 97 + ".py")
    (True, False, False, False)
    """
    return bool(ENTRY.fullmatch(name)) and len(name.encode()) <= ENTRY_BYTES


@dataclass(frozen=True, slots=True)
class Limits:
    """What one jail may use. Bytes, cores, processes and threads, seconds of wall clock."""

    memory_bytes: int = 2048 * MIB
    cpus: float = 1.0
    pids: int = 128
    wall_s: float = 600.0
    output_bytes: int = 16 * MIB
    output_files: int = 20
    data_bytes: int = 1024 * MIB

    def __post_init__(self) -> None:
        for name in ("memory_bytes", "pids", "output_bytes", "output_files", "data_bytes"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
                raise BadContract(f"limits.{name} must be a positive whole number")
        for name in ("cpus", "wall_s"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise BadContract(f"limits.{name} must be in (0, inf)")

    @classmethod
    def from_json(cls, given: object) -> Self:
        """Read what ``asdict`` wrote; unknown or missing fields are an error."""
        return cls(**_fields(given, "limits", cls))


@dataclass(frozen=True, slots=True)
class Ticks:
    """Moments at which anything an author can see of a sealed job may change, in seconds after it was queued.

    ``base_s`` is the first tick, each is twice the one before until ``wall_s``, the longest run, is passed; later
    ones are ``wall_s`` apart. Both must be in (0, inf).
    """

    base_s: float = 15.0
    wall_s: float = 600.0

    def __post_init__(self) -> None:
        for name in ("base_s", "wall_s"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise BadContract(f"ticks.{name} must be in (0, inf)")

    @property
    def count(self) -> int:
        """How many ticks there are, the one at or after the wall limit included."""
        return max(1, math.ceil(math.log2(self.wall_s / self.base_s)) + 1)

    def last(self, elapsed: float) -> float | None:
        """The latest tick not after ``elapsed``; None before the first."""
        if elapsed < self.base_s:
            return None
        exponent = min(int(math.log2(elapsed / self.base_s)), self.count - 1)
        tick = self.base_s * 2**exponent
        if exponent == self.count - 1:
            tick += math.floor((elapsed - tick) / self.wall_s) * self.wall_s
        return tick

    def next(self, elapsed: float) -> float:
        """The earliest tick not before ``elapsed``."""
        tick, count = self.base_s, 1
        while tick < elapsed and count < self.count:
            tick, count = tick * 2, count + 1
        if tick < elapsed:
            tick += math.ceil((elapsed - tick) / self.wall_s) * self.wall_s
        return tick


@dataclass(frozen=True, slots=True)
class QuietRule:
    """What must stand still while a sealed job of a level runs, and without which checks none may run.

    ``everyone``: all sessions and all jobs whose results are shown, whatever their workspace, so that the host is the
    job's own. Otherwise those of its workspace and of the workspaces that share a member or organisation with it.
    """

    everyone: bool
    needs: tuple[str, ...]


QUIET_RULES: Final[Mapping[str, QuietRule]] = {
    "L1": QuietRule(everyone=False, needs=("freeze",)),
    "L2": QuietRule(everyone=False, needs=("freeze",)),
    "L3": QuietRule(everyone=True, needs=("freeze", "cgroup", "uid_per_session", "scrub")),
    "L4": QuietRule(everyone=True, needs=("freeze", "cgroup", "uid_per_session", "scrub")),
}
"""PRIVACY.md 15, by the level of the workspace's data. A level that is not here runs no sealed job."""


COUNTER_STEPS: Final = 6
"""To how many different totals the launcher pads the host's counters of inodes after a sealed job."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """The quiet time around a sealed job: since when it counts (seconds since 1970), its ticks, whom it concerns.

    It begins with the run and ends at the first tick after the worker has called ``settle``, whatever came out.
    """

    level: str
    queued_at: float
    ticks: Ticks = field(default_factory=Ticks)
    kin: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.level not in QUIET_RULES:
            raise BadContract("quiet.level is not one at which sealed jobs run")
        if isinstance(self.queued_at, bool) or not isinstance(self.queued_at, int | float):
            raise BadContract("quiet.queued_at must be a moment in seconds")
        if not math.isfinite(self.queued_at):
            raise BadContract("quiet.queued_at must be a moment in seconds")
        for name in self.kin:
            _match(name, ID, "quiet.kin")

    @property
    def rule(self) -> QuietRule:
        """What its level asks for."""
        return QUIET_RULES[self.level]

    @classmethod
    def from_json(cls, given: object) -> Self:
        """Read what ``asdict`` wrote."""
        fields = _fields(given, "quiet", cls)
        if not isinstance(fields["kin"], list | tuple):
            raise BadContract("quiet.kin must be a list")
        fields["kin"] = tuple(fields["kin"])
        fields["ticks"] = Ticks(**_fields(fields["ticks"], "ticks", Ticks))
        return cls(**fields)


PARSE_LIMITS: Final = Limits(memory_bytes=1024 * MIB, wall_s=120.0, output_bytes=64 * MIB, output_files=1)


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One run of someone's code, or (kind ``parse``) of our parser over someone's outputs.

    ``dry`` (practice data) and ``sealed`` (raw data) use the same jail. ``entry`` is the file under ``/job``:
    ``analysis.ipynb`` or ``x.py``; for ``parse`` it is ``outputs.tar``. A sealed job, and no other, says its ``quiet``
    time. ``sealed_output`` marks the parsing of what a sealed job wrote: the only jobs whose result no author sees.
    """

    id: str
    workspace: str
    kind: JobKind
    entry: str
    limits: Limits = field(default_factory=Limits)
    quiet: Quiet | None = None
    sealed_output: bool = False

    def __post_init__(self) -> None:
        _match(self.id, ID, "job.id")
        _match(self.workspace, ID, "job.workspace")
        if not isinstance(self.entry, str) or not is_entry(self.entry):
            raise BadContract("job.entry has characters or a length that are not allowed")
        if self.kind not in get_args(JobKind):
            raise BadContract("job.kind must be dry, sealed or parse")
        if not self.entry.endswith((".tar",) if self.kind == "parse" else (".ipynb", ".py")):
            raise BadContract("job.entry must be a notebook (.ipynb) or a script (.py)")
        if not isinstance(self.quiet, Quiet if self.kind == "sealed" else type(None)):
            raise BadContract("job.quiet belongs to sealed jobs and to each of them")
        if not isinstance(self.sealed_output, bool) or (self.sealed_output and self.kind != "parse"):
            raise BadContract("job.sealed_output belongs to kind parse")

    @property
    def shown(self) -> bool:
        """Whether an author sees its result, and by it how fast, after what and beside what it ran."""
        return self.kind != "sealed" and not self.sealed_output

    def to_json(self) -> dict[str, Any]:
        """For the line to the launcher."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: object) -> Self:
        """Read what ``to_json`` wrote."""
        fields = _fields(given, "job", cls)
        fields["limits"] = Limits.from_json(fields["limits"])
        if fields["quiet"] is not None:
            fields["quiet"] = Quiet.from_json(fields["quiet"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a run ended. For the worker only: an author sees none of it before the votes (PRIVACY.md 14)."""

    state: JobState
    reason: JobReason
    exit_code: int | None
    seconds: float
    peak_memory: int | None
    output_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """For the line back to the worker."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: object) -> Self:
        """Read what ``to_json`` wrote."""
        result = cls(**_fields(given, "result", cls))
        if result.state not in get_args(JobState) or result.reason not in get_args(JobReason):
            raise BadContract("result.state or result.reason is unknown")
        return result


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """One interactive server. ``datasets`` are names under the workspace's data; ``env`` goes to the server only.

    ``imports`` are names of the members' own imports, which the worker has put into the launcher's memory before.
    ``user_index`` is the person's small stable number; the uid outside the jail is made from it. ``home_bytes`` is the
    size of a home that is made for it, 0 for the launcher's own setting; a home that is there keeps its size.
    """

    id: str
    user_index: int
    workspace: str
    datasets: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    imports: tuple[str, ...] = ()
    home_bytes: int = 0

    def __post_init__(self) -> None:
        _match(self.id, ID, "session.id")
        _match(self.workspace, ID, "session.workspace")
        if isinstance(self.user_index, bool) or not isinstance(self.user_index, int):
            raise BadContract("session.user_index must be a whole number")
        if not 0 <= self.user_index < 50_000:
            raise BadContract("session.user_index must be in [0, 50000)")
        if isinstance(self.home_bytes, bool) or not isinstance(self.home_bytes, int):
            raise BadContract("session.home_bytes must be a whole number")
        if self.home_bytes and not HOME_BYTES[0] <= self.home_bytes <= HOME_BYTES[1]:
            raise BadContract("session.home_bytes must be 0 or in [16 MiB, 64 GiB]")
        for name in (*self.datasets, *self.imports):
            _match(name, ID, "session.datasets and session.imports")
        for name, value in self.env.items():
            _match(name, ENV, "session.env")
            if not isinstance(value, str) or "\0" in value:
                raise BadContract(f"session.env {name} must be text")

    def to_json(self) -> dict[str, Any]:
        """For the line to the launcher; holds tokens, so it is never logged."""
        return {**asdict(self), "env": dict(self.env), "datasets": list(self.datasets), "imports": list(self.imports)}

    @classmethod
    def from_json(cls, given: object) -> Self:
        """Read what ``to_json`` wrote."""
        fields = _fields(given, "session", cls)
        lists = all(isinstance(fields[name], list) for name in ("datasets", "imports"))
        if not lists or not isinstance(fields["env"], dict):
            raise BadContract("session.datasets and session.imports must be lists and session.env an object")
        fields["datasets"], fields["imports"] = tuple(fields["datasets"]), tuple(fields["imports"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing a jail must stop, and whether it does here."""

    name: str
    state: CheckState
    zh: str
    en: str

    @property
    def stopped(self) -> bool:
        """Whether this machine enforces it."""
        return self.state == "stopped"


@dataclass(frozen=True, slots=True)
class Enforcement:
    """What the launcher's probes found when it started.

    The door is open only if every check of ``REQUIRED`` is stopped. The others (``uid_per_session``, ``cgroup``,
    ``freeze``, ``scrub``) make the sandbox weaker where they are missing; ``opendata doctor`` shows them, and sealed
    jobs of a level need what ``QUIET_RULES`` says.
    """

    checks: tuple[Check, ...]

    REQUIRED = ("bubblewrap", "kernel_env", "memory_bomb", "fork_bomb", "network", "host_files")

    @property
    def open(self) -> bool:
        """Whether anything may run at all."""
        stopped = {check.name for check in self.checks if check.stopped}
        return stopped.issuperset(self.REQUIRED)

    def lacking(self, level: str) -> tuple[Check, ...]:
        """What this machine lacks for sealed jobs of that level: none may run unless this is empty.

        Raises:
            BadContract: no sealed job of that level ever runs.
        """
        if level not in QUIET_RULES:
            raise BadContract("level is not one at which sealed jobs run")
        found = {check.name: check for check in self.checks}
        needed = (
            found.get(name, Check(name, "missing", f"{name} 未检测。", f"{name} was not probed."))
            for name in (*self.REQUIRED, *QUIET_RULES[level].needs)
        )
        return tuple(check for check in needed if not check.stopped)

    def __getitem__(self, name: str) -> Check:
        """The check of that name. Raises ``KeyError``."""
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(name)

    @property
    def missing(self) -> tuple[Check, ...]:
        """What is not enforced."""
        return tuple(check for check in self.checks if not check.stopped)

    def to_json(self) -> dict[str, Any]:
        """For the line back and for ``enforcement.json``."""
        return {"version": VERSION, "open": self.open, "checks": [asdict(check) for check in self.checks]}

    @classmethod
    def from_json(cls, given: object) -> Self:
        """Read what ``to_json`` wrote."""
        if not isinstance(given, dict) or given.get("version") != VERSION or not isinstance(given.get("checks"), list):
            raise BadContract("enforcement is not in version 1 form")
        return cls(tuple(Check(**_fields(check, "check", Check)) for check in given["checks"]))


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the parser noticed about a file. ``count`` counts cells or lines; no value is ever quoted."""

    code: str
    zh: str
    en: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class ParsedColumn:
    """Name and type of one column of a typed table."""

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """One output: a typed table, the words of a figure (``member``, ``value``), the executed notebook (checkers only,
    never released), or a refusal.

    Dates are ISO texts. ``sha256`` and ``bytes`` are those of the file as the job wrote it.
    """

    name: str
    kind: FileKind
    bytes: int
    sha256: str
    columns: tuple[ParsedColumn, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = field(default=(), repr=False)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedOutput:
    """Everything one job produced, in typed form."""

    files: tuple[ParsedFile, ...]

    def to_json(self) -> dict[str, Any]:
        """The form the parser writes."""
        files = [
            {
                "name": file.name,
                "kind": file.kind,
                "bytes": file.bytes,
                "sha256": file.sha256,
                "columns": [asdict(column) for column in file.columns],
                "rows": file.rows,
                "findings": [asdict(finding) for finding in file.findings],
            }
            for file in self.files
        ]
        return {"version": VERSION, "files": files}

    @classmethod
    def from_json(cls, given: str | bytes) -> Self:
        """Read the parser's answer, trusting nothing in it.

        Raises:
            BadContract: a field is missing, of another type, or a row has another width than the columns.
        """
        try:
            document = json.loads(given, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise BadContract("parsed output is not JSON") from error
        if not isinstance(document, dict) or document.get("version") != VERSION:
            raise BadContract("parsed output is not in version 1 form")
        files = document.get("files")
        if not isinstance(files, list):
            raise BadContract("parsed output has no list of files")
        return cls(tuple(_parsed_file(file) for file in files))


CELL_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "date": (str,),
}


def _parsed_file(given: object) -> ParsedFile:
    fields = _fields(given, "file", ParsedFile)
    for name in ("columns", "rows", "findings"):
        if not isinstance(fields[name], list):
            raise BadContract(f"file.{name} must be a list")
    if fields["kind"] not in get_args(FileKind):
        raise BadContract("file.kind is unknown")
    _text(fields["name"], "file.name", 200)
    if not isinstance(fields["sha256"], str) or not re.fullmatch(r"[0-9a-f]{64}", fields["sha256"]):
        raise BadContract("file.sha256 must be 64 hex characters")
    _count(fields["bytes"], "file.bytes")
    columns = tuple(ParsedColumn(**_fields(column, "column", ParsedColumn)) for column in fields["columns"])
    for column in columns:
        _text(column.name, "column.name", 200)
        if column.type not in get_args(ColumnType):
            raise BadContract("column.type is unknown")
    findings = tuple(Finding(**_fields(finding, "finding", Finding)) for finding in fields["findings"])
    for finding in findings:
        _match(finding.code, ID, "finding.code")
        _text(finding.zh, "finding.zh", 500)
        _text(finding.en, "finding.en", 500)
        _count(finding.count, "finding.count")
    rows = tuple(_row(row, columns) for row in fields["rows"])
    return ParsedFile(
        name=fields["name"],
        kind=fields["kind"],
        bytes=fields["bytes"],
        sha256=fields["sha256"],
        columns=columns,
        rows=rows,
        findings=findings,
    )


def _row(given: object, columns: tuple[ParsedColumn, ...]) -> tuple[Cell, ...]:
    if not isinstance(given, list) or len(given) != len(columns):
        raise BadContract("a row has another width than the columns")
    for cell, column in zip(given, columns, strict=True):
        if cell is None:
            continue
        if isinstance(cell, bool) != (column.type == "boolean") or not isinstance(cell, CELL_TYPES[column.type]):
            raise BadContract("a cell is not of its column's type")
    return tuple(given)


def _fields(given: object, what: str, cls: Any) -> dict[str, Any]:
    """The fields of ``cls`` from a JSON object: exactly these, nothing else."""
    if not isinstance(given, dict):
        raise BadContract(f"{what} must be an object")
    known = {known.name for known in dataclass_fields(cls)}
    if set(given) != known:
        raise BadContract(f"{what} must have exactly the fields {sorted(known)}")
    return dict(given)


def _match(given: object, pattern: re.Pattern[str], what: str) -> None:
    if not isinstance(given, str) or not pattern.fullmatch(given):
        raise BadContract(f"{what} has characters or a length that are not allowed")


def _text(given: object, what: str, longest: int) -> None:
    if not isinstance(given, str) or len(given) > longest:
        raise BadContract(f"{what} must be text of at most {longest} characters")


def _count(given: object, what: str) -> None:
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise BadContract(f"{what} must be a count")


def _no_constant(name: str) -> None:
    raise BadContract(f"parsed output holds {name}, which JSON does not know")
