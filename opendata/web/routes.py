"""The core part's router: every route of the portal, console and API."""

from __future__ import annotations

from fastapi import APIRouter

from opendata.web import (
    account,
    api_publishing,
    applications,
    ckan,
    console,
    curve_pages,
    health,
    ledger_routes,
    oidc,
    public,
    reviewing,
    verification,
)

router = APIRouter()
for module in (
    health,
    account,
    oidc,
    public,
    ckan,
    applications,
    ledger_routes,
    verification,
    api_publishing,
    console,
    curve_pages,
    reviewing,
):
    router.include_router(module.router)
