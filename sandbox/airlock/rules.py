"""How votes are taken and what they decide. Deciders over plain values."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from sandbox.airlock.errors import AirlockConflict, AirlockInvalid
from sandbox.airlock.states import VOTING, RequestState

MIN_EXPLANATION: Final = 5
MAX_EXPLANATION: Final = 4000
MIN_PURPOSE: Final = 2
MAX_PURPOSE: Final = 200


class Decision(StrEnum):
    """A checker's vote."""

    APPROVE = "approve"
    RETURN = "return"
    REJECT = "reject"


class Forward(StrEnum):
    """The only reasons an author may be told: what a checker forwards is itself a release."""

    SMALL_COUNTS = "small_counts"
    ROUNDING = "rounding"
    NOT_AGGREGATE = "not_aggregate"
    IDENTIFIERS = "identifiers"
    TOO_LARGE = "too_large"
    FORMAT = "format"
    CONTEXT = "context"
    PURPOSE = "purpose"
    RUN_FAILED = "run_failed"


FORWARD_TEXT: Final[dict[Forward, dict[str, str]]] = {
    Forward.SMALL_COUNTS: {"zh": "含有小计数", "en": "small counts"},
    Forward.ROUNDING: {"zh": "未按要求取整", "en": "not rounded as required"},
    Forward.NOT_AGGREGATE: {"zh": "不是汇总结果", "en": "not an aggregate"},
    Forward.IDENTIFIERS: {"zh": "疑似含有标识符", "en": "may hold identifiers"},
    Forward.TOO_LARGE: {"zh": "内容过多", "en": "too large"},
    Forward.FORMAT: {"zh": "格式不在允许范围", "en": "format not admitted"},
    Forward.CONTEXT: {"zh": "缺少说明", "en": "context missing"},
    Forward.PURPOSE: {"zh": "与用途不符", "en": "not within the purpose"},
    Forward.RUN_FAILED: {"zh": "运行未得到可审查的产出", "en": "the run gave nothing to check"},
}


class Ballot(NamedTuple):
    """One vote as the deciders see it."""

    checker_id: str
    decision: Decision


def check_vote(
    state: RequestState, decision: Decision, explanation: str, *, voted: bool, looked: bool, blocking: int
) -> None:
    """Raise unless this vote may be cast now. ``looked``: the voter has opened the case's content."""
    if state not in VOTING:
        raise AirlockConflict("这项审查不在投票阶段 · this request is not being voted on")
    if voted:
        raise AirlockConflict("您已经投过票 · you have voted already")
    if not looked:
        raise AirlockConflict("请先查看内容，再投票 · look at the content of this case before you vote")
    if not MIN_EXPLANATION <= len(explanation.strip()) <= MAX_EXPLANATION:
        raise AirlockInvalid("请说明理由（5–4000 字） · an explanation of 5 to 4000 characters is required")
    if decision is Decision.APPROVE and blocking:
        raise AirlockInvalid(
            f"自动检查发现 {blocking} 项阻断问题，不能同意 · {blocking} blocking findings: approval is not possible",
        )


def check_purpose(purpose: str) -> None:
    """Raise unless a look says why."""
    if not MIN_PURPOSE <= len(purpose.strip()) <= MAX_PURPOSE:
        raise AirlockInvalid("请写明查看目的（2–200 字） · state why you look at it, in 2 to 200 characters")


def check_reveal(state: RequestState, *, looked: bool) -> None:
    """Raise unless covered rows may be shown now: to whoever saw them covered, as long as they bear on a vote."""
    if state not in VOTING:
        raise AirlockConflict("已经决定，不再揭示被遮盖的行 · this is decided: covered rows are not shown any more")
    if not looked:
        raise AirlockConflict("请先查看遮盖后的内容 · look at the covered content first")


def check_reason(reason: str) -> None:
    """Raise unless a reason is given."""
    if not MIN_EXPLANATION <= len(reason.strip()) <= MAX_EXPLANATION:
        raise AirlockInvalid("请说明理由（5–4000 字） · a reason of 5 to 4000 characters is required")


def outcome(ballots: Sequence[Ballot], *, needed: int, third: bool) -> RequestState | None:
    """What the votes decide; None while more are awaited, `THIRD_REVIEW` when two disagree.

    Approval needs every one of ``needed`` votes; after a disagreement the majority of three decides,
    and without a majority for approval the request is refused.
    """
    decisions = [ballot.decision for ballot in ballots]
    wanted = needed + 1 if third else needed
    if len(decisions) < wanted:
        return None
    approvals = decisions.count(Decision.APPROVE)
    if third:
        if approvals * 2 > len(decisions):
            return RequestState.APPROVED
        return _refusal(decisions)
    if approvals == len(decisions):
        return RequestState.APPROVED
    if approvals:
        return RequestState.THIRD_REVIEW
    return _refusal(decisions)


def _refusal(decisions: Sequence[Decision]) -> RequestState:
    return RequestState.REJECTED if Decision.REJECT in decisions else RequestState.RETURNED
