"""What a living grant is, and what an application must say. Pure: values in, nothing out but a reason."""

from datetime import datetime
from typing import Final

from opendata.access.errors import InvalidRequest
from opendata.access.models import Grant, GrantBasis
from opendata.catalog.texts import text

TERM_DAYS: Final = (1, 365)
TEXT_LENGTH: Final = (4, 2000)
QUOTA_PER_DAY: Final = 10_000
"""Calls a day of a new grant."""


def check_application(*, scenario: str, purpose: str, term_days: int, safeguards: str, pledge: bool) -> None:
    """Raise InvalidRequest for the first field that is missing or out of range."""
    for name, zh, en, value in (
        ("scenario", "应用场景", "usage scenario", scenario),
        ("purpose", "使用目的", "purpose", purpose),
        ("safeguards", "安全保障措施", "safeguards", safeguards),
    ):
        shortest, longest = TEXT_LENGTH
        if not shortest <= len(value.strip()) <= longest:
            raise InvalidRequest(
                name,
                text(
                    f"请填写{zh}（{shortest} 至 {longest} 字）。",
                    f"Give the {en} ({shortest} to {longest} characters).",
                ),
            )
    least, most = TERM_DAYS
    if not least <= term_days <= most:
        raise InvalidRequest(
            "term_days", text(f"使用期限为 {least} 至 {most} 天。", f"The term is {least} to {most} days.")
        )
    if not pledge:
        raise InvalidRequest("pledge", text("须作出安全承诺。", "The safety pledge must be made."))


def opens_doors(grant: Grant) -> bool:
    """False for a central authorization: it makes an operator eligible for a workspace, no more (PRIVACY.md 28)."""
    return grant.basis != GrantBasis.CENTRAL_AUTHORIZATION


def is_living(grant: Grant, now: datetime) -> bool:
    """True while the grant is neither revoked, expired nor still to begin."""
    return grant.revoked_at is None and grant.starts_at <= now < grant.expires_at
