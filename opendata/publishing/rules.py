"""What must hold, and when, in the publishing chain. Deciders over values: they raise with the reason, or return."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from masking.policy import MaskingPolicy
from masking.taxonomy import DataLevel, Role
from opendata.catalog.models import Dataset, Edition, EditionState
from opendata.catalog.texts import text
from opendata.publishing.checklist import ITEMS
from opendata.publishing.errors import InvalidSubmission, PublicationRefused, WrongState
from opendata.publishing.models import Intake, IntakeState, PolicyVersion
from opendata.publishing.states import Act, end_of

OPINION_LENGTH: Final = (10, 4000)
NOTE_LENGTH: Final = 2000
REASON_LENGTH: Final = (4, 2000)
_STRENGTH: Final = {Role.DIRECT_IDENTIFIER: 2, Role.QUASI_IDENTIFIER: 1, Role.SENSITIVE: 1}
STATE_TITLES: Final = {
    EditionState.BUILDING: text("生成中", "being built"),
    EditionState.DRAFT: text("待送审", "a draft"),
    EditionState.IN_REVIEW: text("审核中", "in review"),
    EditionState.RETURNED: text("已退回", "returned"),
    EditionState.APPROVED: text("已通过，发布中", "approved and being published"),
    EditionState.PUBLISHED: text("已发布", "published"),
    EditionState.SUPERSEDED: text("已被新版本替代", "superseded"),
    EditionState.WITHDRAWN: text("已下架", "withdrawn"),
    EditionState.DESTROYED: text("已销毁", "destroyed"),
    EditionState.REJECTED: text("未通过", "rejected"),
    EditionState.FAILED: text("失败", "failed"),
}


def check_state(edition: Edition, act: Act) -> EditionState:
    """The state this act leads to; raises WrongState when it does not start here."""
    end = end_of(act, EditionState(edition.state))
    if end is None:
        now = STATE_TITLES[EditionState(edition.state)]
        raise WrongState(
            text(f"此版本{now['zh']}，不能执行该操作。", f"This edition is {now['en']}; this cannot be done now.")
        )
    return end


def settle_level(
    *,
    confirmed: DataLevel | None,
    overruled: DataLevel | None,
    proposed: DataLevel | None,
    declared: DataLevel | None,
    unexplained: Sequence[str],
) -> DataLevel:
    """The level of the raw table; the highest counts unless somebody said why not.

    ``confirmed`` stands in the catalogue (with ``overruled``, the proposal it explains away), ``proposed`` by
    detection, ``declared`` in the masking policy; ``unexplained`` are attributes whose detected level is above the
    declared one and which the policy gives no reason for. A reviewer sees all of them. Raises PublicationRefused.
    """
    level = confirmed or declared or proposed
    if level is None:
        raise PublicationRefused(text("请先确认原始数据级别。", "Confirm the level of the raw table first."))
    if declared is not None:
        level = max(level, declared)
    if proposed is None or proposed <= level or (overruled is not None and proposed <= overruled):
        return level
    if confirmed is None and declared is not None and not unexplained:
        return level
    named = ", ".join(unexplained)
    raise PublicationRefused(
        text(
            f"识别建议为{proposed.title('zh')}，高于{level.title('zh')}。请调高级别，或写明理由后确认级别"
            + (f"（策略中未说明理由的属性：{named}）。" if named else "。"),
            f"Detection proposes {proposed.title('en')}, above {level.title('en')}. Raise the level, or confirm it "
            "with a reason" + (f" (attributes without a reason in the policy: {named})." if named else "."),
        ),
        clause=text("GB/T 43697-2024 就高从严", "GB/T 43697-2024: the highest level counts"),
    )


def check_roles_explained(findings: Sequence[Mapping[str, Any]], policy: MaskingPolicy) -> None:
    """Raise when the policy counts a detected identifier as less than that without saying why (PRIVACY.md 2).

    The second person is the reviewer, who reads the reason.
    """
    for finding in findings:
        rule = policy.attributes.get(finding["column"])
        if rule is None or rule.dropped or rule.reason.strip():
            continue
        if _STRENGTH.get(Role(rule.role), 0) < _STRENGTH.get(Role(finding["role"]), 0):
            raise PublicationRefused(
                text(
                    f"属性 {rule.name} 识别为{Role(finding['role']).titles['zh']}，策略降低了它的角色却没有写明理由。",
                    f"Attribute {rule.name} was detected as a {Role(finding['role']).titles['en']}; the policy counts "
                    "it as less and gives no reason.",
                ),
                clause=text("GB/T 37964-2019 标识符识别", "GB/T 37964-2019, identification of identifiers"),
            )


def check_for_publication(policy: MaskingPolicy) -> None:
    """Raise for a policy whose output is for tests only: its surrogates look like living persons' numbers."""
    if policy.test_data:
        raise PublicationRefused(
            text(
                "该策略生成的是测试数据（test_data: true），替代值看起来是真实有效的号码，不得发布。",
                "This policy makes test data (test_data: true): its surrogates look like valid numbers. It is never "
                "published.",
            ),
            clause=text("替代值须可辨识为无效", "surrogates in editions are recognisably invalid"),
        )


