"""Hierarchy files of a dataset on the policy's page: brought in, looked at again, removed."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response

from masking.errors import MaskingError
from opendata.errors import OpenDataError
from opendata.publishing import hierarchies
from opendata.publishing.models import HierarchyFile
from opendata.web import publishing_work as work
from opendata.web import uploads
from opendata.web.console import Officer
from opendata.web.deps import SessionDep, VisitorDep, WriteDep
from opendata.web.policy_pages import refused
from opendata.web.rendering import say_error
from opendata.web.security import streams_body

router = APIRouter(include_in_schema=False)


@router.post("/console/datasets/{name}/hierarchies")
@streams_body
async def upload(request: Request, name: str, actor: Officer, visitor: VisitorDep) -> Response:
    """Check and keep a file; what is wrong with it is said on the page."""
    held = _Held()
    try:
        chosen = await uploads.receive_form(request, visitor, lambda _: held)
        await run_in_threadpool(work.keep_hierarchy, request, name, actor, uploads.clean_filename(chosen), held.content)
    except (MaskingError, OpenDataError) as error:
        return await run_in_threadpool(refused, request, name, actor, {"hierarchy": say_error(request, error)})
    return RedirectResponse(f"/console/datasets/{name}/policy#hierarchies", 303)


@router.get("/console/datasets/{name}/hierarchies/{file}")
def download(name: str, file: str, session: SessionDep, actor: Officer) -> Response:
    """The file as it was uploaded, for the department's officers."""
    return answer(hierarchies.get(session, work.own_dataset(session, name, actor), file))


@router.post("/console/datasets/{name}/hierarchies/{file}/remove")
def remove(name: str, file: str, session: WriteDep, actor: Officer) -> Response:
    """Erase the file; what policies took over of it stays in them."""
    hierarchies.remove(session, work.own_dataset(session, name, actor), file, actor=actor)
    return RedirectResponse(f"/console/datasets/{name}/policy#hierarchies", 303)


def answer(file: HierarchyFile) -> Response:
    """The bytes of a file, as a download that nobody keeps."""
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name)}",
        "Cache-Control": "private, no-store",
    }
    return Response(file.content, media_type="text/csv; charset=utf-8", headers=headers)


class _Held:
    """An upload in memory, as large as a hierarchy may be."""

    def __init__(self) -> None:
        self.content = b""

    def write(self, data: bytes, /) -> None:
        hierarchies.check_size(len(self.content) + len(data))
        self.content += data
