"""JupyterHub's configuration, as a function of the hub's options and secrets.

Every hop is a unix socket except the one browsers use. Nobody is an administrator, nobody reaches another's server, and
each person's server has a host name of its own, so that one origin is one person.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from traitlets.config import Config

from sandbox.hub.authenticator import PortalAuthenticator
from sandbox.hub.endings import why_ended
from sandbox.hub.options import CLIENT_ID, HubOptions, HubSecrets
from sandbox.hub.people import People
from sandbox.hub.sealing import Sealer
from sandbox.hub.service import Service
from sandbox.hub.spawner import BubblewrapSpawner, unix_url

ALLOWED_GROUP = "researcher"
_HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


_handed_over: list[Config] = []


def hand_over(options: HubOptions, secrets: HubSecrets) -> Path:
    """Make the configuration of this process and return the file by which JupyterHub reads it."""
    _handed_over[:] = [hub_config(options, secrets)]
    return Path(__file__).with_name("jupyterhub_config.py")


def handed_over() -> Config:
    """The configuration made by ``hand_over``."""
    return _handed_over[0]


def hub_config(options: HubOptions, secrets: HubSecrets) -> Config:
    """The whole configuration. Also gives the spawner and the authenticator what they work with."""
    service = Service(options.web_url, secrets.client_secret)
    BubblewrapSpawner.options = options
    BubblewrapSpawner.service = service
    BubblewrapSpawner.sealer = Sealer(secrets.gate_key)
    BubblewrapSpawner.people = People(options.places.hub_dir / "people.json")
    PortalAuthenticator.service = service

    c = Config()
    _addresses(c, options)
    _proxy(c, options, secrets)
    _sign_in(c, options, secrets)
    _sessions(c, options)
    return c


def _addresses(c: Any, options: HubOptions) -> None:
    places = options.places
    secure = urlsplit(places.hub_url).scheme == "https"
    c.JupyterHub.bind_url = f"http://{places.hub_host}:{places.hub_port}"
    c.JupyterHub.hub_bind_url = unix_url(str(options.hub_socket))
    c.JupyterHub.hub_connect_url = unix_url(str(options.hub_socket))
    c.JupyterHub.hub_socket_mode = 0o600
    c.JupyterHub.db_url = f"sqlite:///{options.database}"
    c.JupyterHub.pid_file = ""
    c.JupyterHub.cookie_secret_file = ""
    c.JupyterHub.template_paths = [str(Path(__file__).parent / "templates")]
    c.JupyterHub.template_vars = {"portal_url": places.public_url, "why_ended": why_ended}
    c.JupyterHub.tornado_settings = {
        "headers": _HEADERS,
        "cookie_options": {"samesite": "Lax", "httponly": True, "secure": secure},
    }
    # Cookies of the prefix __Host- need https; with plain http on loopback host names alone keep servers apart.
    c.JupyterHub.cookie_host_prefix_enabled = secure
    c.JupyterHub.cookie_max_age_days = 0.5
    if not options.bare_address:
        c.JupyterHub.subdomain_host = places.hub_url


def _proxy(c: Any, options: HubOptions, secrets: HubSecrets) -> None:
    # It ends with the hub, however the hub ends: a proxy left behind would hold the port.
    c.ConfigurableHTTPProxy.command = [
        "setpriv",
        "--pdeathsig",
        "TERM",
        "--",
        str(options.node),
        "--import",
        str(options.proxy_preload),
        str(options.proxy_script),
    ]
    c.ConfigurableHTTPProxy.auth_token = secrets.proxy_token
    c.ConfigurableHTTPProxy.api_url = unix_url(str(options.proxy_api_socket))
    c.ConfigurableHTTPProxy.pid_file = str(options.places.hub_dir / "proxy.pid")
    c.ConfigurableHTTPProxy.log_level = "warn"
    c.JupyterHub.cookie_secret = secrets.cookie
    c.JupyterHub.cleanup_proxy = True
    # A restart of the hub leaves running notebooks alone; they end with the launcher, when idle, or when stopped.
    c.JupyterHub.cleanup_servers = False


def _sign_in(c: Any, options: HubOptions, secrets: HubSecrets) -> None:
    portal = options.places.public_url.rstrip("/")
    c.JupyterHub.authenticator_class = PortalAuthenticator
    c.PortalAuthenticator.client_id = CLIENT_ID
    c.PortalAuthenticator.client_secret = secrets.client_secret
    c.PortalAuthenticator.basic_auth = True
    c.PortalAuthenticator.enable_pkce = True
    c.PortalAuthenticator.scope = ["openid", "profile", "groups"]
    c.PortalAuthenticator.authorize_url = f"{portal}/oidc/authorize"
    c.PortalAuthenticator.token_url = f"{options.web_url}/oidc/token"
    c.PortalAuthenticator.userdata_url = f"{options.web_url}/oidc/userinfo"
    c.PortalAuthenticator.oauth_callback_url = f"{options.places.hub_url}/hub/oauth_callback"
    c.PortalAuthenticator.username_claim = "preferred_username"
    c.PortalAuthenticator.manage_groups = True
    c.PortalAuthenticator.auth_state_groups_key = "oauth_user.groups"
    c.PortalAuthenticator.allowed_groups = {ALLOWED_GROUP}
    c.PortalAuthenticator.admin_users = set()
    c.PortalAuthenticator.admin_groups = set()
    c.PortalAuthenticator.auto_login = True
    c.PortalAuthenticator.login_service = "门户 portal"
    c.PortalAuthenticator.logout_redirect_url = portal
    c.PortalAuthenticator.auth_refresh_age = 60
    # The hub keeps no token of the portal at all, so there is nothing to encrypt and no key for it.
    c.PortalAuthenticator.enable_auth_state = False


def _sessions(c: Any, options: HubOptions) -> None:
    c.JupyterHub.spawner_class = BubblewrapSpawner
    c.JupyterHub.allow_named_servers = False
    c.JupyterHub.admin_access = False
    c.JupyterHub.authenticate_prometheus = True
    c.JupyterHub.active_server_limit = options.sessions_at_once
    c.JupyterHub.concurrent_spawn_limit = options.concurrent_spawns
    c.JupyterHub.last_activity_interval = 60
    c.JupyterHub.activity_resolution = 30
    c.JupyterHub.log_level = "INFO"
    c.Spawner.start_timeout = options.start_timeout_s
    c.Spawner.http_timeout = options.start_timeout_s
    c.Spawner.poll_interval = options.poll_s
    c.Spawner.consecutive_failure_limit = 0
    c.Spawner.env_keep = []
    c.Spawner.cmd = ["jailed"]
    c.Spawner.disable_user_config = True
