"""Forms of pages as plain text fields, and work for the thread pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response


async def text_fields(request: Request) -> dict[str, str]:
    """The fields of a form, files left out."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


async def in_thread(function: Callable[..., Response], *arguments: Any) -> Response:
    """The answer of a function that waits for the database."""
    return await run_in_threadpool(function, *arguments)
