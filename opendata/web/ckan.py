"""CKAN's read API over our catalogue, for the clients that already exist (ckanapi, frictionless, harvesters, uData).

GET and POST under ``/api/3/action`` and ``/api/action``; unknown parameters are ignored; ids are UUIDs; sizes and
hashes are exact and told for unconditional files only. What an anonymous visitor may not know of is not here.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from opendata.access.errors import AccessDenied
from opendata.catalog.errors import CatalogError
from opendata.errors import InvalidInputError, OpenDataError
from opendata.web.ckan_actions import ACTIONS
from opendata.web.ckan_asked import ActionError, Caller, Parameters
from opendata.web.deps import get_visitor
from opendata.web.problems import Problem

router = APIRouter(tags=["CKAN"])


@router.get("/api/3/action/{action}", summary="CKAN action")
@router.get("/api/action/{action}", include_in_schema=False)
@router.post("/api/3/action/{action}", include_in_schema=False)
@router.post("/api/action/{action}", include_in_schema=False)
async def act(request: Request, action: str) -> Response:
    """package_list, package_show, package_search, organization_list, organization_show, tag_list, datastore_search …"""
    try:
        parameters = await _parameters(request)
    except ValueError:
        return JSONResponse("Bad request - JSON Error: Error decoding JSON data.", 400)
    return await run_in_threadpool(_run, request, action, parameters)


def _run(request: Request, action: str, parameters: Parameters) -> Response:
    function = ACTIONS.get(action)
    if function is None:
        return JSONResponse(f"Bad request - Action name not known: {action[:60]}", 400)
    help_ = f"{request.app.state.settings.public_url}/api/3/action/help_show?name={action}"
    try:
        actor = get_visitor(request).actor
        with request.app.state.database.session() as session:
            result = function(Caller(request, session, actor), parameters)
    except ActionError as error:
        return _failure(help_, error.status, error.kind, error.message)
    except CatalogError:
        return _failure(help_, 404, "Not Found Error", "Not found")
    except (AccessDenied, Problem):
        return _failure(help_, 403, "Authorization Error", "Access denied")
    except InvalidInputError as error:
        return _failure(help_, 409, "Validation Error", str(error))
    except OpenDataError:
        return _failure(help_, 404, "Not Found Error", "Not found")
    return JSONResponse({"help": help_, "success": True, "result": result})


async def _parameters(request: Request) -> dict[str, Any]:
    """Query parameters, then a JSON or form body; CKAN's clients use either."""
    parameters: dict[str, Any] = dict(request.query_params)
    if request.method != "POST":
        return parameters
    if request.headers.get("content-type", "").startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        form = await request.form()
        return parameters | {key: value for key, value in form.items() if isinstance(value, str)}
    body = await request.body()
    if not body:
        return parameters
    given = json.loads(body)
    if not isinstance(given, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one error for every bad body
    return parameters | given


def _failure(help_: str, status: int, kind: str, message: str) -> JSONResponse:
    return JSONResponse({"help": help_, "success": False, "error": {"__type": kind, "message": message}}, status)
