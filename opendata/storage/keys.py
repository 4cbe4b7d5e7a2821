"""Keys and the home's owners and modes. Private halves never leave ``keys/<process>``; nothing here has a useful repr."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from opendata.ledger.checkpoint import SigningKey
from opendata.settings import Settings


class KeyStore:
    """The worker's keys: KEK, intake data keys, recipient-line keys, checkpoint and release keys, vault key."""

    def __init__(self, settings: Settings) -> None:
        raise NotImplementedError

    def intake_key(self, intake_id: str) -> bytes:
        """The 32-byte data key of an intake; made at first use. Raises NotFoundError once destroyed."""
        raise NotImplementedError

    def destroy_intake_key(self, intake_id: str) -> None:
        raise NotImplementedError

    def line_key(self, line_id: str) -> bytes:
        """The 32 random bytes of a recipient line; made at first use. Raises NotFoundError once destroyed."""
        raise NotImplementedError

    def destroy_line_key(self, line_id: str) -> None:
        raise NotImplementedError

    def checkpoint_key(self) -> SigningKey:
        """Signs ledger checkpoints."""
        raise NotImplementedError

    def release_key(self) -> Ed25519PrivateKey:
        """Signs receipts of editions and released outputs."""
        raise NotImplementedError


def initialise(settings: Settings) -> None:
    """Create the home, users, directories and keys with their owners and modes, or bring them back to those.

    As root: users ``opendata-web``, ``-worker``, ``-hub`` and group ``opendata`` are created. Safe to call again.
    Raises ConfigurationError rather than use a home that somebody else owns or can write.
    """
    raise NotImplementedError


def public_key(settings: Settings, name: str) -> bytes:
    """Contents of ``keys/public/<name>.pub``: vault (32 raw bytes), checkpoint (note verifier line), release (PEM)."""
    raise NotImplementedError
