"""Who may do what in the publishing chain.

Officers work on their own department's tables. A review is by a reviewer, of this department or of the authority, and
never by the author of the masking policy, the creator or the submitter of the edition. Reviewers see reports and masked
tables, never raw ones. Source: PRIVACY.md 23; DESIGN.md 6.
"""

from collections.abc import Iterable

from opendata.catalog.models import Dataset, Edition
from opendata.catalog.texts import text
from opendata.identity import Actor, Role
from opendata.publishing.errors import PublishingDenied
from opendata.publishing.states import TRANSITIONS, Act


def check_is_officer(actor: Actor, organization_id: str) -> None:
    """Raise PublishingDenied unless the actor is a data officer of this department."""
    if Role.DATA_OFFICER not in actor.roles:
        raise PublishingDenied(text("只有数据专员可以这样做。", "Only data officers may do this."))
    if actor.organization_id != organization_id:
        raise PublishingDenied(
            text("只能处理本部门的数据。", "Only the providing department's own people may work on its data.")
        )


def check_may(actor: Actor, act: Act, dataset: Dataset) -> None:
    """Raise PublishingDenied unless one of the actor's roles may do this act; officers in their own department only."""
    allowed = actor.roles & TRANSITIONS[act].roles
    if not allowed:
        raise PublishingDenied(text("您的角色不能执行此操作。", "Your role may not do this."))
    if Role.REVIEWER not in allowed and actor.organization_id != dataset.organization_id:
        raise PublishingDenied(
            text("只能处理本部门的数据。", "Only the providing department's own people may work on its data.")
        )


def check_another_person(actor: Actor, edition: Edition, authors: Iterable[str]) -> None:
    """Raise PublishingDenied when the actor wrote the policy, brought the table in, built the edition or sent it."""
    if actor.id in {edition.created_by, edition.submitted_by, *authors}:
        raise PublishingDenied(
            text(
                "编制、生成或送审的人不能审核自己的版本，须由他人审核。",
                "Nobody reviews their own work: author, creator and submitter are out.",
            ),
            clause=text(
                "四眼原则（《网络数据安全管理条例》第十一条）", "Four eyes (Network Data Security Regulation, Art. 11)"
            ),
        )
