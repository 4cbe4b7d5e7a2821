"""Pages and API of workspaces, airlock, fixed tables and imports. ``router`` holds both."""

from fastapi import APIRouter

from sandbox.web import (
    airlock_api,
    airlock_pages,
    import_api,
    import_pages,
    job_api,
    job_pages,
    life_api,
    output_pages,
    query_api,
    query_pages,
    workspace_api,
    workspace_pages,
)

router = APIRouter()
for part in (workspace_api, job_api, life_api, airlock_api, query_api, import_api):
    router.include_router(part.router)
# Imports first: a page of acts on a workspace takes every other last word of its path.
for part in (import_pages, job_pages, output_pages, workspace_pages, airlock_pages, query_pages):
    router.include_router(part.router)
