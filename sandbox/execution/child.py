"""Running a keeper in a forked child and hearing how it ended, exceptions included."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final

from sandbox.contracts import JobResult
from sandbox.errors import LauncherBusy, LauncherRefused, SandboxError, SandboxUnavailable
from sandbox.execution.forks import die_with, plain_signals
from sandbox.execution.jail import read_host
from sandbox.execution.keeper import keep
from sandbox.execution.order import Order

CODES: Final[tuple[tuple[type[SandboxError], str], ...]] = (
    (SandboxUnavailable, "unavailable"),
    (LauncherBusy, "busy"),
    (LauncherRefused, "refused"),
)


def keep_in_child(order: Order) -> JobResult:
    """Run the jail in a child process (the keeper changes its own mount namespace) and wait for its end.

    Raises:
        SandboxUnavailable, LauncherRefused: as ``keep`` does.
    """
    read_host()
    read, write = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            plain_signals()
            die_with(parent)
            os.write(write, json.dumps(answer(order)).encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as file:
        answered = file.read()
    os.waitpid(child, 0)
    if not answered:
        raise SandboxUnavailable("隔离环境的看守进程中断。", "The keeper of the jail broke off.")
    return result_of(json.loads(answered))


def answer(order: Order) -> dict[str, Any]:
    """Keep the jail; the result or the error as the document that goes over the socket."""
    try:
        return {"result": keep(order).to_json()}
    except SandboxError as error:
        return error_document(error)
    except OSError as error:
        return error_document(
            SandboxUnavailable(f"启动器出错：{error.strerror}。", f"The launcher failed: {error.strerror}.")
        )


def result_of(document: Mapping[str, Any]) -> JobResult:
    """The opposite of ``answer``."""
    if "error" in document:
        kinds = {code: kind for kind, code in CODES}
        raise kinds.get(document["error"], SandboxError)(document["zh"], document["en"])
    return JobResult.from_json(document["result"])


def error_document(error: SandboxError) -> dict[str, Any]:
    """What the client reads as an error."""
    code = next((code for kind, code in CODES if isinstance(error, kind)), "refused")
    return {"error": code, "zh": error.zh, "en": error.en}
