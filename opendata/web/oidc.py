"""OpenID Connect provider for the sandbox's JupyterHub, and session tokens for its gates.

Protocol by Authlib's framework-free core: authorization code with PKCE (S256) required, one registered client. ID
tokens are RS256 by joserfc. Codes and access tokens are rows of the database, stored hashed; a code lives 60
s and once.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import (
    AuthorizationCodeMixin,
    AuthorizationServer,
    ClientMixin,
    JsonRequest,
    OAuth2Error,
)
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, RedirectResponse, Response
from joserfc import jwk, jwt
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from opendata.db import utc_now
from opendata.errors import AuthenticationError, ConfigurationError, NotFoundError
from opendata.identity import Actor, OAuthCode, Role, User
from opendata.identity import service as identity
from opendata.settings import Settings
from opendata.web.deps import CurrentActor, SettingsDep, WriteDep
from opendata.web.problems import Problem

router = APIRouter()

CLIENT_ID = "sandbox-hub"
SCOPES = frozenset({"openid", "profile", "groups"})
ACCESS_TOKEN_S = 3600
SESSION_TOKEN_S = 600
ID_TOKEN_S = 300
_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@router.get("/oidc/.well-known/openid-configuration", include_in_schema=False)
def discovery(settings: SettingsDep) -> dict[str, Any]:
    """Where everything is."""
    issuer = f"{settings.public_url}/oidc"
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": sorted(SCOPES),
        "claims_supported": ["sub", "name", "preferred_username", "groups"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
    }


@router.get("/oidc/jwks", include_in_schema=False)
def jwks(settings: SettingsDep) -> dict[str, Any]:
    """The public key of ID tokens."""
    return {"keys": [signing_key(settings).as_dict(private=False) | {"use": "sig", "alg": "RS256"}]}


@router.get("/oidc/authorize", include_in_schema=False)
def authorize(request: Request, session: WriteDep, actor: CurrentActor, settings: SettingsDep) -> Response:
    """Send the signed-in person back to the hub with a code; no consent page, the client is our own."""
    server = _server(session, settings)
    values = dict(request.query_params)
    if not _CHALLENGE.fullmatch(values.get("code_challenge", "")) or values.get("code_challenge_method") != "S256":
        raise Problem.invalid(
            {"zh": "登录请求必须使用 PKCE（S256）。", "en": "The sign-in request must use PKCE (S256)."}
        )
    oauth = _Request(request.method, request.url.path, values, dict(request.headers))
    try:
        grant = server.get_consent_grant(oauth, end_user=actor)
        answer: Response = server.create_authorization_response(oauth, grant_user=actor, grant=grant)
    except OAuth2Error as error:
        raise Problem.invalid({"zh": "登录请求不符合约定。", "en": "The sign-in request is not as agreed."}) from error
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.post("/oidc/token", include_in_schema=False)
async def token(request: Request) -> Response:
    """Exchange a code for tokens: client secret, code, verifier."""
    form = {key: value for key, value in (await request.form()).items() if isinstance(value, str)}
    return await run_in_threadpool(_token, request, form)


@router.get("/oidc/userinfo", include_in_schema=False)
@router.post("/oidc/userinfo", include_in_schema=False)
def userinfo(actor: CurrentActor) -> dict[str, Any]:
    """Claims of the bearer token's person."""
    return claims(actor)


class SessionTokenBody(BaseModel):
    """Whom a gate speaks for, and in which workspace."""

    username: str = Field(max_length=64)
    workspace: str | None = Field(default=None, max_length=100)


