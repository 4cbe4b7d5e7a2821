"""Single sign-on: people sign in at the portal; the hub learns a name and roles and keeps no password and no token."""

from __future__ import annotations

from typing import Any

from oauthenticator.generic import GenericOAuthenticator

from sandbox.hub.opening import OpenWorkspace, SwitchWorkspace
from sandbox.hub.service import NotEntitled, Service, ServiceAway
from sandbox.hub.tokens import HANDLERS


class PortalAuthenticator(GenericOAuthenticator):
    """OIDC with PKCE. The portal is asked again while a person is signed in, so that a revoked role acts soon."""

    service: Service | None = None

    async def refresh_user(self, user: Any, handler: Any = None, **_: Any) -> bool:  # noqa: ARG002
        """Whether the person may stay signed in. A service that does not answer lets nobody stay (fails closed)."""
        if self.service is None:
            return False
        try:
            roles = await self.service.roles(user.name)
        except (NotEntitled, ServiceAway):
            return False
        return bool(roles & set(self.allowed_groups))

    def get_handlers(self, app: Any) -> list[tuple[str, type[Any]]]:
        """The sign-in pages, and before the hub's own: opening another workspace, and no page for tokens."""
        own = [("/spawn", OpenWorkspace), ("/spawn/([^/]+)", OpenWorkspace), ("/switch", SwitchWorkspace)]
        return [*super().get_handlers(app), *own, *HANDLERS]

    def normalize_username(self, username: str) -> str:
        """The portal's user name as it is: the hub asks the portal by it."""
        return username
