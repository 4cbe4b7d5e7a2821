"""Requests that wait for the worker: none holds a thread while it waits, and only some may wait at once.

Threads of the web process are shared by all pages. A waiting request sleeps on the event loop and looks now and then;
its person and everybody together have a number of places, beyond which the answer is 429 with a moment to try again.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from fastapi.concurrency import run_in_threadpool
from sqlalchemy.orm import Session

from opendata.db import Database
from opendata.web.problems import Problem

T = TypeVar("T")

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 0.8
RETRY_AFTER_S: Final = 10


class Places:
    """How many may wait at once: ``each`` of one person, ``most`` of all together."""

    def __init__(self, *, each: int, most: int) -> None:
        self.each, self.most = each, most
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def place(self, person: str) -> Iterator[None]:
        """A place until the block ends. Raises Problem (429)."""
        with self._lock:
            if self._taken[person] >= self.each:
                raise too_many(self.each)
            if self._taken.total() >= self.most:
                raise too_many(None)
            self._taken[person] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[person] -= 1
                if not self._taken[person]:
                    del self._taken[person]


def too_many(own: int | None) -> Problem:
    """Refuse now and say when to come again; ``own``: the person's own number is reached, else everybody's."""
    detail = (
        {"zh": "服务正忙。", "en": "The service is busy."}
        if own is None
        else {
            "zh": f"您已有 {own} 个同类请求在等待结果。",
            "en": f"You have {own} such requests waiting for their results already.",
        }
    )
    return Problem(
        429,
        "too-many-waiting",
        {"zh": "请求太多，请稍后再试", "en": "Too many requests; try again in a moment"},
        detail=detail,
        help_={"zh": f"请等 {RETRY_AFTER_S} 秒再试。", "en": f"Wait {RETRY_AFTER_S} seconds and try again."},
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


async def until(database: Database, look: Callable[[Session], T | None], *, seconds: float) -> T | None:
    """What ``look`` finds, asked again and again in short sessions; None when the time is over."""
    deadline, pause = time.monotonic() + seconds, FIRST_PAUSE_S

    def once() -> T | None:
        with database.session() as session:
            return look(session)

    while True:
        if (found := await run_in_threadpool(once)) is not None:
            return found
        if time.monotonic() + pause > deadline:
            return None
        await asyncio.sleep(pause)
        pause = min(pause * 1.3, LONGEST_PAUSE_S)