@router.post("/api/v1/internal/session-token", include_in_schema=False)
def session_token(
    request: Request, body: SessionTokenBody, session: WriteDep, settings: SettingsDep, response: Response
) -> dict[str, Any]:
    """A short-lived token of a researcher, for the hub's gate only (client secret by HTTP Basic).

    It opens the workspaces' paths and nothing else.
    """
    _check_client(request, settings)
    try:
        actor = identity.actor_of(identity.user_by_username(session, body.username))
    except (NotFoundError, AuthenticationError):
        raise Problem.not_found() from None
    if Role.RESEARCHER not in actor.roles:
        raise Problem.not_found()
    name = f"{identity.WORKSPACE_TOKEN}{body.workspace}" if body.workspace else identity.HUB_TOKEN
    lifetime = timedelta(seconds=SESSION_TOKEN_S)
    secret = identity.issue_token(session, actor.id, name=name, now=utc_now(), lifetime=lifetime)
    response.headers["Cache-Control"] = "no-store"
    return {"token": secret, "expires_in": SESSION_TOKEN_S}


def claims(actor: Actor) -> dict[str, Any]:
    """What the hub learns of a person: groups are roles."""
    return {
        "sub": actor.id,
        "name": actor.name,
        "preferred_username": actor.username,
        "groups": sorted(str(role) for role in actor.roles),
    }


def client_secret(settings: Settings) -> str:
    """The secret that web and hub share; each process reads its own copy."""
    path = settings.keys_dir / "web" / "oidc-client-secret"
    try:
        secret = path.read_text("ascii").strip()
    except OSError as error:
        raise ConfigurationError("缺少沙箱登录密钥，请重新运行 opendata up（no OIDC client secret）") from error
    if len(secret) < 32:
        raise ConfigurationError("沙箱登录密钥太短（the OIDC client secret is too short）")
    return secret


def signing_key(settings: Settings) -> jwk.RSAKey:
    """The private key of ID tokens."""
    path = settings.keys_dir / "web" / "oidc.pem"
    try:
        key = jwk.RSAKey.import_key(path.read_bytes())
    except OSError as error:
        raise ConfigurationError("缺少登录签名密钥，请重新运行 opendata up（no OIDC signing key）") from error
    key.ensure_kid()
    return key


@dataclass(frozen=True, slots=True)
class _Client(ClientMixin):
    """The one client."""

    settings: Settings

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return self._redirect_uri

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(sorted(SCOPES.intersection((scope or "").split())))

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self._redirect_uri

    def check_client_secret(self, secret: str) -> bool:
        return _same(secret, client_secret(self.settings))

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return endpoint != "token" or method in {"client_secret_basic", "client_secret_post"}

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"

    @property
    def _redirect_uri(self) -> str:
        return f"{self.settings.hub_url}/hub/oauth_callback"


@dataclass(frozen=True, slots=True)
class _Code(AuthorizationCodeMixin):
    row: OAuthCode
    actor: Actor

    @property
    def code_challenge(self) -> str:
        return self.row.code_challenge

    @property
    def code_challenge_method(self) -> str:
        return "S256"

    def get_redirect_uri(self) -> str:
        return self.row.redirect_uri

    def get_scope(self) -> str:
        return self.row.scope

    def get_nonce(self) -> str | None:
        return self.row.nonce

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class _Request(OAuth2Request):
    def __init__(self, method: str, path: str, values: dict[str, str], headers: dict[str, str]) -> None:
        canonical = {"-".join(part.capitalize() for part in name.split("-")): value for name, value in headers.items()}
        # TLS ends at the proxy and loopback has none: whether plain HTTP is right was decided by ``public_url``.
        super().__init__(method, f"https://portal{path}", headers=canonical)
        self.values = values
        self.payload = BasicOAuth2Payload(values)

    @property
    def args(self) -> dict[str, str]:
        return self.values

    @property
    def form(self) -> dict[str, str]:
        return self.values


