"""Why a session ended, in words for the person: JupyterLab itself only sees that its server is gone.

Kept in memory until the person starts another session, which tells it once more; a restarted hub has forgotten it.
"""

from __future__ import annotations

from typing import Any, Final

LONGEST: Final = "longest life reached"
IDLE: Final = "idle"
NOT_ENTITLED: Final = "no longer entitled"
IMPORT_WITHDRAWN: Final = "an import was withdrawn"
EDITION_TAKEN_DOWN: Final = "an edition was taken down"
DIED: Final = "it ended by itself"

WORDS: Final[dict[str, tuple[str, str]]] = {
    LONGEST: (
        "会话已达到最长时限，已自动结束。已保存的文件都在，可以重新启动。",
        "The session reached its longest life and was ended. Saved files are kept; start it again.",
    ),
    IDLE: (
        "会话长时间没有使用，已自动结束。已保存的文件都在，可以重新启动。",
        "Nobody used the session for a long time, so it was ended. Saved files are kept; start it again.",
    ),
    NOT_ENTITLED: (
        "您在这个沙箱中的权限已终止：沙箱已到期、暂停或关闭，或您已不是成员。会话已结束；请在门户查看沙箱的状态。",
        (
            "Your right to this workspace has ended: it expired, was suspended or closed, or you are no member now. "
            "The session was ended; see the workspace in the portal."
        ),
    ),
    IMPORT_WITHDRAWN: (
        "会话中的一份导入数据已撤回或换成新版，会话已结束。可以重新启动，新会话只含现在有效的数据。",
        (
            "An import that the session held was withdrawn or replaced, so the session was ended. "
            "A new one has what is valid now."
        ),
    ),
    EDITION_TAKEN_DOWN: (
        "会话中的一个数据集版本已下架，或其级别已提高，会话已结束。可以重新启动；请同时删除个人目录中的副本。",
        (
            "An edition that the session held was taken down, or its level was raised, so the session was ended. "
            "You may start it again; delete copies in your home as well."
        ),
    ),
    DIED: (
        "会话意外结束：内存用完，或沙箱服务重新启动。已保存的文件都在，可以重新启动。",
        (
            "The session ended unexpectedly: out of memory, or the sandbox was restarted. "
            "Saved files are kept; start it again."
        ),
    ),
}

_ended: dict[str, str] = {}


def remember(person: str, reason: str) -> None:
    """The hub ended the person's session."""
    _ended[person] = reason


def forget(person: str) -> None:
    """The person starts another one."""
    _ended.pop(person, None)


def words(person: str) -> tuple[str, str] | None:
    """Chinese and English of why the person's last session ended; None when its end needs no words."""
    return WORDS.get(_ended.get(person, ""))


def why_ended(user: Any) -> tuple[str, str] | None:
    """The same for the hub's pages of a user; the hub calls it for each page and gives pages what it returned."""
    return words(user.name) if user is not None else None
