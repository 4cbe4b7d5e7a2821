"""Errors of the service, sorted by whose fault it is and what comes next.

Messages name things, states and counts, never cell values, keys or tokens: they are shown to people, stored with jobs
and written to logs. HTTP status is decided in ``opendata.web.problems`` alone.
"""

from __future__ import annotations


class OpenDataError(Exception):
    """Base of every error whose sentence may be shown as it is.

    Catch it at an edge only (a route, a job, a command line), to show the sentence; inside, catch the narrow class.
    Another package's error may join by setting ``message_is_safe`` on its own base class.
    """

    message_is_safe = True


class ConfigurationError(OpenDataError):
    """The operator must change a setting, an owner or a mode; nothing was started or widened."""


class NotFoundError(OpenDataError):
    """There is no such thing, or this person may not know that there is one."""


class ConflictError(OpenDataError):
    """The thing is in another state than the act needs; reload and decide again."""


class InvalidInputError(OpenDataError):
    """What was sent is malformed; its sender must change it."""


class DeniedError(OpenDataError):
    """A rule refuses this person this act. Subclasses name the rule."""


class AuthenticationError(DeniedError):
    """Nobody is proven: wrong password, spent link, expired or revoked session, token or code.

    The sentence is the same for every cause, so that it does not tell which accounts exist.
    """

    def __init__(
        self, message: str = "登录失败：账号、密码或登录凭证无效、已过期或已锁定，请稍后再试或向管理员索取新的登录链接"
    ) -> None:
        super().__init__(message)


class StorageError(OpenDataError):
    """Storage could not do it; nothing half-written is visible."""


class TamperedError(StorageError):
    """Stored bytes are not what was written: truncated, reordered or changed. Nothing of them may be used."""


class LedgerError(OpenDataError):
    """The ledger is inconsistent or cannot be written. The act that wanted an entry must not happen."""


class JobFailed(OpenDataError):
    """A step of a durable job failed; the sentence is what the job row shows. ``error_type`` names the class."""

    def __init__(self, message: str, *, error_type: str = "JobFailed") -> None:
        super().__init__(message)
        self.error_type = error_type


class JobCancelled(OpenDataError):
    """Somebody asked for the job to stop. Raised by ``JobContext.check_cancelled``; let it pass."""

    def __init__(self) -> None:
        super().__init__("任务已取消")


def safe_sentence(error: BaseException) -> str:
    """The sentence of an error that may be shown or stored; foreign errors give their class name only.

    Libraries put cell values into their messages ("Could not convert '…'"), so an unknown message never passes.
    """
    if getattr(error, "message_is_safe", False):
        return str(error)
    if isinstance(error, MemoryError):
        return "内存不足，未发布任何内容；请减小数据或增加内存后重试"
    if isinstance(error, OSError) and error.errno is not None:
        import os

        return f"系统错误：{os.strerror(error.errno)}（{type(error).__name__}）；未发布任何内容，请处理后重试"
    return f"内部错误（{type(error).__name__}）；未发布任何内容，详情见服务日志"
