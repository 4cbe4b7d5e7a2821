"""What may be done and when: level gate, term, expiry, code. Deciders over plain values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sandbox.contracts import CHECK_BYTES, CODE_BYTES, is_entry
from sandbox.workspaces.errors import FormInvalid, WorkspaceConflict, WorkspaceDenied, WorkspaceInvalid

MAX_TERM_DAYS: Final = 366
MAX_TITLE: Final = 200
MIN_PURPOSE: Final = 10
MAX_PURPOSE: Final = 4000
RESERVED: Final = frozenset({"new", "pledge", "packages"})
MAX_FILENAME: Final = 128
MIN_REASON: Final = 2
MAX_REASON: Final = 4000
REASON_WANTED: Final = "请写明理由（2–4000 字） · give a reason of 2 to 4000 characters"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,39}")


@dataclass(frozen=True, slots=True)
class SealedDoor:
    """The row of grades.yaml a workspace lives under: whether sealed jobs run, and what they need.

    ``checkers`` is the number of votes on an output; ``registered_kinds_only`` narrows what may leave.
    """

    level: str
    open: bool
    code_review: bool
    checkers: int
    registered_kinds_only: bool
    clause: str


def strictest(doors: Iterable[SealedDoor], order: Mapping[str, int]) -> SealedDoor:
    """The strictest door of all datasets together (就高从严). ``order`` ranks levels, higher is stricter."""
    ranked = sorted(doors, key=lambda door: order[door.level])
    if not ranked:
        raise WorkspaceInvalid("沙箱至少需要一个数据集 · a workspace needs at least one dataset")
    top = ranked[-1]
    return SealedDoor(
        level=top.level,
        open=all(door.open for door in ranked),
        code_review=any(door.code_review for door in ranked),
        checkers=max(door.checkers for door in ranked),
        registered_kinds_only=any(door.registered_kinds_only for door in ranked),
        clause=top.clause,
    )


def check_door_open(dataset: str, door: SealedDoor | None) -> None:
    """Raise unless raw data of this level may meet sealed jobs; a dataset without a level may not."""
    if door is None:
        raise WorkspaceDenied(f"数据集 {dataset} 尚未定级，不能进入沙箱 · {dataset} has no confirmed level yet")
    if not door.open:
        raise WorkspaceDenied(
            f"数据集 {dataset} 的级别不允许域内作业（{door.clause}） · "
            f"the level of {dataset} admits no sealed jobs ({door.clause})",
        )


def application_faults(
    *, name: str, title: str, purpose: str, term_days: int | None, datasets: Iterable[str]
) -> dict[str, str]:
    """All that is wrong with an application, by its field; nothing if it is complete. ``term_days`` in [1, 366]."""
    faults: dict[str, str] = {}
    if name in RESERVED:
        faults["name"] = f"名称 {name} 有别的用途，请换一个 · the name {name} is taken by the service; use another"
    elif not _NAME.fullmatch(name):
        faults["name"] = (
            "名称只能用小写字母、数字和连字符，2–40 个字符 · a name is 2-40 lower-case letters, digits, hyphens"
        )
    if not title.strip() or len(title) > MAX_TITLE:
        faults["title"] = "请填写标题（200 字以内） · a title of at most 200 characters is needed"
    if not MIN_PURPOSE <= len(purpose.strip()) <= MAX_PURPOSE:
        faults["purpose"] = (
            f"请写明用途（{MIN_PURPOSE}–{MAX_PURPOSE} 字，现有 {len(purpose.strip())} 字） · "
            f"state the purpose in {MIN_PURPOSE} to {MAX_PURPOSE} characters, not {len(purpose.strip())}"
        )
    if term_days is None or not 1 <= term_days <= MAX_TERM_DAYS:
        faults["term_days"] = "期限须为 1–366 天 · the term must be 1 to 366 days"
    if not list(datasets):
        faults["datasets"] = "请至少选择一个数据集 · choose at least one dataset"
    return faults


def check_application(*, name: str, title: str, purpose: str, term_days: int | None, datasets: Iterable[str]) -> None:
    """Raise `FormInvalid` with all that is wrong, unless an application is complete."""
    check_form(application_faults(name=name, title=title, purpose=purpose, term_days=term_days, datasets=datasets))


def check_form(faults: Mapping[str, str]) -> None:
    """Raise `FormInvalid` if there are any."""
    if faults:
        raise FormInvalid(faults)


def check_live(state: str, expires_at: datetime | None, now: datetime) -> None:
    """Raise unless the workspace is approved, not suspended, and has not expired."""
    if state == "suspended":
        raise WorkspaceConflict(
            "沙箱已被安全保密管理员暂停 · the workspace was suspended by the security administrator",
        )
    if state == "expired":
        raise WorkspaceConflict("沙箱已到期 · the workspace has expired")
    if state != "approved":
        raise WorkspaceConflict("沙箱未获批准或已关闭 · the workspace is not approved or was closed")
    if expires_at is None or now >= expires_at:
        raise WorkspaceConflict("沙箱已到期 · the workspace has expired")


def check_extension(
    *, state: str, expires_at: datetime | None, cleared: bool, days: int | None, reason: str, waiting: bool
) -> None:
    """Raise unless more days may be asked for: ``days`` in [1, 366], nothing cleared, no other request waiting.

    What was typed wrong comes together (`FormInvalid`: days, reason); ``days`` is None if it was no number.
    """
    if state not in {"approved", "expired"} or expires_at is None or cleared:
        raise WorkspaceConflict("这个沙箱不能延期 · this workspace cannot be extended")
    if waiting:
        raise WorkspaceConflict("已有一项延期申请在等待决定 · an extension is waiting for its decision already")
    faults = {}
    if days is None or not 1 <= days <= MAX_TERM_DAYS:
        faults["days"] = "延期须为 1–366 天 · an extension must be 1 to 366 days"
    if not _reasoned(reason):
        faults["reason"] = REASON_WANTED
    check_form(faults)


def check_reason(reason: str) -> None:
    """Raise unless a reason of 2 to 4000 characters is given."""
    if not _reasoned(reason):
        raise WorkspaceInvalid(REASON_WANTED)


def check_authorized(*, operator: bool, authorized: bool) -> None:
    """Raise unless an operator has a living central authorization (集中授权) for this dataset.

    The authorization makes an operator eligible and nothing more (PRIVACY.md 28): levels, approvals and checks stay.
    """
    if operator and not authorized:
        raise WorkspaceDenied(
            "运营机构须先取得该数据集的集中授权 · an operator first needs central authorization for each dataset",
        )


def check_code(entry: str, code: bytes) -> None:
    """Raise unless ``entry`` is a name of a notebook or script (`contracts.is_entry`) and ``code`` one of <= 2 MB."""
    if not entry.endswith((".ipynb", ".py")):
        raise WorkspaceInvalid("只接受 .ipynb 或 .py 文件 · only a .ipynb or .py file is accepted")
    if not is_entry(entry):
        raise WorkspaceInvalid(
            "文件名只能用文字、数字、空格、点、连字符和下划线，以文字或数字开头，最多 100 个字符（255 字节）；请改名 · "
            "a file's name has letters, digits, spaces, dots, hyphens and underscores only, begins with a letter or "
            "digit, and has at most 100 characters (255 bytes); give it another name",
        )
    if not code:
        raise WorkspaceInvalid("文件是空的 · the file is empty")
    if len(code) > CODE_BYTES:
        raise WorkspaceInvalid(
            f"程序有 {len(code):,} 字节，上限是 {CODE_BYTES:,} 字节 · "
            f"the program has {len(code):,} bytes; at most {CODE_BYTES:,} may be handed in",
        )
    if entry.endswith(".ipynb"):
        try:
            cells = json.loads(code)["cells"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise WorkspaceInvalid("不是有效的笔记本 · this is not a valid notebook") from None
        if not isinstance(cells, list):
            raise WorkspaceInvalid("不是有效的笔记本 · this is not a valid notebook")


def check_sent(filename: str, size: int) -> None:
    """Raise unless a file of ``size`` bytes may be sent to be checked; it may have any name but none."""
    if not filename or len(filename) > MAX_FILENAME:
        raise WorkspaceInvalid(
            f"文件须有 1–{MAX_FILENAME} 个字符的名称 · a file needs a name of 1 to {MAX_FILENAME} characters"
        )
    if not size:
        raise WorkspaceInvalid("文件是空的 · the file is empty")
    if size > CHECK_BYTES:
        raise WorkspaceInvalid(
            f"文件有 {size:,} 字节，上限是 {CHECK_BYTES:,} 字节；产出应是汇总结果 · "
            f"the file has {size:,} bytes; at most {CHECK_BYTES:,} may be sent, as outputs are aggregates",
        )


def check_budget(spent: int, charge: int, budget: int) -> None:
    """Raise if one more sealed run would overdraw the workspace's status bits."""
    if spent + charge > budget:
        raise WorkspaceDenied(
            f"沙箱的状态信息额度已用完（{spent}/{budget} 比特） · the status bits are spent ({spent}/{budget})",
        )


def _reasoned(reason: str) -> bool:
    return MIN_REASON <= len(reason.strip()) <= MAX_REASON
