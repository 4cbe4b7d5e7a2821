"""Checkpoints: C2SP tlog-checkpoint bodies in C2SP signed notes, Ed25519. Pure; standard library and cryptography."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class SigningKey:
    """A named note-signing key; ``name`` is the log's origin."""

    __slots__ = ("_private", "name")

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self.name = name
        self._private = private

    def __repr__(self) -> str:
        """The name only."""
        return f"SigningKey({self.name!r})"