class _Server(AuthorizationServer):
    def __init__(self, session: Session, settings: Settings) -> None:
        super().__init__(scopes_supported=sorted(SCOPES))
        self.session, self.settings = session, settings
        self.register_token_generator("default", self._make_token)

    def query_client(self, client_id: str) -> _Client | None:
        return _Client(self.settings) if client_id == CLIENT_ID else None

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        """Saved when it was made."""

    def create_oauth2_request(self, request: _Request) -> _Request:
        return request

    def create_json_request(self, request: Any) -> JsonRequest:
        raise NotImplementedError

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def handle_response(self, status: int, body: Any, headers: Any) -> Response:
        found = dict(headers)
        if "Location" in found:
            return RedirectResponse(found["Location"], status_code=302)
        return JSONResponse(body or {}, status, headers={k: v for k, v in found.items() if k != "Content-Type"})

    def _make_token(self, *, user: Actor, scope: str, **_: Any) -> dict[str, Any]:
        lifetime = timedelta(seconds=ACCESS_TOKEN_S)
        secret = identity.issue_token(self.session, user.id, name=identity.OIDC_TOKEN, now=utc_now(), lifetime=lifetime)
        return {"token_type": "Bearer", "access_token": secret, "expires_in": ACCESS_TOKEN_S, "scope": scope}


class _CodeGrant(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]  # noqa: RUF012 - Authlib's own type
    server: _Server

    def generate_authorization_code(self) -> str:
        payload = self.request.payload
        return identity.issue_code(
            self.server.session,
            client_id=CLIENT_ID,
            redirect_uri=payload.redirect_uri or self.request.client.get_default_redirect_uri(),
            user_id=self.request.user.id,
            nonce=payload.data.get("nonce"),
            code_challenge=payload.data["code_challenge"],
            scope=self.request.scope,
            now=utc_now(),
        )

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        """Saved when it was made: only the database's side makes secrets."""

    def query_authorization_code(self, code: str, client: _Client) -> _Code | None:
        redirect_uri = self.request.payload.redirect_uri or client.get_default_redirect_uri()
        try:
            row = identity.redeem_code(
                self.server.session, code, client_id=CLIENT_ID, redirect_uri=redirect_uri, now=utc_now()
            )
        except AuthenticationError:
            return None
        user = self.server.session.get(User, row.user_id)
        return _Code(row, identity.actor_of(user)) if user is not None else None

    def delete_authorization_code(self, authorization_code: _Code) -> None:
        """Spent when it was looked up: a second try finds nothing, whatever happened to the first."""

    def authenticate_user(self, authorization_code: _Code) -> Actor:
        return authorization_code.actor


class _IDToken(OpenIDCode):
    """Adds the signed ID token."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings

    def exists_nonce(self, nonce: str, request: OAuth2Request) -> bool:
        del nonce, request
        return False  # a nonce binds the ID token to the client's session; a code is single-use by itself

    def generate_user_info(self, user: Actor, scope: str) -> UserInfo:
        del scope
        return UserInfo(claims(user))

    def encode_id_token(self, token: dict[str, Any], request: OAuth2Request) -> str:
        now = int(time.time())
        key = signing_key(self.settings)
        body = {"iss": f"{self.settings.public_url}/oidc", "aud": CLIENT_ID, "iat": now, "exp": now + ID_TOKEN_S}
        body |= self.get_authorization_code_claims(request.authorization_code)
        body |= self.generate_user_info(request.user, token["scope"])
        return jwt.encode({"alg": "RS256", "kid": key.kid}, body, key, ["RS256"])


def _server(session: Session, settings: Settings) -> _Server:
    server = _Server(session, settings)
    server.register_grant(_CodeGrant, [CodeChallenge(required=True), _IDToken(settings)])
    return server


def _token(request: Request, form: dict[str, str]) -> Response:
    settings: Settings = request.app.state.settings
    with request.app.state.database.begin() as session:
        oauth = _Request("POST", request.url.path, form, dict(request.headers))
        answer: Response = _server(session, settings).create_token_response(oauth)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _check_client(request: Request, settings: Settings) -> None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        name = secret = ""
    if scheme.lower() != "basic" or name != CLIENT_ID or not _same(secret, client_secret(settings)):
        raise Problem.bad_token()


def _secret_of(settings: Settings) -> str:
    return client_secret(settings)


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())
