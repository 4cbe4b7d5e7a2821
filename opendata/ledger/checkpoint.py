"""Checkpoints: C2SP tlog-checkpoint bodies in C2SP signed notes, Ed25519. Pure; standard library and cryptography.

A note is text, an empty line, and signature lines ``— name base64(key id || signature)``. A checkpoint's text is three
lines: origin, tree size, root hash in base64. A verifier line is ``name+keyid+base64(0x01 || public key)``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from opendata.errors import LedgerError

_ED25519 = b"\x01"
_DASH = "\N{EM DASH} "


class CheckpointError(LedgerError):
    """A checkpoint or verifier line is malformed, or not signed by that key."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a signed head says."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The body that is signed."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


class SigningKey:
    """A named note-signing key; ``name`` is the log's origin."""

    __slots__ = ("_private", "name")

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        check_name(name)
        self.name = name
        self._private = private

    def __repr__(self) -> str:
        """The name only."""
        return f"SigningKey({self.name!r})"

    def verifier(self) -> Verifier:
        """The public half."""
        return Verifier(self.name, self._private.public_key())

    def sign(self, checkpoint: Checkpoint) -> str:
        """The signed note. The checkpoint's origin must be this key's name."""
        if checkpoint.origin != self.name:
            raise CheckpointError("检查点的来源与签名密钥的名称不符（origin is not this key's name）")
        text = checkpoint.text()
        signature = self.verifier().key_id + self._private.sign(text.encode())
        return f"{text}\n{_DASH}{self.name} {_base64(signature)}\n"


@dataclass(frozen=True, slots=True)
class Verifier:
    """A named public key."""

    name: str
    public: Ed25519PublicKey

    @classmethod
    def parse(cls, line: str) -> Verifier:
        """From a verifier line. Raises CheckpointError unless its key id fits its name and key."""
        line = line.strip()
        try:
            name, _, encoded = line.split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error):
            raise CheckpointError("公钥文件格式不对，应为 name+keyid+base64（malformed verifier line）") from None
        check_name(name)
        if len(raw) != 33 or raw[:1] != _ED25519:
            raise CheckpointError("公钥不是 Ed25519（not an Ed25519 verifier）")
        verifier = cls(name, Ed25519PublicKey.from_public_bytes(raw[1:]))
        if verifier.line() != line:
            raise CheckpointError("公钥的编号与名称和密钥不符（key id does not fit）")
        return verifier

    def line(self) -> str:
        """The verifier line."""
        return f"{self.name}+{self.key_id.hex()}+{_base64(_ED25519 + self.public.public_bytes_raw())}"

    @property
    def key_id(self) -> bytes:
        """The first 4 bytes of SHA-256(name, newline, 0x01, public key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public.public_bytes_raw()).digest()[:4]

    def verify(self, note: str) -> Checkpoint:
        """The checkpoint in a note that this key signed. Raises CheckpointError for anything else.

        Signatures of other keys (witnesses) may stand beside it; malformed lines may not.
        """
        text, separator, signatures = note.rpartition("\n\n")
        if not separator or not signatures.endswith("\n"):
            raise CheckpointError("检查点格式不对（malformed note）")
        checkpoint = _parse(text + "\n")
        signed = False
        for line in signatures[:-1].split("\n"):
            name, raw = _signature(line)
            if name == self.name and raw[:4] == self.key_id:
                try:
                    self.public.verify(raw[4:], checkpoint.text().encode())
                except InvalidSignature:
                    raise CheckpointError("检查点的签名无效（checkpoint signature is invalid）") from None
                signed = True
        if not signed or checkpoint.origin != self.name:
            raise CheckpointError("检查点不是由这把密钥签名的（not signed by this key）")
        return checkpoint


def check_name(name: str) -> None:
    """A key name: not empty, no space, no plus sign."""
    if not name or "+" in name or any(character.isspace() for character in name):
        raise CheckpointError("密钥名称不能为空，也不能含空格或加号（malformed key name）")


def _parse(text: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise CheckpointError("检查点格式不对（malformed checkpoint）")
    origin, size, encoded, _ = lines
    try:
        checkpoint = Checkpoint(origin, int(size), base64.b64decode(encoded, validate=True))
    except (ValueError, binascii.Error):
        raise CheckpointError("检查点格式不对（malformed checkpoint）") from None
    if checkpoint.text() != text or checkpoint.size < 0 or len(checkpoint.root) != 32:
        raise CheckpointError("检查点格式不对（malformed checkpoint）")
    return checkpoint


def _signature(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if not line.startswith(_DASH) or len(raw) < 5 or _base64(raw) != encoded:
        raise CheckpointError("签名行格式不对（malformed signature line）")
    return name, raw


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
