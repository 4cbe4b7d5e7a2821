"""Tokens that mean nothing inside a jail.

A session's server needs the hub's tokens to sign people in. It gets them sealed: encrypted under the gate's key and
bound to that session. Only that session's gate opens them again, on the way to the hub, so what code in the jail reads
is of no use anywhere else. Nothing is stored: a restarted hub opens what it sealed before.
"""

from __future__ import annotations

import base64
import binascii
import secrets

_PREFIX = "sealed-"
_NONCE_BYTES = 12


class NotOurs(Exception):
    """The text was not sealed by this hub for this session. The caller answers 403 and nothing else."""


class Sealer:
    """Seals and opens tokens. ``key``: 32 bytes, AES-256-GCM with a random nonce; the session's id is authenticated."""

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(key)

    def seal(self, token: str, session: str) -> str:
        """Text that only ``open`` with the same session turns back."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, token.encode(), session.encode())
        return _PREFIX + base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, text: str, session: str) -> str:
        """The token again.

        Raises:
            NotOurs: wrong key, wrong session, changed, or never sealed.
        """
        from cryptography.exceptions import InvalidTag

        if not text.startswith(_PREFIX):
            raise NotOurs
        body = text.removeprefix(_PREFIX)
        try:
            sealed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
            nonce, encrypted = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            return self._cipher.decrypt(nonce, encrypted, session.encode()).decode()
        except (InvalidTag, ValueError, binascii.Error):
            raise NotOurs from None
