"""Start the hub: ``python -m sandbox.hub --home H --run R``. It runs as an ordinary user and waits for nobody.

Paths and addresses are arguments, secrets are files under ``keys/hub``. The proxy is started and watched by the hub.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.hub.options import HubOptions, HubSecrets
from sandbox.settings import SandboxSettings

_LONGEST_SOCKET_PATH = 100
_SECRET_IN_ADDRESS = re.compile(r"\b(code|state|token|client_secret|code_challenge|_xsrf)=[^&\s\"')]+")

_SESSION_ID = re.compile(r"xsrf cookie for b'[^']*'")


def options_from(arguments: list[str] | None) -> HubOptions:
    """The options of a command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.hub", description="JupyterHub of the data sandbox (数据沙箱的 JupyterHub)."
    )
    parser.add_argument("--home", type=Path, required=True, help="where hub/ and keys/hub/ are")
    parser.add_argument("--run", type=Path, required=True, help="directory of the sockets of this start; keep it short")
    parser.add_argument("--host", default="127.0.0.1", help="address the proxy listens on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8001, help="port the proxy listens on (default %(default)s)")
    parser.add_argument("--hub-url", default="http://sandbox.localhost:8001", help="how browsers reach the sandbox")
    parser.add_argument("--public-url", default="http://localhost:8000", help="how browsers reach the portal")
    parser.add_argument("--web-url", default="http://127.0.0.1:8000", help="how the hub reaches the web process")
    parser.add_argument("--idle", type=float, default=3600, metavar="S", help="stop a session unused that long")
    parser.add_argument("--longest", type=float, default=12 * 3600, metavar="S", help="no session lives longer")
    parser.add_argument("--poll", type=int, default=15, metavar="S", help="look at each session that often")
    parser.add_argument("--recheck", type=float, default=30, metavar="S", help="ask again for the right that often")
    parser.add_argument("--max-sessions", type=int, default=60, help="sessions at the same time")
    given = parser.parse_args(arguments)
    places = SandboxSettings(
        home=given.home.resolve(),
        run_dir=given.run.resolve(),
        hub_host=given.host,
        hub_port=given.port,
        hub_url=given.hub_url.rstrip("/"),
        public_url=given.public_url.rstrip("/"),
        max_sessions=given.max_sessions,
    )
    return HubOptions(
        places=places,
        keys_dir=places.home / "keys" / "hub",
        web_url=given.web_url.rstrip("/"),
        idle_s=given.idle,
        longest_s=given.longest,
        poll_s=given.poll,
        recheck_s=given.recheck,
    )


def prepare(options: HubOptions) -> HubSecrets:
    """Directories of the hub, old sockets gone, everything it needs there.

    Raises:
        SandboxUnavailable: the proxy is not installed, a socket's path would be too long, or a secret is unusable.
    """
    places = options.places
    os.umask(0o077)
    if not options.proxy_script.is_file():
        raise SandboxUnavailable(
            "没有安装代理程序，请运行 ./run setup。", "The proxy is not installed; run ./run setup."
        )
    longest = places.gate_dir("u50000-0123456789abcdef") / "hub.sock"
    if len(os.fsencode(longest)) > _LONGEST_SOCKET_PATH:
        raise SandboxUnavailable(
            "运行目录的路径过长，套接字无法建立；请用 --run 指定较短的目录。",
            "The run directory's path is too long for sockets; give a shorter one with --run.",
        )
    for directory in (places.hub_dir, places.hub_run_dir, places.hub_run_dir / "gates"):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return HubSecrets.load(options.keys_dir)


def scrub(text: str) -> str:
    """Log text with the secrets of addresses (codes, states, tokens) taken out."""
    return _SESSION_ID.sub("xsrf cookie", _SECRET_IN_ADDRESS.sub(r"\1=[secret]", text))


def scrub_all_logs() -> None:
    """Every log line of this process, whoever writes it: JupyterHub scrubs its own request lines, Tornado does not."""
    make = logging.getLogRecordFactory()

    def scrubbed(*args: Any, **options: Any) -> logging.LogRecord:
        record = make(*args, **options)
        if isinstance(record.msg, str) and (record.args or "=" in record.msg):
            try:
                record.msg, record.args = scrub(record.getMessage()), ()
            except (TypeError, ValueError):
                record.msg, record.args = "a log line that could not be written", ()
        return record

    logging.setLogRecordFactory(scrubbed)


def main(arguments: list[str] | None = None) -> int:
    """Run the hub until it is told to stop."""
    try:
        options = options_from(arguments)
        secrets = prepare(options)
    except SandboxError as error:
        print(f"sandbox.hub: {error.zh} {error.en}", file=sys.stderr)
        return 1
    os.chdir(options.places.hub_dir)
    scrub_all_logs()
    # Compiling this grammar at import costs seconds; jsonschema does without it.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

    from jupyterhub.app import JupyterHub

    from sandbox.hub.configuration import hand_over

    # Always a named file: without one JupyterHub would execute a jupyterhub_config.py lying in the current directory.
    JupyterHub.launch_instance([f"--config={hand_over(options, secrets)}"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