def check_can_build(dataset: Dataset, intake: Intake, policy: PolicyVersion) -> None:
    """Raise unless intake and policy are this dataset's and the intake is ready and acknowledged."""
    if intake.dataset_id != dataset.id or policy.dataset_id != dataset.id:
        raise WrongState(text("接入批次或策略不属于该数据集。", "The intake or policy is not this dataset's."))
    if intake.state != IntakeState.READY:
        raise WrongState(text("接入批次尚未就绪。", "The intake is not ready."))
    check_acknowledged(intake)
    if dataset.negative_list:
        raise PublicationRefused(
            text("该数据集在负面清单上，不予开放。", "The dataset is on the negative list: closed.")
        )


def check_acknowledged(intake: Intake) -> None:
    """Raise while rows that could not be read are not acknowledged by an officer."""
    if intake.bad_row_count and intake.bad_rows_acknowledged_by is None:
        raise PublicationRefused(
            text(
                f"有 {intake.bad_row_count} 行无法读取，请核对行号并确认后再发布。",
                f"{intake.bad_row_count} rows could not be read; check their lines and acknowledge them first.",
            )
        )


def check_checklist(checklist: Mapping[str, Any]) -> None:
    """Raise unless every question is answered, and answered so that publication may go on."""
    for item in ITEMS:
        given = checklist.get(item.id)
        answer = given.get("answer") if isinstance(given, Mapping) else given
        if answer not in ("yes", "no"):
            raise InvalidSubmission(
                text(f"保密审查未答：{item.question['zh']}", f"Not answered: {item.question['en']}")
            )
        if answer != item.expected:
            raise PublicationRefused(
                text(
                    f"保密审查不通过：{item.question['zh']}", f"The secrecy check does not pass: {item.question['en']}"
                ),
                clause=item.clause,
            )
    unknown = sorted(checklist.keys() - {item.id for item in ITEMS})
    if unknown:
        raise InvalidSubmission(text(f"没有问题 {unknown[0]}。", f"There is no question {unknown[0]}."))


def check_assessment(assessment: Mapping[str, Any], *, about_persons: bool) -> None:
    """Raise unless the impact assessment names purpose, risk and safeguards (only for data about persons)."""
    if not about_persons:
        return
    for name, zh, en in (
        ("purpose", "处理目的与必要性", "purpose and necessity"),
        ("risk", "对个人权益的影响与风险", "effect on persons and risk"),
        ("safeguards", "保护措施", "safeguards"),
    ):
        if not str(assessment.get(name, "")).strip():
            raise InvalidSubmission(text(f"影响评估缺少：{zh}。", f"The impact assessment lacks: {en}."))


def check_opinion(opinion: str) -> None:
    """Raise unless the reviewer's opinion says something."""
    least, most = OPINION_LENGTH
    if not least <= len(opinion.strip()) <= most:
        raise InvalidSubmission(
            text(f"请写明审核意见（{least} 至 {most} 字）。", f"Write an opinion of {least} to {most} characters.")
        )


def check_reason(reason: str) -> None:
    """Raise unless a reason says something."""
    least, most = REASON_LENGTH
    if not least <= len(reason.strip()) <= most:
        raise InvalidSubmission(
            text(f"请写明理由（{least} 至 {most} 字）。", f"Give a reason of {least} to {most} characters.")
        )
