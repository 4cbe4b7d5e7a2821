"""A person's client of the portal's API: what the command line and the demonstration use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from opendata.errors import DeniedError, JobFailed, NotFoundError, OpenDataError


class ServiceUnreachable(OpenDataError):
    """The portal does not answer; start it with `opendata up`."""


class Refused(DeniedError):
    """The portal refused; ``problem`` is its RFC 9457 document, ``status`` the HTTP status."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        parts = [str(problem.get(key)) for key in ("title", "detail", "help") if problem.get(key)]
        super().__init__(" — ".join(dict.fromkeys(parts)) or f"HTTP {status}")
        self.status = status
        self.problem = dict(problem)


class Client:
    """Speaks for one person (``token``), or for nobody. Never prints or keeps the token elsewhere."""

    def __init__(self, url: str, token: str | None = None, *, language: str = "zh", app_key: str | None = None) -> None:
        import httpx2

        headers = {"Accept-Language": language}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if app_key:
            headers["X-App-Key"] = app_key
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=120, trust_env=False)

    def __repr__(self) -> str:
        return f"Client({self._http.base_url})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @classmethod
    def signed_in(cls, url: str, link_secret: str, *, language: str = "zh") -> Self:
        """Redeem a one-time sign-in link for a token."""
        with cls(url, language=language) as nobody:
            token = nobody.post("/api/v1/sign-in", json={"link": link_secret})["token"]
        return cls(url, token, language=language)

    def get(self, path: str, **parameters: Any) -> Any:
        """JSON of a GET."""
        return self.request("GET", path, params=parameters).json()

    def post(self, path: str, **options: Any) -> Any:
        """JSON of a POST, None when there is no body."""
        answer = self.request("POST", path, **options)
        return answer.json() if answer.content else None

    def put(self, path: str, **options: Any) -> Any:
        """JSON of a PUT."""
        return self.request("PUT", path, **options).json()

    def request(self, method: str, path: str, **options: Any) -> Any:
        """The answer itself.

        Raises:
            ServiceUnreachable: nobody answers.
            Refused: an HTTP status of 400 or more.
        """
        import httpx2

        try:
            answer = self._http.request(method, path, **options)
        except httpx2.TransportError as error:
            raise ServiceUnreachable(f"{self._http.base_url} 没有应答；请先运行 opendata up（no answer）") from error
        if answer.status_code >= 400:
            try:
                problem = answer.json()
            except ValueError:
                problem = {}
            raise Refused(answer.status_code, problem if isinstance(problem, Mapping) else {})
        return answer

    def upload(self, path: str, file: Path, **parameters: Any) -> Any:
        """POST a file as the body, streamed."""
        with file.open("rb") as stream:
            return self.post(path, params=parameters, content=iter(lambda: stream.read(1 << 20), b""))

    def wait_job(
        self, job_id: str, *, timeout_s: float = 900, watch: Callable[[Mapping[str, Any]], None] | None = None
    ) -> Mapping[str, Any]:
        """Wait until a job has ended.

        Raises:
            JobFailed: it failed, was cancelled, or took longer than ``timeout_s``.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            job = self.get(f"/api/v1/jobs/{job_id}")
            if watch is not None:
                watch(job)
            if job["state"] == "done":
                return dict(job)
            if job["state"] in {"failed", "cancelled"}:
                raise JobFailed(str(job.get("error") or job["state"]))
            time.sleep(0.2)
        raise JobFailed(f"任务在 {timeout_s:.0f} 秒内没有结束（job still running）")


def pick(records: Iterable[Mapping[str, Any]], key: str, value: Any) -> Mapping[str, Any]:
    """The record whose ``key`` is ``value``.

    Raises:
        NotFoundError: none is.
    """
    for record in records:
        if record.get(key) == value:
            return record
    raise NotFoundError(f"没有 {key} 与之相符的记录（no matching record）")
