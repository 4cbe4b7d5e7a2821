"""Pages and API of workspaces, airlock and fixed tables. ``router`` holds both."""

from fastapi import APIRouter

from sandbox.web import airlock_api, airlock_pages, job_pages, output_pages, query_api, workspace_api, workspace_pages

router = APIRouter()
for part in (workspace_api, airlock_api, query_api, job_pages, output_pages, workspace_pages, airlock_pages):
    router.include_router(part.router)
