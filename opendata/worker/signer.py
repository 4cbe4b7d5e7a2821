"""Signs a ledger checkpoint whenever the tree grew, and lays the newest one into ``ledger/checkpoint``."""

from __future__ import annotations

import threading

from sqlalchemy.orm import Session

from opendata.errors import LedgerError
from opendata.jobs.context import Resources
from opendata.ledger.checkpoint import Verifier
from opendata.ledger.service import latest_checkpoint, root, sign_checkpoint, size
from opendata.logs import get_logger, where
from opendata.storage.files import atomic_writer
from opendata.storage.keys import public_key

_EVERY_S = 1.0

_log = get_logger("opendata.worker.signer")


class CheckpointSigner:
    """A thread that signs."""

    def __init__(self, resources: Resources, *, every_s: float = _EVERY_S) -> None:
        self._resources = resources
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="checkpoint-signer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop and wait for the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    @property
    def alive(self) -> bool:
        """Whether it is running."""
        return self._thread.is_alive()

    def sign_once(self) -> bool:
        """Sign if the tree grew; whether it did."""
        database, settings = self._resources.database, self._resources.settings
        with database.session() as session:
            previous = latest_checkpoint(session)
            if size(session) == (previous.size if previous is not None else 0):
                return False
        with database.begin() as session:
            self._check_own_last(session)
            checkpoint = sign_checkpoint(session, self._resources.keys.checkpoint_key())
            note = checkpoint.note if checkpoint is not None else None
        if note is None:
            return False
        mode = 0o640 if settings.users.separated else 0o600
        with atomic_writer(settings.ledger_dir / "checkpoint", mode=mode) as file:
            file.write(note.encode())
        return True

    def _check_own_last(self, session: Session) -> None:
        """The head in the worker's own file must be in the tree: whoever rewrites the database can drop its rows too.

        Raises LedgerError.
        """
        settings = self._resources.settings
        try:
            note = (settings.ledger_dir / "checkpoint").read_text("utf-8")
        except FileNotFoundError:
            return
        head = Verifier.parse(public_key(settings, "checkpoint").decode()).verify(note)
        if head.size > size(session) or root(session, head.size) != head.root:
            raise LedgerError("存证账本与本机最后签名的检查点不一致，拒绝签名（history was rewritten; not signed）")

    def _loop(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self.sign_once()
            except Exception as error:  # noqa: BLE001 (a refusal to sign is loud, and is tried again)
                _log.error("checkpoint not signed", error=type(error).__name__, where=where(error))
