"""Who agrees to a workspace, and when it is agreed: each providing organisation, and enough different persons.

Nobody meets data unless its controller agrees (SATRE 1.5.04). So every organisation that provides a dataset of the
workspace decides for itself, by a person whose role ``policies/grades.yaml`` names as controller. At stricter levels
more persons must agree; those beyond the controllers may be reviewers of other organisations. At least one of all who
agree is from outside the applicant's and members' organisations, as long as there is such a person. One refusal,
with its reason, refuses the whole.

Pure: facts and earlier parts of the decision in, what is still missing out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from opendata.identity import Actor, Role
from sandbox.workspaces.errors import WorkspaceConflict, WorkspaceDenied


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """The row of grades.yaml. ``controllers`` decide for their own organisation, ``others`` may be further persons.

    ``persons``: how many different persons must agree in all, at least 1.
    """

    controllers: frozenset[Role]
    others: frozenset[Role]
    persons: int


@dataclass(frozen=True, slots=True)
class Part:
    """One person's part of a decision."""

    decider_id: str
    organization_id: str
    approve: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be agreed to: whose data, asked for by whom.

    ``own_organizations`` are those of applicant and members. ``outsider_there``: somebody of another organisation
    could decide, so an agreement among the applicant's own colleagues is not enough.
    """

    providers: frozenset[str]
    involved_persons: frozenset[str]
    own_organizations: frozenset[str]
    rule: ApprovalRule
    outsider_there: bool = True

    @property
    def further(self) -> int:
        """Persons needed beyond one for each provider."""
        outsider = int(self.outsider_there and self.providers <= self.own_organizations)
        return max(self.rule.persons, len(self.providers) + outsider) - len(self.providers)

    @property
    def needed(self) -> int:
        """Persons needed in all."""
        return len(self.providers) + self.further


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a decision is. ``missing``: providing organisations that have not agreed yet."""

    agreed: int
    needed: int
    missing: frozenset[str]
    outcome: Literal["approved", "rejected"] | None

    @property
    def further_missing(self) -> int:
        """Persons still needed beyond the missing providers."""
        return max(self.needed - self.agreed - len(self.missing), 0)


def strictest(rules: Sequence[ApprovalRule]) -> ApprovalRule:
    """The strictest of several datasets' rules together (就高从严)."""
    if not rules:
        raise WorkspaceDenied("沙箱至少需要一个数据集 · a workspace needs at least one dataset")
    controllers, others = rules[0].controllers, rules[0].others
    for rule in rules[1:]:
        controllers, others = controllers & rule.controllers, others & rule.others
    return ApprovalRule(controllers, others, max(rule.persons for rule in rules))


def check_can_decide(actor: Actor, question: Question, parts: Iterable[Part] = ()) -> None:
    """Raise unless this person may take part in this decision, now."""
    check_may_decide(actor, question)
    if any(part.decider_id == actor.id for part in parts):
        raise WorkspaceConflict("您已经作出决定 · you have decided already")


def check_may_decide(actor: Actor, question: Question) -> None:
    """A controller of a providing organisation, or another reviewer where more persons are needed; nobody involved."""
    if not actor.roles & (question.rule.controllers | question.rule.others):
        raise WorkspaceDenied(
            "只有数据提供部门的数据专员或审核人员可以审批沙箱 · "
            "only officers and reviewers of the providing departments decide on a workspace"
        )
    if actor.id in question.involved_persons:
        raise WorkspaceDenied(
            "申请人和成员不能审批自己的沙箱 · applicants and members may not decide on their own workspace"
        )
    if is_controller(actor, question):
        return
    if not actor.roles & question.rule.others or not question.further:
        raise WorkspaceDenied(
            "由数据提供部门审批，您的部门没有提供其中的数据 · "
            "the departments that provide the data decide; yours provides none of it"
        )
    if actor.organization_id in question.own_organizations:
        raise WorkspaceDenied("不能审批本单位的申请 · nobody decides on their own organisation's application")


def is_controller(actor: Actor, question: Question) -> bool:
    """Whether this person answers for a dataset of the workspace."""
    return actor.organization_id in question.providers and bool(actor.roles & question.rule.controllers)


def progress(parts: Sequence[Part], question: Question) -> Progress:
    """What the parts of a decision come to together."""
    agreeing = {part.decider_id: part.organization_id for part in parts if part.approve}
    missing = question.providers - set(agreeing.values())
    insiders = set(agreeing.values()) <= question.own_organizations
    lacks_outsider = question.outsider_there and insiders
    # A person too many of one organisation does not stand for another one, nor a colleague for an outsider.
    open_places = len(missing) + max(question.further - (len(agreeing) - len(question.providers - missing)), 0)
    open_places = max(open_places, int(lacks_outsider))
    outcome: Literal["approved", "rejected"] | None = None
    if any(not part.approve for part in parts):
        outcome = "rejected"
    elif not open_places:
        outcome = "approved"
    return Progress(question.needed - min(open_places, question.needed), question.needed, missing, outcome)
