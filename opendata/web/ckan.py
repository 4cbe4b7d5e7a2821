"""CKAN's read API over our catalogue, for the clients that already exist (ckanapi, frictionless, harvesters, uData).

GET and POST under ``/api/3/action`` and ``/api/action``; unknown parameters are ignored; ids are UUIDs; sizes and
hashes are exact and told for unconditional files only. What an anonymous visitor may not know of is not here.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from opendata.access.errors import AccessDenied
from opendata.catalog import service as catalog
from opendata.catalog.errors import CatalogError
from opendata.catalog.models import Dataset, DatasetState, Edition
from opendata.catalog.visibility import visible_clause
from opendata.errors import InvalidInputError, OpenDataError
from opendata.identity import Actor, Organization
from opendata.settings import Settings
from opendata.web import doors, views
from opendata.web.deps import get_visitor
from opendata.web.problems import Problem
from opendata.web.rows import MAX_OFFSET, MAX_ROWS, read_rows

router = APIRouter(tags=["CKAN"])

NAMESPACE = uuid.UUID("5f0f4f2e-8f0c-5a43-9d9e-0b6d1d6a2c11")
MAX_PACKAGES = 1000
MEDIA_TYPES = {name: value.partition(";")[0] for name, value in doors.MEDIA_TYPES.items()}
_TERM = re.compile(r'^(\w+):(?:"([^"]*)"|(\S+))$')

Parameters = Mapping[str, Any]


class ActionError(Exception):
    """An answer in CKAN's own error form."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


class Caller:
    """Who asks, and the tools an action needs."""

    def __init__(self, request: Request, session: Session, actor: Actor | None) -> None:
        self.request, self.session, self.actor = request, session, actor
        self.settings: Settings = request.app.state.settings


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


def status_show(caller: Caller, _: Parameters) -> dict[str, Any]:
    """What answers here."""
    return {
        "site_title": "公共数据开放与沙箱",
        "site_description": "",
        "site_url": caller.settings.public_url,
        "ckan_version": "2.11",
        "error_emails_to": None,
        "locale_default": "zh_Hans_CN",
        "extensions": [],
    }


def package_list(caller: Caller, parameters: Parameters) -> list[str]:
    """Names of datasets."""
    return _page(catalog.names(caller.session, caller.actor), parameters)


def package_show(caller: Caller, parameters: Parameters) -> dict[str, Any]:
    """One dataset by id or name."""
    return package(caller, _dataset(caller, _required(parameters, "id")))


def package_search(caller: Caller, parameters: Parameters) -> dict[str, Any]:
    """Datasets by words (``q``) and ``organization:name``, ``id:``, ``name:`` or ``tags:`` terms of ``q``, ``fq``."""
    start = _integer(parameters, "start", 0, MAX_OFFSET)
    rows = _integer(parameters, "rows", 10, MAX_PACKAGES)
    words, terms = _query(parameters)
    matched = _matching(caller, words, terms)
    if str(parameters.get("sort") or "").startswith("id"):
        matched.sort(key=lambda dataset: dataset.id)
    shown = matched[start : start + rows]
    return {
        "count": len(matched),
        "results": [package(caller, dataset) for dataset in shown],
        "sort": str(parameters.get("sort") or "score desc, metadata_modified desc"),
        "facets": {},
        "search_facets": {},
    }


def organization_list(caller: Caller, parameters: Parameters) -> list[Any]:
    """Names of publishers with at least one dataset this caller may know of; objects with ``all_fields``."""
    found = sorted(_publishers(caller).values(), key=lambda item: item.id)
    if str(parameters.get("all_fields", "")).lower() in {"true", "1"}:
        return _page([_organization(item) for item in found], parameters)
    return _page([_slug(item) for item in found], parameters)


