"""Cheap answers to "is it ready?" for the supervisor: an HTTP status, a socket that accepts."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path


def http_ready(host: str, port: int, path: str) -> bool:
    """Whether GET succeeds within two seconds. A proxy without its routes answers 404: that is not ready."""
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def socket_ready(path: Path) -> bool:
    """Whether somebody accepts on a unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
