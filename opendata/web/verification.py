"""Is this file ours? A page and an API that anyone may ask, about what is open to everyone."""

from __future__ import annotations

import tempfile
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from opendata.publishing.verify import Verification, verify_file
from opendata.web import uploads
from opendata.web.deps import VisitorDep
from opendata.web.rendering import render
from opendata.web.security import streams_body

router = APIRouter()

SPOOLED_BYTES = 8 * 1024**2


@router.get("/verify", include_in_schema=False)
def verify_page(request: Request) -> Response:
    """The form."""
    return render(request, "verify.html", verdict=None, filename="")


@router.post("/verify", include_in_schema=False)
@streams_body
async def verify_upload(request: Request, visitor: VisitorDep) -> Response:
    """Check an uploaded file and say what it is."""
    with tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES) as file:
        filename = await uploads.receive_form(request, visitor, lambda _name: file)
        verdict = await run_in_threadpool(_verify, request, file, filename)
        return await run_in_threadpool(render, request, "verify.html", verdict=verdict, filename=filename)


@router.post("/api/v1/verify", tags=["ledger"])
@streams_body
async def api_verify(request: Request, filename: Annotated[str, Query(max_length=200)] = "") -> dict[str, Any]:
    """The file as the body → ``exact``, ``same table, other bytes`` or ``not ours``; of what everyone may take."""
    with tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES) as file:
        await uploads.receive_body(request, file)
        verdict = await run_in_threadpool(_verify, request, file, filename)
    return {
        "verdict": str(verdict.verdict),
        "dataset": verdict.dataset,
        "edition": verdict.edition_id,
        "state": verdict.state,
    }


def _verify(request: Request, file: Any, filename: str) -> Verification:
    stream: BinaryIO = file
    stream.seek(0)
    with request.app.state.database.session() as session:
        return verify_file(session, stream, filename)
