"""The people of the demonstration: officers, a reviewer, a firm, a researcher, checkers, an auditor, administrators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.identity.models import Organization, User
from opendata.identity.service import create_organization, create_user, issue_sign_in_link

ORGANIZATIONS: dict[str, tuple[str, str, str]] = {
    "civil": ("市民政局", "Civil Affairs Bureau", "department"),
    "transport": ("市交通运输局", "Transport Bureau", "department"),
    "social": ("市人力资源和社会保障局", "Human Resources and Social Security Bureau", "department"),
    "health": ("市卫生健康委员会", "Health Commission", "department"),
    "data": ("市大数据管理局", "Data Administration", "department"),
    "statistics": ("市统计局", "Statistics Bureau", "department"),
    "audit": ("市审计局", "Audit Bureau", "department"),
    "firm": ("启明出行科技有限公司（示例）", "Qiming Mobility Ltd. (example)", "enterprise"),
    "university": ("江城大学公共卫生学院（示例）", "Jiangcheng University (example)", "research"),
}


@dataclass(frozen=True, slots=True)
class Person:
    """An account of the demonstration."""

    username: str
    name: str
    organization: str
    roles: tuple[str, ...]
    comes_for: str


PEOPLE = (
    Person("officer-civil", "数据专员 林静", "civil", ("data_officer",), "村居目录 villages"),
    Person("officer-transport", "数据专员 周航", "transport", ("data_officer",), "航班 flights"),
    Person("officer-social", "数据专员 许安", "social", ("data_officer",), "农户保险调查 survey"),
    Person("officer-health", "数据专员 沈苓", "health", ("data_officer",), "就诊记录 patients"),
    Person("reviewer", "审核员 方正", "data", ("reviewer",), "审核与批准 review"),
    Person("enterprise", "开发者 江启明", "firm", ("applicant",), "下载与接口 downloads, API"),
    Person("researcher", "研究员 顾思远", "university", ("researcher",), "沙箱 sandbox"),
    Person("checker-1", "出域审查员 一", "statistics", ("output_checker",), "出域审查 airlock"),
    Person("checker-2", "出域审查员 二", "audit", ("output_checker",), "出域审查 airlock"),
    Person("checker-3", "出域审查员 三", "data", ("output_checker",), "出域审查 airlock"),
    Person("checker-4", "出域审查员 四", "civil", ("output_checker",), "出域审查 airlock"),
    Person("auditor", "审计员 严明", "audit", ("auditor",), "存证 ledger"),
    Person("admin-system", "系统管理员", "data", ("system_admin",), "账号与备份 accounts"),
    Person("admin-security", "安全管理员", "data", ("security_admin",), "角色与密钥 roles"),
    Person("admin-audit", "审计管理员", "data", ("audit_admin",), "日志 logs"),
)


def seed(session: Session) -> None:
    """Create whoever is not there yet; safe to call again."""
    by_name = {each.name_zh: each for each in session.scalars(select(Organization))}
    made: dict[str, Organization] = {}
    for key, (zh, en, kind) in ORGANIZATIONS.items():
        made[key] = by_name.get(zh) or create_organization(session, name_zh=zh, name_en=en, kind=kind)
    known = set(session.scalars(select(User.username)))
    for person in PEOPLE:
        if person.username not in known:
            create_user(
                session,
                username=person.username,
                name=person.name,
                organization=made[person.organization],
                roles=person.roles,
            )


def links(session: Session, *, hours: int = 12) -> dict[str, str]:
    """A one-time sign-in secret for each person."""
    now = datetime.now(UTC)
    users = session.scalars(select(User).where(User.username.in_([person.username for person in PEOPLE])))
    return {
        user.username: issue_sign_in_link(session, user, now=now, lifetime=timedelta(hours=hours)) for user in users
    }