def organization_show(caller: Caller, parameters: Parameters) -> dict[str, Any]:
    """One publisher by id or name."""
    wanted = _required(parameters, "id")
    for item in _publishers(caller).values():
        if wanted in {item.id, _slug(item)}:
            packages = [d for d in _visible(caller) if d.organization_id == item.id]
            return _organization(item) | {"package_count": len(packages), "packages": [], "users": [], "extras": []}
    raise ActionError(404, "Not Found Error", "Not found")


def tag_list(caller: Caller, parameters: Parameters) -> list[str]:
    """Keywords of the datasets this caller may know of."""
    return _page(sorted({word for dataset in _visible(caller) for word in dataset.keywords}), parameters)


def nothing(_: Caller, __: Parameters) -> list[Any]:
    """Kinds that this catalogue does not have."""
    return []


def license_list(caller: Caller, _: Parameters) -> list[dict[str, str]]:
    """Licences in use."""
    names = sorted({dataset.licence for dataset in _visible(caller) if dataset.licence})
    return [{"id": name, "title": name, "url": "", "status": "active"} for name in names]


def resource_show(caller: Caller, parameters: Parameters) -> dict[str, Any]:
    """One file by its id."""
    dataset, item = _resource(caller, _required(parameters, "id"))
    return next(r for r in package(caller, dataset)["resources"] if r["id"] == _resource_id(item, dataset))


def datastore_search(caller: Caller, parameters: Parameters) -> dict[str, Any]:
    """Rows of a file: ``filters`` (equality), ``limit``, ``offset``; ``limit: 0`` gives the fields."""
    resource_id = _required(parameters, "resource_id")
    limit = _integer(parameters, "limit", 100, MAX_ROWS)
    offset = _integer(parameters, "offset", 0, MAX_OFFSET)
    filters = parameters.get("filters") or {}
    try:
        filters = json.loads(filters) if isinstance(filters, str) else filters
    except ValueError:
        raise ActionError(409, "Validation Error", "filters is not JSON") from None
    if not isinstance(filters, dict):
        raise ActionError(409, "Validation Error", "filters is not an object")
    dataset, _item = _resource(caller, resource_id)
    passage = doors.enter(caller.request, dataset.name, actor=caller.actor, door="ckan", rows=limit)
    path = doors.path_of(caller.request, passage, "parquet")
    page = read_rows(path, limit=limit, offset=offset, filters={str(k): str(v) for k, v in filters.items()})
    kinds = {"string": "text", "integer": "int", "number": "numeric", "date": "date", "datetime": "timestamp"}
    return {
        "resource_id": resource_id,
        "fields": [{"id": c.name, "type": kinds.get(c.type, "bool")} for c in page.columns],
        "records": page.records,
        "total": page.total,
        "limit": limit,
        "offset": offset,
        "records_format": "objects",
        "include_total": True,
        "_links": {},
    }


def help_show(_: Caller, parameters: Parameters) -> str:
    """An action's description."""
    function = ACTIONS.get(str(parameters.get("name", "")))
    if function is None:
        raise ActionError(404, "Not Found Error", "Action name not known")
    return function.__doc__ or ""


ACTIONS: dict[str, Callable[[Caller, Parameters], Any]] = {
    "status_show": status_show,
    "package_list": package_list,
    "package_show": package_show,
    "package_search": package_search,
    "organization_list": organization_list,
    "organization_show": organization_show,
    "tag_list": tag_list,
    "group_list": nothing,
    "resource_view_list": nothing,
    "license_list": license_list,
    "resource_show": resource_show,
    "datastore_search": datastore_search,
    "help_show": help_show,
}


