"""Roles, and which of them one person may not hold together. Roles are data; code asks ``role in actor.roles``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

from opendata.errors import DeniedError


class Role(StrEnum):
    """What a person does here."""

    APPLICANT = "applicant"
    RESEARCHER = "researcher"
    DATA_OFFICER = "data_officer"
    REVIEWER = "reviewer"
    OUTPUT_CHECKER = "output_checker"
    AUDITOR = "auditor"
    SYSTEM_ADMIN = "system_admin"
    SECURITY_ADMIN = "security_admin"
    AUDIT_ADMIN = "audit_admin"

    @property
    def title(self) -> dict[str, str]:  # type: ignore[override]
        """What people read."""
        return _TITLES[self]


_TITLES: dict[Role, dict[str, str]] = {
    Role.APPLICANT: {"zh": "申请人", "en": "applicant"},
    Role.RESEARCHER: {"zh": "研究人员", "en": "researcher"},
    Role.DATA_OFFICER: {"zh": "数据专员", "en": "data officer"},
    Role.REVIEWER: {"zh": "审核员", "en": "reviewer"},
    Role.OUTPUT_CHECKER: {"zh": "出域审查员", "en": "output checker"},
    Role.AUDITOR: {"zh": "审计员", "en": "auditor"},
    Role.SYSTEM_ADMIN: {"zh": "系统管理员", "en": "system administrator"},
    Role.SECURITY_ADMIN: {"zh": "安全保密管理员", "en": "security administrator"},
    Role.AUDIT_ADMIN: {"zh": "安全审计员", "en": "audit administrator"},
}

#: The three administrators (三员): separate persons, and none of them does the work they administer.
ADMINISTRATORS = frozenset({Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN})


#: Deciding on a department's data is for departments' own people, never for a firm's.
OF_DEPARTMENTS = frozenset({Role.DATA_OFFICER, Role.REVIEWER})


class RolesDenied(DeniedError):
    """These roles may not meet in one person."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A proven person. Everything that decides takes one of these, never a request."""

    id: str
    username: str
    name: str
    organization_id: str
    organization_name: str
    roles: frozenset[Role]


def check_roles(roles: Iterable[Role | str]) -> frozenset[Role]:
    """The roles as a set. Raises RolesDenied for an unknown role or a pair that separation of duties forbids."""
    try:
        wanted = frozenset(Role(role) for role in roles)
    except ValueError:
        raise RolesDenied(f"未知角色；可用的角色是 {[str(role) for role in Role]}（unknown role）") from None
    for one, other in combinations(sorted(wanted), 2):
        if {one, other} & ADMINISTRATORS and frozenset({one, other}) != frozenset({Role.AUDIT_ADMIN, Role.AUDITOR}):
            raise RolesDenied(
                f"三员分立：{one.title['zh']}不能兼任{other.title['zh']}"
                f" (separation of duties: {one.title['en']} and {other.title['en']} are two persons)"
            )
    return wanted


def check_fit(roles: frozenset[Role], kind: str) -> None:
    """Raise RolesDenied unless people of this kind of organisation may hold these roles."""
    for role in sorted(roles & OF_DEPARTMENTS):
        if kind != "department":
            raise RolesDenied(
                f"{role.title['zh']}只能由政府部门的人员担任（a {role.title['en']} works in a department）"
            )
