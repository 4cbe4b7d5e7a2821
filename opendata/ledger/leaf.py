"""A leaf: canonical JSON with a salted commitment instead of its content. Pure; standard library only.

Leaf: ``{"commitment": sha256(salt || payload) in hex, "time": …, "type": area:noun:verb, "version": 1}``.
Payload: canonical JSON of actor, subject and the event's payload. Without the salt (32 random bytes, erasable) a
commitment says nothing, not even to somebody who guesses the payload.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

VERSION = 1


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces. Floats that are not finite are refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def payload_text(actor_id: str | None, subject: str, payload: Mapping[str, Any]) -> str:
    """What is committed to."""
    return canonical({"actor": actor_id, "payload": dict(payload), "subject": subject})


def commitment(salt: bytes, payload: str) -> str:
    """SHA-256(salt || payload) in hex."""
    return hashlib.sha256(salt + payload.encode()).hexdigest()


def leaf_text(type: str, at: datetime, committed: str) -> str:
    """What is hashed into the tree."""
    time = at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return canonical({"commitment": committed, "time": time, "type": str(type), "version": VERSION})
