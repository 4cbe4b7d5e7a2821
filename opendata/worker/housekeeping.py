"""What nobody needs any more is removed, at the start and every hour: abandoned uploads, expired secrets.

An upload is acknowledged when its row commits. A sealed file that no job refers to a day later never was, and nobody
can ask for its erasure, so it goes.
"""

from __future__ import annotations

import stat
import threading
import time
from pathlib import Path

from sqlalchemy import String, cast, select

from opendata.db.base import utc_now
from opendata.identity.service import prune_tokens
from opendata.jobs.context import Resources
from opendata.jobs.models import Job
from opendata.logs import get_logger, where
from opendata.settings import Settings

EVERY_S = 3600.0
STALE_S = 24 * 3600

_log = get_logger("opendata.worker.housekeeping")


class Housekeeper:
    """A thread that cleans up."""

    def __init__(self, resources: Resources, *, every_s: float = EVERY_S) -> None:
        self._resources = resources
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="housekeeper", daemon=True)

    def start(self) -> None:
        """Clean up now and then again and again."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; a round in the middle is not waited for."""
        self._stop.set()

    def _loop(self) -> None:
        while True:
            try:
                once(self._resources)
            except Exception as error:  # noqa: BLE001 (what stays is tried again)
                _log.error("housekeeping failed", error=type(error).__name__, where=where(error))
            if self._stop.wait(self._every_s):
                return


def once(resources: Resources) -> None:
    """One round."""
    uploads = remove_stale_uploads(resources.settings) + remove_orphaned_uploads(resources)
    with resources.database.begin() as session:
        secrets = prune_tokens(session, now=utc_now())
    if uploads or secrets:
        _log.info("cleaned up", uploads=uploads, secrets=secrets)


def remove_stale_uploads(settings: Settings, *, older_than_s: float = STALE_S) -> int:
    """Delete what interrupted uploads left in the drop; they were never acknowledged. Returns how many."""
    old = [path for path in settings.incoming_dir.glob("*.part") if _is_old(path, older_than_s)]
    return sum(_remove(path) for path in old)


def remove_orphaned_uploads(resources: Resources, *, older_than_s: float = STALE_S) -> int:
    """Delete whole sealed uploads that no job refers to: their row was never committed. Returns how many."""
    removed = 0
    for path in resources.settings.incoming_dir.glob("*.sealed"):
        if not _is_old(path, older_than_s):
            continue
        named = cast(Job.arguments, String).contains(f'"{path.stem}"', autoescape=True)
        with resources.database.session() as session:
            known = session.scalar(select(Job.id).where(named).limit(1))
        removed += known is None and _remove(path)
    return removed


def _is_old(path: Path, older_than_s: float) -> bool:
    try:
        state = path.lstat()
    except FileNotFoundError:  # the job has just taken it
        return False
    return stat.S_ISREG(state.st_mode) and time.time() - state.st_mtime > older_than_s


def _remove(path: Path) -> bool:
    path.unlink(missing_ok=True)
    return True
