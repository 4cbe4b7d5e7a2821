"""CKAN's actions on our catalogue: what this caller may know of, found and shown."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select

from opendata.catalog import service as catalog
from opendata.catalog.models import Dataset, DatasetState
from opendata.catalog.visibility import visible_clause
from opendata.identity import Organization
from opendata.web import doors, views
from opendata.web.ckan_asked import ActionError, Caller, Parameters, integer, page_of, query_of, required
from opendata.web.ckan_forms import organization, package, resource_id, slug
from opendata.web.rows import MAX_OFFSET, MAX_ROWS, read_rows

MAX_PACKAGES = 1000


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
    return page_of(catalog.names(caller.session, caller.actor), parameters)


def package_show(caller: Caller, parameters: Parameters) -> dict[str, Any]:
    """One dataset by id or name."""
    return package(caller, _dataset(caller, required(parameters, "id")))


def package_search(caller: Caller, parameters: Parameters) -> dict[str, Any]:
    """Datasets by words (``q``) and ``organization:name``, ``id:``, ``name:`` or ``tags:`` terms of ``q``, ``fq``."""
    start = integer(parameters, "start", 0, MAX_OFFSET)
    rows = integer(parameters, "rows", 10, MAX_PACKAGES)
    words, terms = query_of(parameters)
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
        return page_of([organization(item) for item in found], parameters)
    return page_of([slug(item) for item in found], parameters)


def organization_show(caller: Caller, parameters: Parameters) -> dict[str, Any]:
    """One publisher by id or name."""
    wanted = required(parameters, "id")
    for item in _publishers(caller).values():
        if wanted in {item.id, slug(item)}:
            packages = [d for d in _visible(caller) if d.organization_id == item.id]
            return organization(item) | {"package_count": len(packages), "packages": [], "users": [], "extras": []}
    raise ActionError(404, "Not Found Error", "Not found")


def tag_list(caller: Caller, parameters: Parameters) -> list[str]:
    """Keywords of the datasets this caller may know of."""
    return page_of(sorted({word for dataset in _visible(caller) for word in dataset.keywords}), parameters)


def nothing(_: Caller, __: Parameters) -> list[Any]:
    """Kinds that this catalogue does not have."""
    return []


def license_list(caller: Caller, _: Parameters) -> list[dict[str, str]]:
    """Licences in use."""
    names = sorted({dataset.licence for dataset in _visible(caller) if dataset.licence})
    return [{"id": name, "title": name, "url": "", "status": "active"} for name in names]


def resource_show(caller: Caller, parameters: Parameters) -> dict[str, Any]:
    """One file by its id."""
    dataset, item = _resource(caller, required(parameters, "id"))
    return next(r for r in package(caller, dataset)["resources"] if r["id"] == resource_id(item, dataset))


def datastore_search(caller: Caller, parameters: Parameters) -> dict[str, Any]:
    """Rows of a file: ``filters`` (equality), ``limit``, ``offset``; ``limit: 0`` gives the fields."""
    wanted = required(parameters, "resource_id")
    limit = integer(parameters, "limit", 100, MAX_ROWS)
    offset = integer(parameters, "offset", 0, MAX_OFFSET)
    filters = parameters.get("filters") or {}
    try:
        filters = json.loads(filters) if isinstance(filters, str) else filters
    except ValueError:
        raise ActionError(409, "Validation Error", "filters is not JSON") from None
    if not isinstance(filters, dict):
        raise ActionError(409, "Validation Error", "filters is not an object")
    dataset, _item = _resource(caller, wanted)
    passage = doors.enter(caller.request, dataset.name, actor=caller.actor, door="ckan", rows=limit)
    path = doors.path_of(caller.request, passage, "parquet")
    page = read_rows(path, limit=limit, offset=offset, filters={str(k): str(v) for k, v in filters.items()})
    kinds = {"string": "text", "integer": "int", "number": "numeric", "date": "date", "datetime": "timestamp"}
    return {
        "resource_id": wanted,
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
            if resource_id(item, dataset) == wanted:
                return dataset, item
    raise ActionError(404, "Not Found Error", "Not found")


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
        "organization": {slug(publisher), publisher.id} if publisher else set(),
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


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
