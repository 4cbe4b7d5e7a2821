"""Structured logs: one JSON object a line on standard error, without values.

An exception is logged as its class and where it happened, never with its message: libraries put cell values there.
Log lines of other libraries keep their template, not the values filled into it; only named loggers pass whole.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, TextIO

import structlog

#: Loggers whose messages are about the process, not about data.
_WHOLE_MESSAGES = ("uvicorn.error", "alembic", "opendata")
_FRAMES = 12

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def configure(process: str, *, stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's logging to standard error as JSON."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _exception_without_message,
            _named(process),
            structlog.processors.JSONRenderer(ensure_ascii=False, default=lambda value: type(value).__name__),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = _ToStructlog()
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _WHOLE_MESSAGES:
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = True
        logging.getLogger(name).setLevel(logging.INFO if name == "opendata" else logging.WARNING)


def get_logger(name: str) -> Any:
    """A structlog logger; events are short fixed phrases, values are names, states, ids and counts."""
    return structlog.get_logger(component=name)


def where(error: BaseException) -> list[str]:
    """``file:line function`` of an error's innermost frames; no source text, no values."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return [f"{'/'.join(frame.filename.split('/')[-3:])}:{frame.lineno} {frame.name}" for frame in frames]


def _exception_without_message(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    del logger, method
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    elif isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"], event["where"] = type(error).__name__, where(error)
    return event


def _named(process: str) -> structlog.types.Processor:
    def add(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        del logger, method
        event["process"] = process
        return event

    return add


class _ToStructlog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        whole = any(record.name == name or record.name.startswith(f"{name}.") for name in _WHOLE_MESSAGES)
        event = record.getMessage() if whole else str(record.msg).split("\n", 1)[0][:200]
        logger = structlog.get_logger(component=record.name)
        logger.log(record.levelno, event.replace("%", "%%") if record.args else event, exc_info=record.exc_info)
