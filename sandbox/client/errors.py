"""What can go wrong between a notebook and the service, by who has to act.

Every message is one sentence in Chinese followed by the same in English; none holds a token or a cell value.
"""

from __future__ import annotations

import html
from typing import Any, Final

_SHOWN: Final = 40


class ClientError(Exception):
    """Anything `sandbox.client` raises. Catch it to go on without the service."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(zh, en)
        self.zh = zh
        self.en = en

    def __str__(self) -> str:
        return f"{self.zh}\n{self.en}" if self.en and self.en != self.zh else self.zh

    def _repr_html_(self) -> str:
        return f"<p><strong>{html.escape(self.zh)}</strong><br>{html.escape(self.en)}</p>"


class NotInSession(ClientError):
    """There is no gate: this code does not run in a sandbox session."""

    @classmethod
    def without_gate(cls) -> NotInSession:
        return cls(
            "这里不是数据沙箱会话：没有找到会话网关。请在沙箱的 JupyterLab 中运行。",
            "This is not a sandbox session: no session gate was found. Run it in the sandbox's JupyterLab.",
        )

    @classmethod
    def without_workspace(cls) -> NotInSession:
        return cls(
            "本会话没有对应的沙箱。请从沙箱页面重新启动 JupyterLab。",
            "This session belongs to no workspace. Start JupyterLab again from the workspace's page.",
        )


class BadArgument(ClientError, TypeError):
    """A call was given something else than it takes; nothing was sent."""

    @classmethod
    def path(cls, given: object) -> BadArgument:
        kind = type(given).__name__
        return cls(
            f'请给出文件的路径，而不是 {kind}；表先写成文件，例如 table.to_csv("/out/table.csv", index=False)。',
            f'Give the path of a file, not a {kind}; write a table first: table.to_csv("/out/table.csv", index=False).',
        )

    @classmethod
    def dataset(cls, given: object) -> BadArgument:
        return cls(
            f"请给出数据集的名称（ws.datasets() 列出），而不是 {_shown(given)}。",
            f"Give the name of a dataset (ws.datasets() lists them), not {_shown(given)}.",
        )

    @classmethod
    def by(cls, given: object) -> BadArgument:
        kind = type(given).__name__
        return cls(
            f'by 是一个维度名或维度名的列表，例如 by=["sex"]，而不是 {kind}。',
            f'by is the name of a dimension or a list of names, as by=["sex"], not a {kind}.',
        )

    @classmethod
    def measures(cls, given: object) -> BadArgument:
        kind = type(given).__name__
        return cls(
            f'measures 由结果列名和统计组成，例如 measures={{"n": "count"}}，而不是 {kind}。',
            f'measures has a column and what it counts, as measures={{"n": "count"}}, not a {kind}.',
        )


class UnusableFile(ClientError):
    """The file given cannot be sent: missing, not a regular file, or too large."""

    @classmethod
    def missing(cls, path: str) -> UnusableFile:
        return cls(f"找不到文件 {path}。", f"There is no file {path}.")

    @classmethod
    def unwritable(cls, path: str, why: str) -> UnusableFile:
        return cls(
            f"不能写入 {path}（{why}）；个人目录可能已满，请删去不用的文件。",
            f"{path} cannot be written ({why}); the home may be full: delete what is not needed.",
        )

    @classmethod
    def too_large(cls, path: str, size: int, limit: int) -> UnusableFile:
        return cls(
            f"文件 {path} 有 {size:,} 字节，上限是 {limit:,} 字节。",
            f"The file {path} has {size:,} bytes; at most {limit:,} may be sent.",
        )


class TryLater(ClientError):
    """The service did not answer now; nothing was changed. Asking again later is right."""

    @classmethod
    def unreachable(cls) -> TryLater:
        return cls(
            "服务暂时没有回应，请稍后再试；您的文件没有改变。",
            "The service did not answer; try again in a moment. Your files are unchanged.",
        )

    @classmethod
    def busy(cls) -> TryLater:
        return cls(
            "请求太频繁，请等几秒再试。",
            "Too many requests at once; wait a few seconds and try again.",
        )

    @classmethod
    def told(cls, status: int, problem: dict[str, Any]) -> TryLater:
        """In the service's own words when it has any: a door that is shut is not a service that is away."""
        zh, en = _sentences(status, problem)
        if zh:
            return cls(zh, en)
        return cls.busy() if status == 429 else cls.unreachable()


class ServiceError(ClientError):
    """The service answered with a problem (RFC 9457).

    `.status`, `.title`, `.detail`, `.help` hold its words, `.clause` the legal basis of a refusal.
    """

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.title = _words(problem.get("title"))
        self.detail = _words(problem.get("detail"))
        self.help = _words(problem.get("help"))
        self.clause = _words(problem.get("clause"))
        zh, en = _sentences(status, problem)
        super().__init__(zh or f"HTTP {status}", en)

    @staticmethod
    def from_answer(status: int, problem: dict[str, Any]) -> ClientError:
        """The error class for an answer of the service."""
        if status in {404, 405, 501}:
            return NotAvailable(status, problem)
        if status in {401, 403}:
            return Denied(status, problem)
        if status in {429, 502, 503, 504}:
            return TryLater.told(status, problem)
        return ServiceError(status, problem)


class Denied(ServiceError):
    """The service says this person or workspace may not do that."""


class NotAvailable(ServiceError):
    """The service does not have what was asked for: a name it does not know, or a door that is not open yet."""


def _sentences(status: int, problem: dict[str, Any]) -> tuple[str, str]:
    """What the service said, in Chinese and in English; words that came in one language only stand in the first."""
    said: dict[str, list[str]] = {"zh": [], "en": []}
    for member in ("title", "detail", "help", "clause"):
        value = problem.get(member)
        for language, parts in said.items():
            text = value.get(language) if isinstance(value, dict) else value if language == "zh" else None
            if isinstance(text, str) and text:
                basis = {"zh": "依据：", "en": "Basis: "}[language] if member == "clause" else ""
                parts.append(_ended(f"{basis}{text}", language))
    english = [*said["en"], f"(HTTP {status})"]
    return "".join(said["zh"]), " ".join(english)


def _shown(given: object) -> str:
    """A short text as it was given, of anything else the kind only."""
    return repr(given) if isinstance(given, str) and len(given) <= _SHOWN else type(given).__name__


def _ended(text: str, language: str) -> str:
    """The text as a sentence."""
    if language == "en" and text[0].islower() and not text.startswith("gate:"):
        text = text[0].upper() + text[1:]
    ends = "。！？；.!?" if language == "zh" else ".!?;"
    return text if text[-1] in ends else text + ("。" if language == "zh" else ".")


def _words(value: Any) -> str:
    """Text of a problem member: a string, or an object of languages (both are shown)."""
    if isinstance(value, dict):
        return " / ".join(str(value[language]) for language in ("zh", "en") if value.get(language))
    return str(value) if value else ""
