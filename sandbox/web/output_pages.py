"""The page of a released output: its tables and figures, whether signature and files agree, downloads, how to verify.

Everything shown here has been released; nothing of a run that people have not voted on comes near this page.
"""

from __future__ import annotations

import csv
import io
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from opendata.settings import Settings
from opendata.storage.keys import public_key
from opendata.web.deps import CurrentActor, SessionDep, SettingsDep
from opendata.web.rendering import render
from sandbox.airlock import service as airlock
from sandbox.airlock.errors import BundleInvalid
from sandbox.airlock.models import ReleasedOutput
from sandbox.airlock.release import output_directory
from sandbox.airlock.verify import verify_files
from sandbox.web import views
from sandbox.web.deps import member

router = APIRouter(include_in_schema=False)
MOST_ROWS: Final = 200
FIGURES: Final = (".svg", ".png")


@router.get("/workspaces/{name}/outputs/{output_id}")
def output_page(
    request: Request, name: str, output_id: str, session: SessionDep, actor: CurrentActor, settings: SettingsDep
) -> Response:
    """One released output."""
    found = member(session, name, actor)
    output = airlock.get_output(session, found, output_id)
    files = read(settings, output)
    return render(
        request,
        "sandbox/output.html",
        headers={"Cache-Control": "private, no-store"},
        workspace={"name": found.name, "title": found.title},
        output=views.output(output),
        tables=[table(file, content) for file, content in files.items() if file.endswith(".csv")],
        figures=[file for file in files if file.endswith(FIGURES)],
        verified=verifies(files, public_key(settings, "release")),
    )


def read(settings: Settings, output: ReleasedOutput) -> dict[str, bytes]:
    """The bundle's files as the row lists them."""
    folder = output_directory(settings, output.workspace_id, output.id)
    return {str(entry["name"]): (folder / str(entry["name"])).read_bytes() for entry in output.files}


def table(name: str, content: bytes) -> dict[str, Any]:
    """The first rows of a canonical CSV."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    header, body = (rows[0], rows[1:]) if rows else ([], [])
    return {"name": name, "columns": header, "rows": body[:MOST_ROWS], "count": len(body)}


def verifies(files: dict[str, bytes], key: bytes) -> bool:
    """Whether record, signature and files agree, by the same code as ``sandbox airlock verify``."""
    try:
        verify_files(files, key)
    except BundleInvalid:
        return False
    return True
