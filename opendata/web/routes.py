"""The core part's router: every route of the portal, console and API."""

from __future__ import annotations

from fastapi import APIRouter

from opendata.web import (
    account,
    api_hierarchies,
    api_publishing,
    applications,
    build_pages,
    ckan,
    console,
    curve_pages,
    health,
    hierarchy_pages,
    job_pages,
    ledger_routes,
    oidc,
    policy_pages,
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
    api_hierarchies,
    console,
    policy_pages,
    hierarchy_pages,
    curve_pages,
    build_pages,
    job_pages,
    reviewing,
):
    router.include_router(module.router)
