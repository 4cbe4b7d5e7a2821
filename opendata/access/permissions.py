"""Who may decide applications and end grants. Each rule is a decider over values; booleans are derived by callers."""

from collections.abc import Callable

from opendata.access.errors import RequestDenied
from opendata.access.models import AccessRequest, Grant
from opendata.catalog.models import Dataset
from opendata.catalog.texts import text
from opendata.identity import Actor, Role

DECIDERS = frozenset({Role.DATA_OFFICER, Role.REVIEWER})


def check_can_decide(actor: Actor, request: AccessRequest, dataset: Dataset) -> None:
    """An officer of the providing department or a reviewer; never the applicant nor anyone of the applicant's firm."""
    if actor.id == request.user_id:
        raise RequestDenied(text("申请人不能审批自己的申请。", "Applicants may not decide their own applications."))
    if not actor.roles & DECIDERS:
        raise RequestDenied(
            text("只有数据专员或审核员可以审批申请。", "Only data officers and reviewers may decide applications.")
        )
    if not _answers_for(actor, dataset):
        raise RequestDenied(
            text("只有提供部门或审核员可以审批。", "Only the providing department or a reviewer decides applications.")
        )
    if actor.organization_id == request.organization_id != dataset.organization_id:
        raise RequestDenied(text("不能审批本单位的申请。", "Nobody decides applications of their own organisation."))


def check_can_take_back(actor: Actor, request: AccessRequest) -> None:
    """The applicant only."""
    if actor.id != request.user_id:
        raise RequestDenied(text("只有申请人可以撤回申请。", "Only the applicant may take an application back."))


def check_can_use(actor: Actor, grant: Grant) -> None:
    """The grant's holder only."""
    if actor.id != grant.user_id:
        raise RequestDenied(text("只有许可持有人可以使用该许可。", "Only its holder may use a grant."))


def check_can_revoke(actor: Actor, grant: Grant, dataset: Dataset) -> None:
    """The holder, an officer of the providing department, or a reviewer."""
    if actor.id != grant.user_id and not _answers_for(actor, dataset):
        raise RequestDenied(
            text("只有持有人或提供部门可以终止许可。", "Only its holder or the providing department may end a grant.")
        )


def can_decide(actor: Actor, request: AccessRequest, dataset: Dataset) -> bool:
    """The twin of check_can_decide, for queues and templates."""
    return _permits(lambda: check_can_decide(actor, request, dataset))


def can_revoke(actor: Actor, grant: Grant, dataset: Dataset) -> bool:
    """The twin of check_can_revoke, for lists and templates."""
    return _permits(lambda: check_can_revoke(actor, grant, dataset))


def _permits(check: Callable[[], None]) -> bool:
    try:
        check()
    except RequestDenied:
        return False
    return True


def _answers_for(actor: Actor, dataset: Dataset) -> bool:
    ours = actor.organization_id == dataset.organization_id
    return Role.REVIEWER in actor.roles or (ours and Role.DATA_OFFICER in actor.roles)
