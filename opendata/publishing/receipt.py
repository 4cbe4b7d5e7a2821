"""The receipt of an edition: what was published, signed by the release key, checkable without this service.

``receipt.json`` is ``{version, statement, signature}``. The signature (Ed25519) covers a domain line and the canonical
JSON of the statement, so that white space may change and nothing else.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from opendata.catalog.texts import Text, text
from opendata.publishing.errors import ReceiptInvalid

VERSION: Final = 1
NAME: Final = "receipt.json"
DOMAIN: Final = b"opendata edition receipt v1\n"


@dataclass(frozen=True, slots=True)
class Statement:
    """What the release key signs."""

    dataset: str
    edition: str
    digest: str
    table_digest: str
    rows: int
    files: tuple[Mapping[str, Any], ...]
    policy_digest: str
    level: str
    opening_class: str
    effect: int
    legal_status: str
    approved_at: datetime

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "dataset": self.dataset,
            "edition": self.edition,
            "digest": self.digest,
            "table_digest": self.table_digest,
            "rows": self.rows,
            "files": [dict(each) for each in self.files],
            "policy_digest": self.policy_digest,
            "level": self.level,
            "opening_class": self.opening_class,
            "effect": self.effect,
            "legal_status": self.legal_status,
            "approved_at": self.approved_at.isoformat(),
        }


def sign(statement: Statement, key: Ed25519PrivateKey) -> bytes:
    """The receipt file."""
    plain = statement.to_dict()
    signature = key.sign(_signed_bytes(plain))
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    document = {
        "version": VERSION,
        "statement": plain,
        "signature": {
            "algorithm": "Ed25519",
            "public_key": base64.b64encode(public).decode(),
            "value": base64.b64encode(signature).decode(),
        },
    }
    return (json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def verify(receipt: bytes, public_key: Ed25519PublicKey) -> dict[str, Any]:
    """The statement of a receipt signed by this key. Raises ReceiptInvalid.

    The key inside the receipt is not trusted; it only helps to say which key is meant.
    """
    try:
        document = json.loads(receipt)
        version, statement = document["version"], document["statement"]
        signature = base64.b64decode(document["signature"]["value"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise ReceiptInvalid(_wrong("不是发布凭证", "this is not a receipt")) from None
    if version != VERSION or not isinstance(statement, dict):
        raise ReceiptInvalid(_wrong("凭证版本不认识", "its version is unknown"))
    try:
        public_key.verify(signature, _signed_bytes(statement))
    except InvalidSignature:
        raise ReceiptInvalid(
            _wrong("签名不符，凭证被改动或出自别的密钥", "it was changed or signed by another key")
        ) from None
    return statement


def load_public_key(data: bytes) -> Ed25519PublicKey:
    """A release key's public half from PEM. Raises ReceiptInvalid."""
    try:
        key = load_pem_public_key(data)
    except ValueError:
        raise ReceiptInvalid(_wrong("公钥文件读不了", "the public key cannot be read")) from None
    if not isinstance(key, Ed25519PublicKey):
        raise ReceiptInvalid(_wrong("公钥不是 Ed25519", "the public key is not Ed25519"))
    return key


def _signed_bytes(statement: Mapping[str, Any]) -> bytes:
    return DOMAIN + json.dumps(statement, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _wrong(zh: str, en: str) -> Text:
    return text(f"凭证无效：{zh}。", f"The receipt is not valid: {en}.")