def package(caller: Caller, dataset: Dataset) -> dict[str, Any]:
    """A dataset in CKAN's form."""
    publisher = caller.session.get(Organization, dataset.organization_id)
    edition = catalog.current_edition(caller.session, dataset)
    resources = [] if edition is None else _resources(caller.settings, dataset, edition)
    extras = {
        "title_en": dataset.title_en,
        "notes_en": dataset.summary_en,
        "level": dataset.level or "",
        "opening_class": edition.opening_class if edition else "closed",
        "update_frequency": dataset.update_frequency,
        "origin": dataset.origin_zh,
        "theme": dataset.theme,
    }
    if edition is not None:
        extras["deidentification_effect"] = str(edition.effect or "")
    return {
        "id": dataset.id,
        "name": dataset.name,
        "title": dataset.title_zh,
        "title_translated": {"zh": dataset.title_zh, "en": dataset.title_en},
        "notes": dataset.summary_zh,
        "type": "dataset",
        "state": "active",
        "private": False,
        "author": publisher.name_zh if publisher else "",
        "author_email": None,
        "maintainer": publisher.name_zh if publisher else "",
        "maintainer_email": None,
        "license_id": dataset.licence,
        "license_title": dataset.licence,
        "license_url": "",
        "isopen": edition is not None and views.is_unconditional(edition),
        "url": f"{caller.settings.public_url}/dataset/{dataset.name}",
        "version": edition.id if edition else None,
        "creator_user_id": None,
        "owner_org": dataset.organization_id,
        "metadata_created": _moment(dataset.created_at),
        "metadata_modified": _moment(dataset.updated_at),
        "num_resources": len(resources),
        "num_tags": len(dataset.keywords),
        "organization": _organization(publisher) if publisher else None,
        "groups": [],
        "tags": [
            {
                "id": str(uuid.uuid5(NAMESPACE, word)),
                "name": word,
                "display_name": word,
                "state": "active",
                "vocabulary_id": None,
            }
            for word in dataset.keywords
        ],
        "extras": [{"key": key, "value": value} for key, value in extras.items()],
        "relationships_as_subject": [],
        "relationships_as_object": [],
        "resources": resources,
    }


def _resources(settings: Settings, dataset: Dataset, edition: Edition) -> list[dict[str, Any]]:
    public = views.is_unconditional(edition)
    resources = []
    for position, item in enumerate(edition.files):
        format_ = str(item["format"])
        if format_ not in doors.MEDIA_TYPES:
            continue
        resources.append(
            {
                "id": _resource_id(item, dataset),
                "package_id": dataset.id,
                "name": f"{dataset.title_zh} ({format_.upper()})",
                "description": "",
                "format": format_.upper(),
                "mimetype": MEDIA_TYPES[format_],
                "mimetype_inner": None,
                "url": f"{settings.public_url}/api/v1/datasets/{dataset.name}/download.{format_}",
                "size": item["bytes"] if public else None,
                "hash": f"sha256:{item['sha256']}" if public else "",
                "created": _moment(edition.published_at),
                "last_modified": _moment(edition.published_at),
                "metadata_modified": _moment(edition.published_at),
                "position": position,
                "state": "active",
                "datastore_active": format_ == "parquet",
                "url_type": None,
                "resource_type": "file",
                "cache_url": None,
                "cache_last_updated": None,
            }
        )
    return resources


def _dataset(caller: Caller, wanted: str) -> Dataset:
    if _is_uuid(wanted):
        found = caller.session.get(Dataset, wanted)
        if found is None:
            raise ActionError(404, "Not Found Error", "Not found")
        wanted = found.name
    return catalog.get(caller.session, wanted, caller.actor)


def _resource(caller: Caller, wanted: str) -> tuple[Dataset, dict[str, Any]]:
    for dataset in _visible(caller):
        edition = catalog.current_edition(caller.session, dataset)
        for item in edition.files if edition else ():
            if _resource_id(item, dataset) == wanted:
                return dataset, item
    raise ActionError(404, "Not Found Error", "Not found")


def _resource_id(item: Mapping[str, Any], dataset: Dataset) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{dataset.id}/{item['format']}"))


def _visible(caller: Caller) -> list[Dataset]:
    query = select(Dataset).where(visible_clause(caller.actor), Dataset.state == DatasetState.PUBLISHED)
    return list(caller.session.scalars(query.order_by(Dataset.id)))


