"""What is recorded: events with a type of one grammar, ``area:noun:verb``.

``EventType`` names the types of the core; other parts use strings of the same grammar (``airlock:output:release``).
Payloads hold references, digests, counts and decisions, never cell values, keys or tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from opendata.errors import LedgerError

_GRAMMAR = re.compile(r"[a-z][a-z0-9_]*:[a-z][a-z0-9_]*:[a-z][a-z0-9_]*")


class EventType(StrEnum):
    """Types the core records."""

    LEDGER_START = "ledger:log:start"
    OPENING_ERASE = "ledger:opening:erase"
    ORGANIZATION_CREATE = "identity:organization:create"
    USER_CREATE = "identity:user:create"
    USER_ROLES = "identity:user:change_roles"
    USER_DEACTIVATE = "identity:user:deactivate"
    LINK_ISSUE = "identity:link:issue"
    ACCOUNT_LOCK = "identity:account:lock"
    DATASET_CREATE = "catalog:dataset:create"
    DATASET_UPDATE = "catalog:dataset:update"
    DATASET_RAISE_LEVEL = "catalog:dataset:raise_level"
    INTAKE_CREATE = "publishing:intake:create"
    INTAKE_ERASE = "publishing:intake:erase"
    POLICY_SAVE = "publishing:policy:save"
    EDITION_BUILD = "publishing:edition:build"
    EDITION_SUBMIT = "publishing:edition:submit"
    EDITION_RETURN = "publishing:edition:return"
    EDITION_REJECT = "publishing:edition:reject"
    EDITION_APPROVE = "publishing:edition:approve"
    EDITION_PUBLISH = "publishing:edition:publish"
    EDITION_WITHDRAW = "publishing:edition:withdraw"
    EDITION_DESTROY = "publishing:edition:destroy"
    LINE_CREATE = "publishing:line:create"
    LINE_DESTROY = "publishing:line:destroy"
    RAW_VIEW = "rawdoor:view:show"
    RAW_REVEAL = "rawdoor:view:reveal"
    RAW_REFUSE = "rawdoor:view:refuse"
    REQUEST_SUBMIT = "access:request:submit"
    REQUEST_APPROVE = "access:request:approve"
    REQUEST_REJECT = "access:request:reject"
    REQUEST_WITHDRAW = "access:request:withdraw"
    GRANT_CREATE = "access:grant:create"
    GRANT_REVOKE = "access:grant:revoke"
    APP_KEY_ISSUE = "access:app_key:issue"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One thing that is about to happen. ``subject`` names what it concerns, e.g. ``edition:<id>``."""

    type: EventType | str
    actor_id: str | None
    subject: str
    at: datetime
    payload: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a type outside the grammar and a time without a zone."""
        if not _GRAMMAR.fullmatch(self.type):
            raise LedgerError(f"事件类型 {self.type!r} 不符合 area:noun:verb（event type outside the grammar）")
        if self.at.tzinfo is None:
            raise LedgerError("事件时间缺少时区（event time without a zone）")
