"""Who may do what with an import. Deciders over plain values; each ``check_*`` raises with the reason.

Three people at least: who brings the data, who answers for the data it is joined with, who decides (PRIVACY.md 22).
"""

from __future__ import annotations

from dataclasses import dataclass

from opendata.identity import Actor, Role
from sandbox.imports.errors import ImportDenied, ImportNotFound
from sandbox.workspaces import permissions as workspace_permissions
from sandbox.workspaces.permissions import WorkspaceFacts, permits

DECIDERS = frozenset({Role.REVIEWER, Role.DATA_OFFICER})


@dataclass(frozen=True, slots=True)
class ImportFacts:
    """What a decision needs to know: the uploader, the workspace, who has consented already."""

    uploader_id: str
    workspace: WorkspaceFacts
    consenting_ids: frozenset[str]


def check_can_upload(actor: Actor, facts: WorkspaceFacts) -> None:
    """A researcher at work in the workspace brings data of their own."""
    workspace_permissions.check_can_work(actor, facts)


def check_can_declare(actor: Actor, facts: ImportFacts) -> None:
    """Only who brought the data can say what it is."""
    workspace_permissions.check_can_work(actor, facts.workspace)
    if actor.id != facts.uploader_id:
        raise ImportDenied("只有上传人可以填写说明 · only the person who uploaded it can declare it")


def check_can_withdraw(actor: Actor, facts: ImportFacts) -> None:
    """The uploader, the workspace's owner, or a reviewer who could have decided; at any time."""
    if actor.id == facts.uploader_id or (
        actor.id == facts.workspace.owner_id and actor.id in facts.workspace.member_ids
    ):
        return
    if Role.REVIEWER in actor.roles and can_decide_otherwise(actor, facts):
        return
    workspace_permissions.check_is_member(actor, facts.workspace)
    raise ImportDenied(
        "只有上传人、沙箱负责人或审核人员可以撤回 · only its uploader, the owner or a reviewer may withdraw it"
    )


def check_can_consent(actor: Actor, facts: ImportFacts, dataset_organization: str) -> None:
    """A data officer or reviewer of the department that provides the dataset."""
    _check_outside(actor, facts)
    if not actor.roles & DECIDERS or actor.organization_id != dataset_organization:
        raise ImportDenied(
            "只有数据提供部门的数据专员或审核人员可以同意关联 · "
            "only a data officer or reviewer of the providing department can consent to the join"
        )


def check_can_decide(actor: Actor, facts: ImportFacts) -> None:
    """A reviewer outside the workspace's organisations who did not give one of the owners' consents."""
    _check_outside(actor, facts)
    if Role.REVIEWER not in actor.roles:
        raise ImportDenied("只有审核人员可以决定 · only reviewers decide")
    if actor.id in facts.consenting_ids:
        raise ImportDenied(
            "已代表提供部门表态的人不能再作决定（四眼原则） · "
            "who answered for a providing department cannot decide as well (four eyes)"
        )


def check_can_see(actor: Actor, facts: ImportFacts) -> None:
    """Members at work, those who decide, the providing departments' people, auditors. To others it looks absent."""
    if actor.id in facts.workspace.member_ids or Role.AUDITOR in actor.roles:
        return
    if Role.REVIEWER in actor.roles:
        return
    if Role.DATA_OFFICER in actor.roles and actor.organization_id in facts.workspace.providing_organizations:
        return
    raise ImportNotFound.here()


def can_decide_otherwise(actor: Actor, facts: ImportFacts) -> bool:
    """Whether a reviewer is far enough from the workspace to decide about it."""
    return actor.id not in facts.workspace.member_ids and actor.organization_id not in facts.workspace.organization_ids


can_upload = permits(check_can_upload)
can_declare = permits(check_can_declare)
can_withdraw = permits(check_can_withdraw)
can_consent = permits(check_can_consent)
can_decide = permits(check_can_decide)
can_see = permits(check_can_see)


def _check_outside(actor: Actor, facts: ImportFacts) -> None:
    if actor.id == facts.uploader_id or actor.id in facts.workspace.member_ids:
        raise ImportDenied("成员不能审核自己沙箱的导入 · a member may not decide on the workspace's own import")
    if not can_decide_otherwise(actor, facts):
        raise ImportDenied(
            "同一机构的人不能审核 · nobody of the workspace's own organisations may decide on its import"
        )
