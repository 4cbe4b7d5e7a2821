"""Nobody gets a token of the hub: it would outlive the session, and everything the hub offers is in its pages.

JupyterHub has a page and an interface by which people make tokens of any length for themselves. Both are closed; the
portal gives tokens for its own interface.
"""

from __future__ import annotations

from typing import Any

from jupyterhub.handlers import BaseHandler
from tornado import web

SENTENCE = "沙箱不发放令牌：令牌会比会话活得长。 The hub gives no tokens: they would outlive the session."


class NoTokens(BaseHandler):
    """``/hub/token`` and ``/hub/api/users/…/tokens``, whoever asks and however."""

    def prepare(self) -> None:
        """Refuse before anything is read."""
        raise web.HTTPError(403, SENTENCE)

    def get(self, *_: Any) -> None:
        """Never reached; without it the answer would be 405."""

    post = delete = get


PATHS = ("/token", "/api/users/([^/]+)/tokens", "/api/users/([^/]+)/tokens/([^/]*)")
HANDLERS: list[tuple[str, type[Any]]] = [(path, NoTokens) for path in PATHS]
