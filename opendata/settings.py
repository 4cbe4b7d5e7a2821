"""Settings: built once at the edge, frozen, passed on. The only reader of the environment.

Every path of the home directory has its name here, so that owners and modes (``opendata.storage.keys.initialise``) and
their users cannot disagree.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from opendata.errors import ConfigurationError

#: A unix socket's path must fit into sockaddr_un (108 bytes); the rest is room for the socket's own name.
RUN_DIR_BYTES = 70
#: The hub names sockets inside addresses, whose host part is lower-cased and allows few characters.
_RUN_DIR = re.compile(r"[a-z0-9/._-]+")
_FIELDS_FROM_ENVIRONMENT = (
    "home",
    "database_url",
    "host",
    "port",
    "hub_host",
    "hub_port",
    "public_url",
    "hub_url",
    "run_dir",
    "policies_dir",
    "demo",
)


@dataclass(frozen=True, slots=True)
class ProcessUsers:
    """Names of the system users the processes run under; all None when everything runs under one uid."""

    web: str | None
    worker: str | None
    hub: str | None
    group: str | None

    @property
    def separated(self) -> bool:
        """Whether each process has its own uid."""
        return self.web is not None


SEPARATE_USERS = ProcessUsers(web="opendata-web", worker="opendata-worker", hub="opendata-hub", group="opendata")
ONE_USER = ProcessUsers(web=None, worker=None, hub=None, group=None)


@dataclass(frozen=True, slots=True)
class Settings:
    """One service: where it lives, what it listens on, who runs it.

    ``home``: the service's directory (absolute). ``database_url``: an SQLAlchemy URL, SQLite in the home by default.
    ``run_dir``: sockets; short. ``as_root``: the home belongs to root and processes have their own uids.
    """

    home: Path
    database_url: str = dataclasses.field(repr=False)  # a PostgreSQL URL may hold a password
    host: str
    port: int
    hub_host: str
    hub_port: int
    public_url: str
    hub_url: str
    run_dir: Path
    policies_dir: Path
    demo: bool
    as_root: bool
    users: ProcessUsers

    @classmethod
    def load(cls, home: Path | str | None = None, **overrides: Any) -> Self:
        """Settings from overrides, then ``OPENDATA_*`` in the environment, then defaults.

        An override of None counts as not given. Raises ConfigurationError for an unknown name or a malformed value.
        """
        given: dict[str, Any] = {
            name: os.environ[f"OPENDATA_{name.upper()}"]
            for name in _FIELDS_FROM_ENVIRONMENT
            if os.environ.get(f"OPENDATA_{name.upper()}")
        }
        given |= {name: value for name, value in overrides.items() if value is not None}
        if home is not None:
            given["home"] = home
        unknown = sorted(given.keys() - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise ConfigurationError(f"未知的设置项 {unknown}（unknown settings）")
        return cls(**_completed(given))

    # Places. Who may do what there: opendata.storage.keys.

    @property
    def vault_dir(self) -> Path:
        """Sealed intakes and quarantine; worker only, except ``incoming``."""
        return self.home / "vault"

    @property
    def incoming_dir(self) -> Path:
        """Write-only drop for uploads that web sealed to the vault's public key."""
        return self.vault_dir / "incoming"

    @property
    def editions_dir(self) -> Path:
        """Open storage, content-addressed; written by the worker, read by web."""
        return self.home / "editions"

    @property
    def ledger_dir(self) -> Path:
        """Checkpoints and exports (the tree is in the database)."""
        return self.home / "ledger"

    @property
    def keys_dir(self) -> Path:
        """``worker/``, ``web/``, ``hub/`` each for its own process; ``public/`` for everybody."""
        return self.home / "keys"

    @property
    def hub_dir(self) -> Path:
        """JupyterHub's state."""
        return self.home / "hub"

    @property
    def workspaces_dir(self) -> Path:
        """Practice data and released outputs of workspaces."""
        return self.home / "workspaces"

    @property
    def logs_dir(self) -> Path:
        """Process logs, opened by the supervisor."""
        return self.home / "logs"

    @property
    def database_file(self) -> Path:
        """The SQLite file, whether used or not."""
        return self.home / "opendata.sqlite"

    @property
    def jobs_file(self) -> Path:
        """DBOS's tables on SQLite, in the worker's own directory: nobody else can plant a journal beside them."""
        return self.home / "jobs" / "jobs.sqlite"

    @property
    def rawdoor_socket(self) -> Path:
        """Where the worker answers one logged view at a time; the group of web may connect."""
        return self.run_dir / "worker" / "rawdoor.sock"

    @property
    def launcher_hub_socket(self) -> Path:
        """The launcher's socket for the hub."""
        return self.run_dir / "launcher-hub.sock"

    @property
    def launcher_worker_socket(self) -> Path:
        """The launcher's socket for the worker."""
        return self.run_dir / "launcher-worker.sock"


