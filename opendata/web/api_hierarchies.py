"""API v1 of a dataset's hierarchy files: list, bring in, read, remove. Rights are those of the masking policy."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from opendata.publishing import hierarchies
from opendata.web import publishing_work as work
from opendata.web.deps import CurrentActor, SessionDep, WriteDep
from opendata.web.hierarchy_pages import answer

router = APIRouter(tags=["publishing"])

FileName = Annotated[str, Path(max_length=hierarchies.NAME_LENGTH, description="ends in .csv")]


@router.get("/api/v1/datasets/{name}/hierarchies")
def list_hierarchies(name: str, session: SessionDep, actor: CurrentActor) -> dict[str, Any]:
    """The hierarchy files that the dataset's masking policy may name."""
    files = hierarchies.files_of(session, work.own_dataset(session, name, actor))
    return {"hierarchies": [work.hierarchy_json(each) for each in files]}


@router.put("/api/v1/datasets/{name}/hierarchies/{file}")
async def put_hierarchy(request: Request, name: str, file: FileName, actor: CurrentActor) -> dict[str, Any]:
    """Bring a hierarchy file in: the body is the CSV, a value first in each line, then its levels, coarsest last."""
    content = await request.body()
    return await run_in_threadpool(work.keep_hierarchy, request, name, actor, file, content)


@router.get("/api/v1/datasets/{name}/hierarchies/{file}", response_class=Response)
def show_hierarchy(name: str, file: FileName, session: SessionDep, actor: CurrentActor) -> Response:
    """The file as it was brought in."""
    return answer(hierarchies.get(session, work.own_dataset(session, name, actor), file))


@router.delete("/api/v1/datasets/{name}/hierarchies/{file}", status_code=204)
def remove_hierarchy(name: str, file: FileName, session: WriteDep, actor: CurrentActor) -> None:
    """Erase the file; policies that were saved with it keep its rows."""
    hierarchies.remove(session, work.own_dataset(session, name, actor), file, actor=actor)
