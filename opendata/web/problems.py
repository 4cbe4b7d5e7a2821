"""Every error's HTTP status and words, decided here; ``answering`` sends them.

An error says what happened, which clause decided it and what to do next. It never quotes a cell value, key or token.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from masking.errors import DataError, KeyMissing, MaskingError, PolicyError
from opendata import errors
from opendata.access.errors import AccessDenied

Text = Mapping[str, str]

LOG = structlog.get_logger(__name__)
# The first entry of an error's own class, then of its bases, counts.
ERRORS: dict[type[Exception], tuple[int, str, Text]] = {
    errors.NotFoundError: (404, "not-found", {"zh": "没有找到", "en": "Not found"}),
    errors.ConflictError: (409, "conflict", {"zh": "现在不能这样做", "en": "Not possible now"}),
    errors.InvalidInputError: (422, "invalid", {"zh": "内容有误", "en": "Something in the request is wrong"}),
    errors.AuthenticationError: (401, "sign-in-failed", {"zh": "登录失败", "en": "Sign-in failed"}),
    AccessDenied: (403, "door-shut", {"zh": "此门未对您开放", "en": "This door is not open to you"}),
    errors.DeniedError: (403, "denied", {"zh": "不允许", "en": "Not allowed"}),
    errors.ConfigurationError: (503, "configuration", {"zh": "服务设置有误", "en": "The service is not set up right"}),
    errors.StorageError: (503, "storage", {"zh": "存储暂不可用", "en": "Storage is not available"}),
    errors.LedgerError: (
        503,
        "ledger",
        {"zh": "存证未能写入，操作没有发生", "en": "The ledger refused; nothing happened"},
    ),
    errors.OpenDataError: (503, "not-done", {"zh": "服务未能完成", "en": "The service could not do it"}),
}
DOOR_STATUS = {"sign_in": 401, "not_open": 403, "preparing": 409, "quota": 429, "denied": 403}
DOOR_LINKS = {
    "sign_in": "/sign-in",
    "grant": "/grants",
    "wait": "/requests",
    "sandbox": "/workspaces",
    "job": "/workspaces",
}


class Problem(Exception):
    """An answer other than success that the web layer itself decides. Raise it; never catch it in an endpoint.

    ``title``, ``detail`` and ``help`` are texts in Chinese and English; ``help`` says what the reader can do next and
    ``link`` is the path where it can be done. ``slug`` names the kind for programs and never changes.
    """

    def __init__(
        self,
        status: int,
        slug: str,
        title: Text,
        *,
        detail: Text | None = None,
        help_: Text | None = None,
        link: str | None = None,
        clause: Text | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(title["en"])
        self.status = status
        self.slug = slug
        self.title = title
        self.detail = detail
        self.help = help_
        self.link = link
        self.clause = clause
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    @classmethod
    def not_found(cls) -> Problem:
        """Nothing here, or nothing this visitor may know of: the two are the same answer."""
        return cls(
            404,
            "not-found",
            {"zh": "没有找到", "en": "Not found"},
            detail={
                "zh": "这里没有内容，或者您无权知道它是否存在。",
                "en": "There is nothing here, or nothing you may know of.",
            },
            help_={"zh": "请从目录检索，或登录后再试。", "en": "Search the catalogue, or sign in and try again."},
            link="/datasets",
        )

    @classmethod
    def sign_in_needed(cls) -> Problem:
        """The door is for people who are signed in."""
        return cls(
            401,
            "sign-in-needed",
            {"zh": "请先登录", "en": "Please sign in"},
            help_={
                "zh": "登录后继续；程序请使用 Authorization: Bearer 令牌（POST /api/v1/sign-in）。",
                "en": "Sign in to continue; programs send Authorization: Bearer with a token (POST /api/v1/sign-in).",
            },
            link="/sign-in",
            headers={"WWW-Authenticate": 'Bearer realm="opendata"'},
        )

    @classmethod
    def bad_token(cls) -> Problem:
        """The bearer token is unknown, expired or revoked."""
        return cls(
            401,
            "bad-token",
            {"zh": "令牌无效", "en": "Token not valid"},
            detail={"zh": "令牌不存在、已过期或已撤销。", "en": "The token is unknown, expired or revoked."},
            help_={"zh": "请通过 POST /api/v1/sign-in 重新获取。", "en": "Get a new one by POST /api/v1/sign-in."},
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )

    @classmethod
    def role_needed(cls, roles: Iterable[Any]) -> Problem:
        """Signed in, but the page belongs to another role."""
        names = ", ".join(sorted(str(role) for role in roles))
        return cls(
            403,
            "role-needed",
            {"zh": "您的角色不能使用此功能", "en": "Your role cannot use this"},
            detail={"zh": f"需要的角色：{names}。", "en": f"It needs one of the roles {names}."},
            help_={
                "zh": "请换用相应账号登录，或联系系统管理员。",
                "en": "Sign in with such an account, or ask a system administrator.",
            },
            link="/sign-in",
        )

    @classmethod
    def csrf(cls) -> Problem:
        """The form was not sent by our own page, or its page is older than the session."""
        return cls(
            403,
            "form-expired",
            {"zh": "表单已失效", "en": "This form has expired"},
            detail={
                "zh": "请求不是由本站页面发出，或页面早于当前登录。没有做任何修改。",
                "en": "Not sent by this site's page, or the page is older than your session. Nothing was changed.",
            },
            help_={"zh": "返回上一页，刷新后重试。", "en": "Go back, reload the page and try again."},
        )

    @classmethod
    def invalid(cls, detail: Text, *, extra: Mapping[str, Any] | None = None) -> Problem:
        """The request's own content is wrong; its sender must change it."""
        return cls(
            422, "invalid", {"zh": "内容有误", "en": "Something in the request is wrong"}, detail=detail, extra=extra
        )

    @classmethod
    def unavailable(cls, detail: Text, help_: Text) -> Problem:
        """Another process of the service does not answer; trying later is right."""
        title = {"zh": "暂时不可用", "en": "Not available at the moment"}
        return cls(503, "unavailable", title, detail=detail, help_=help_, headers={"Retry-After": "10"})