def _publishers(caller: Caller) -> dict[str, Organization]:
    return views.organizations(caller.session, _visible(caller))


def _matching(caller: Caller, words: str, terms: list[tuple[str, str]]) -> list[Dataset]:
    found: list[Dataset] = []
    page = 1
    while True:
        result = catalog.search(caller.session, words, caller.actor, page=page, page_size=100)
        found.extend(result.items)
        if len(found) >= result.total or not result.items:
            break
        page += 1
    publishers = views.organizations(caller.session, found)
    return [dataset for dataset in found if all(_has(dataset, publishers, *term) for term in terms)]


def _has(dataset: Dataset, publishers: Mapping[str, Organization], field: str, value: str) -> bool:
    publisher = publishers.get(dataset.organization_id)
    values = {
        "name": {dataset.name},
        "id": {dataset.id},
        "organization": {_slug(publisher), publisher.id} if publisher else set(),
        "owner_org": {dataset.organization_id},
        "tags": set(dataset.keywords),
        "title": {dataset.title_zh, dataset.title_en},
        "type": {"dataset"},
        "dataset_type": {"dataset"},
        "state": {"active"},
        "private": {"false"},
    }
    if field not in values:
        raise ActionError(409, "Search Query Error", f"unknown field {field[:40]}")
    return value in values[field]


def _query(parameters: Parameters) -> tuple[str, list[tuple[str, str]]]:
    """Words and ``field:value`` terms of ``q`` and ``fq``; ``*:*`` is everything."""
    words: list[str] = []
    terms: list[tuple[str, str]] = []
    given = [str(parameters.get("q") or ""), str(parameters.get("fq") or "")]
    given += (
        [str(item) for item in parameters.get("fq_list") or []] if isinstance(parameters.get("fq_list"), list) else []
    )
    for text in given:
        for token in re.findall(r'\w+:"[^"]*"|\S+', text):
            match = _TERM.match(token.lstrip("+"))
            if token in {"*:*", "AND", "and"}:
                continue
            if match:
                terms.append((match[1], match[2] if match[2] is not None else match[3]))
            elif any(mark in token for mark in "[]{}()") or token in {"OR", "NOT"}:
                raise ActionError(409, "Search Query Error", "this query syntax is not supported")
            else:
                words.append(token.strip('"'))
    return " ".join(words), terms


def _organization(item: Organization) -> dict[str, Any]:
    return {
        "id": item.id,
        "name": _slug(item),
        "title": item.name_zh,
        "display_name": item.name_zh,
        "type": "organization",
        "description": item.name_en or "",
        "image_url": "",
        "created": None,
        "is_organization": True,
        "approval_status": "approved",
        "state": "active",
    }


def _slug(item: Organization) -> str:
    """A stable name without spaces; CKAN's clients put it into addresses."""
    slug = re.sub(r"[^a-z0-9]+", "-", (item.name_en or "").lower()).strip("-")
    return slug or item.id


def _required(parameters: Parameters, name: str) -> str:
    value = parameters.get(name)
    if not isinstance(value, str) or not value:
        raise ActionError(409, "Validation Error", f"{name}: Missing value")
    return value


def _integer(parameters: Parameters, name: str, default: int, most: int) -> int:
    value = parameters.get(name)
    if value is None or value == "":
        return default
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise ActionError(409, "Validation Error", f"{name}: Invalid integer") from None
    if number < 0:
        raise ActionError(409, "Validation Error", f"{name}: Must be a natural number")
    return min(number, most)


def _page(items: list[Any], parameters: Parameters) -> list[Any]:
    offset = _integer(parameters, "offset", 0, MAX_OFFSET)
    limit = _integer(parameters, "limit", len(items) or 1, MAX_OFFSET)
    return items[offset : offset + limit]


def _moment(value: Any) -> str | None:
    return None if value is None else value.strftime("%Y-%m-%dT%H:%M:%S.%f")


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
