"""What a job function gets: durable steps, progress, cancellation, and the worker's resources."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from opendata.db.engine import Database
from opendata.settings import Settings
from opendata.storage.editions import EditionStore
from opendata.storage.keys import KeyStore
from opendata.storage.vault import Vault


class JobContext(Protocol):
    """Handed to ``f(context, arguments)``.

    The function itself must decide from its arguments and its steps' results only (it is run again after a crash);
    everything that reads or writes belongs into a step. No method may be called inside a ``database.begin()`` block:
    progress is written in a transaction of its own.
    """

    job_id: str
    actor_id: str | None
    settings: Settings
    database: Database
    vault: Vault
    keys: KeyStore
    editions: EditionStore

    def step(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run ``function(*arguments)`` durably: at least once, its JSON result recorded and replayed after a crash.

        The function may be a closure over the context; arguments and results are small JSON references. A failing
        step raises JobFailed with the one safe sentence of its cause, a cancelled one JobCancelled; both are recorded
        like a result, so a job may catch them to clean up.
        """
        ...

    def progress(self, step: str, fraction: float, message: str = "") -> None:
        """Show how far a step is (0 to 1). Cheap to call often; also a cancellation point."""
        ...

    def check_cancelled(self) -> None:
        """Raise JobCancelled when somebody asked the job to stop."""
        ...


@dataclass(frozen=True, slots=True)
class Resources:
    """What the worker holds and a job may use."""

    settings: Settings
    database: Database
    vault: Vault
    keys: KeyStore
    editions: EditionStore

    @classmethod
    def of(cls, settings: Settings) -> Resources:
        """Opened from the home. Needs the worker's permissions."""
        keys = KeyStore(settings)
        return cls(settings, Database(settings), Vault(settings, keys), keys, EditionStore(settings))