def describe(error: Exception) -> Problem:
    """The one table from exception to HTTP answer."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return _from_validation(error)
    if isinstance(error, HTTPException):
        return _from_http(error)
    if isinstance(error, MaskingError):
        return _from_masking(error)
    known = _entry_for(type(error))
    if known is not None:
        return _from_domain(error, *known)
    return _unexpected(error)


def _from_validation(error: RequestValidationError) -> Problem:
    # Only places and rules are told, never the rejected input.
    fields = [{"at": ".".join(str(part) for part in item["loc"]), "rule": item["msg"]} for item in error.errors()]
    places = ", ".join(field["at"] for field in fields)
    detail = {"zh": f"请检查：{places}。", "en": f"Check: {places}."}
    return Problem.invalid(detail, extra={"errors": fields})


def _from_http(error: HTTPException) -> Problem:
    if error.status_code == 404:
        return Problem.not_found()
    phrase = HTTPStatus(error.status_code).phrase
    titles = {
        405: {"zh": "不支持这种请求方法", "en": "Method not allowed"},
        413: {"zh": "内容太大", "en": "Content too large"},
        416: {"zh": "请求的范围不在文件之内", "en": "Range not satisfiable"},
    }
    title = titles.get(error.status_code, {"zh": "请求无法处理", "en": phrase})
    return Problem(error.status_code, phrase.lower().replace(" ", "-"), title, headers=error.headers)


def _from_masking(error: MaskingError) -> Problem:
    detail = {"zh": str(error), "en": str(error)}
    if isinstance(error, PolicyError):
        title = {"zh": "脱敏策略有误", "en": "The masking policy is wrong"}
        help_ = {
            "zh": "请修改脱敏策略后重试。没有发布任何内容。",
            "en": "Change the masking policy and try again. Nothing was published.",
        }
        place = {key: getattr(error, key) for key in ("line", "column") if getattr(error, key, None)}
        return Problem(422, "policy", title, detail=detail, help_=help_, extra=place)
    if isinstance(error, DataError):
        return Problem(422, "data", {"zh": "数据有误", "en": "The data is wrong"}, detail=detail)
    if isinstance(error, KeyMissing):
        return Problem(409, "key-missing", {"zh": "缺少密钥", "en": "A key is missing"}, detail=detail)
    return Problem(409, "masking", {"zh": "脱敏未能完成", "en": "Masking did not complete"}, detail=detail)


def _entry_for(kind: type[BaseException]) -> tuple[int, str, Text] | None:
    return next((ERRORS[base] for base in kind.__mro__ if base in ERRORS), None)


def _from_domain(error: Exception, status: int, slug: str, title: Text) -> Problem:
    if status == 404:
        return Problem.not_found()  # hidden and absent answer alike
    reason = getattr(error, "reason", None)
    detail = reason if isinstance(reason, Mapping) else {"zh": str(error), "en": str(error)}
    if isinstance(error, AccessDenied):
        status = DOOR_STATUS[error.code]
    clause = getattr(error, "clause", None)
    door = getattr(error, "door", None)
    headers = {"WWW-Authenticate": 'Bearer realm="opendata"'} if status == 401 else {}
    return Problem(
        status,
        slug,
        title,
        detail=detail,
        clause=clause if isinstance(clause, Mapping) else None,
        help_=door.text if door else None,
        link=DOOR_LINKS.get(door.kind) if door else None,
        headers=headers,
        extra={"door": door.kind} if door else None,
    )


def _unexpected(error: Exception) -> Problem:
    reference = uuid4().hex[:12]
    # The class and place only: an exception's text may hold what a person typed or a value from a table.
    LOG.error("unexpected error", reference=reference, kind=type(error).__name__, at=_place(error))
    detail = {"zh": f"服务出错，编号 {reference}。", "en": f"The service failed; reference {reference}."}
    help_ = {
        "zh": "请稍后重试；如再次出现，请把编号告诉管理员。",
        "en": "Try again later; if it happens again, tell an administrator the reference.",
    }
    return Problem(500, "internal", {"zh": "服务内部错误", "en": "Internal error"}, detail=detail, help_=help_)


def _place(error: Exception) -> str:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}" if traceback else "unknown"