def _completed(given: dict[str, Any]) -> dict[str, Any]:
    home = Path(given.get("home") or _checkout() / "var").expanduser().resolve()
    as_root = _boolean("as_root", given.get("as_root", _of_root(home)))
    port = _port("port", given.get("port", 8000))
    hub_port = _port("hub_port", given.get("hub_port", 8001))
    run_dir = Path(given["run_dir"]).resolve() if given.get("run_dir") else _run_dir(home, as_root=as_root)
    if len(os.fsencode(run_dir)) > RUN_DIR_BYTES:
        raise ConfigurationError(
            f"run_dir 过长：{len(os.fsencode(run_dir))} 字节，最多 {RUN_DIR_BYTES} 字节（run_dir too long）"
        )
    if not _RUN_DIR.fullmatch(str(run_dir)):
        raise ConfigurationError("run_dir 只能含 a-z、0-9、/、.、_、-（run_dir: lower-case letters and digits only）")
    users = given.get("users") or (SEPARATE_USERS if as_root else ONE_USER)
    return {
        "home": home,
        "database_url": str(given.get("database_url") or f"sqlite:///{home / 'opendata.sqlite'}"),
        "host": str(given.get("host", "127.0.0.1")),
        "port": port,
        "hub_host": str(given.get("hub_host", "127.0.0.1")),
        "hub_port": hub_port,
        "public_url": str(given.get("public_url") or f"http://localhost:{port}").rstrip("/"),
        "hub_url": str(given.get("hub_url") or f"http://sandbox.localhost:{hub_port}").rstrip("/"),
        "run_dir": run_dir,
        "policies_dir": Path(given.get("policies_dir") or _checkout() / "policies").resolve(),
        "demo": _boolean("demo", given.get("demo", False)),
        "as_root": as_root,
        "users": users,
    }


def _checkout() -> Path:
    return Path(__file__).resolve().parent.parent


def _run_dir(home: Path, *, as_root: bool) -> Path:
    """In the home if its name is short and plain, else a private directory whose name follows from the home's."""
    inside = home / "run"
    if len(os.fsencode(inside)) <= RUN_DIR_BYTES and _RUN_DIR.fullmatch(str(inside)):
        return inside
    mark = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return Path("/run") / f"opendata-{mark}" if as_root else Path("/tmp") / f"opendata-{os.geteuid()}-{mark}"  # noqa: S108 (owner and mode are checked by initialise)


def _of_root(home: Path) -> bool:
    """A home of root's has separate users, whichever of them is asking; a new one gets them when root makes it."""
    try:
        return home.stat().st_uid == 0
    except FileNotFoundError:
        return os.geteuid() == 0


def _port(name: str, value: Any) -> int:
    try:
        port = int(value)
    except (TypeError, ValueError):
        port = 0
    if not 0 < port < 65536:
        raise ConfigurationError(f"{name} 必须是 1 到 65535 的整数（must be a port number）")
    return port


def _boolean(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if str(value).lower() not in known:
        raise ConfigurationError(f"{name} 必须是 true 或 false（must be true or false）")
    return known[str(value).lower()]
