"""Identity: organisations, people, roles, sessions, tokens."""

from opendata.identity.models import ApiToken, OAuthCode, Organization, SignInFailure, SignInLink, User, WebSession
from opendata.identity.roles import ADMINISTRATORS, Actor, Role, RolesDenied, check_roles

__all__ = [
    "ADMINISTRATORS",
    "Actor",
    "ApiToken",
    "OAuthCode",
    "Organization",
    "Role",
    "RolesDenied",
    "SignInFailure",
    "SignInLink",
    "User",
    "WebSession",
    "check_roles",
]
