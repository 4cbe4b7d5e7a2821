"""The portal: search, dataset pages, rows, downloads. Imports neither publishing nor the vault nor keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from masking.taxonomy import DataLevel
from opendata.access.door import OpenEdition, next_step, open_edition
from opendata.catalog import service as catalog
from opendata.catalog.models import Dataset
from opendata.db import utc_now
from opendata.identity import Actor, Organization
from opendata.web import doors, views
from opendata.web.deps import OptionalActor, SessionDep, SettingsDep
from opendata.web.panels import panels_of
from opendata.web.problems import Problem
from opendata.web.rendering import LANGUAGE_DAYS, LANGUAGES, language, render, static_url
from opendata.web.report_pages import report_page
from opendata.web.rows import MAX_OFFSET, MAX_ROWS, Rows, read_rows
from opendata.web.security import LANGUAGE_COOKIE, local_path, set_cookie

router = APIRouter()

FILTERS = ("theme", "organization_id", "opening_class", "level")
PAGE_SIZE = 20
PREVIEW_ROWS = 10
ROWS_PARAMETERS = frozenset({"limit", "offset"})
FORMATS = ("csv", "parquet", "jsonl", "xlsx")


PageNumber = Annotated[int, Query(ge=1, le=10_000)]


@router.get("/", include_in_schema=False)
def home(request: Request, session: SessionDep, actor: OptionalActor) -> Response:
    """Search box, facets, newest datasets."""
    found = catalog.search(session, "", actor, page=1, page_size=6)
    publishers = views.organizations(session, list(found.items))
    return render(request, "home.html", found=found, publishers=publishers, editions=_editions(session, found.items))


@router.get("/datasets", include_in_schema=False)
def datasets(
    request: Request, session: SessionDep, actor: OptionalActor, q: str = "", page: PageNumber = 1
) -> Response:
    """Search results with facets."""
    filters = _filters(request.query_params)
    found = catalog.search(session, q[:200], actor, page=page, page_size=PAGE_SIZE, filters=filters)

    facet_ids = found.facets.get("organization_id", {})
    publishers = views.organizations(session, list(found.items))
    for organization_id in facet_ids:
        organization = publishers.get(organization_id) or session.get(Organization, organization_id)
        if organization is not None:
            publishers[organization_id] = organization
    return render(
        request,
        "datasets.html",
        q=q[:200],
        found=found,
        filters=filters,
        publishers=publishers,
        editions=_editions(session, found.items),
        pages=max(1, -(-found.total // PAGE_SIZE)),
    )


@router.get("/dataset/{name}", include_in_schema=False)
def dataset_page(
    request: Request, name: str, session: SessionDep, actor: OptionalActor, settings: SettingsDep
) -> Response:
    """One dataset: what it is, what this visitor can do next, fields, preview, doors, quality, proof, history."""
    dataset = catalog.get(session, name, actor)
    edition = catalog.current_edition(session, dataset)
    opened = doors.look(request, session, dataset, actor)
    preview = None
    if edition is not None and opened is not None and not opened.conditional:
        preview = _preview(request, doors.Passage(dataset, opened))
    return render(
        request,
        "dataset.html",
        dataset=dataset,
        publisher=views.organizations(session, [dataset]).get(dataset.organization_id),
        items=catalog.items_of(session, dataset),
        titles=views.item_titles(session, dataset),
        edition=edition,
        opened=opened,
        public=edition is not None and views.is_unconditional(edition),
        panels=panels_of(request, "dataset", session, dataset, actor),
        door=next_step(session, dataset, actor=actor, grades=request.app.state.grades, now=utc_now()),
        preview=preview,
        history=views.history(session, dataset),
        entry=views.publication_entry(session, edition) if edition is not None else None,
        api=f"{settings.public_url}/api/v1/datasets/{dataset.name}",
    )


@router.get("/dataset/{name}/rows", include_in_schema=False)
def rows_page(
    request: Request,
    name: str,
    actor: OptionalActor,
    page: PageNumber = 1,
) -> Response:
    """Published rows, 50 a page; of conditional data each page is a recorded passage."""
    passage = doors.enter(request, name, actor=actor, door="preview", rows=50)
    with request.app.state.database.session() as session:
        titles = views.item_titles(session, passage.dataset)
    rows = read_rows(doors.path_of(request, passage, "parquet"), limit=50, offset=(page - 1) * 50)
    headers = {"Cache-Control": "private, no-store"} if passage.opened.conditional else {}
    pages = max(1, -(-rows.total // 50))
    return render(
        request,
        "rows.html",
        headers=headers,
        dataset=passage.dataset,
        edition=passage.opened.edition,
        titles=titles,
        rows=rows,
        page=page,
        pages=pages,
    )


@router.get("/about", include_in_schema=False)
def about(request: Request) -> Response:
    """What this service is, and the matrix that decides how data of each level may be opened."""
    grades, lang = request.app.state.grades, language(request)
    rows = [(level.title(lang), grades.row_text(level), grades.clause(level)) for level in DataLevel]
    return render(request, "about.html", rows=rows)


@router.get("/favicon.ico", include_in_schema=False)
def favicon() -> Response:
    """What browsers ask for beside pages that name no icon."""
    return RedirectResponse(static_url("mark.svg"), 307)


@router.get("/threats", include_in_schema=False)
def threats(request: Request) -> Response:
    """What is defended and what is not."""
    return render(request, "threats.html")


@router.get("/api/docs", include_in_schema=False)
def api_docs(request: Request) -> Response:
    """The API in words, with the OpenAPI document beside it; no scripts of others."""
    return render(request, "api.html", paths=_operations(request.app.openapi()))


@router.get("/lang/{code}", include_in_schema=False)
def switch_language(code: str, settings: SettingsDep, next_: Annotated[str, Query(alias="next")] = "/") -> Response:
    """Remember the reader's language and go back."""
    if code not in LANGUAGES:
        raise Problem.not_found()
    response = RedirectResponse(local_path(next_), 303)
    set_cookie(response, LANGUAGE_COOKIE, code, settings=settings, max_age_s=LANGUAGE_DAYS * 86400)
    return response


@router.get("/api/v1/datasets", tags=["datasets"])
def list_datasets(
    session: SessionDep,
    actor: OptionalActor,
    settings: SettingsDep,
    q: str = "",
    page: PageNumber = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = PAGE_SIZE,
    theme: str | None = None,
    organization_id: str | None = None,
    opening_class: str | None = None,
    level: str | None = None,
) -> dict[str, Any]:
    """Search the catalogue: entries that hold every word of ``q``, with facet counts."""
    given = {"theme": theme, "organization_id": organization_id, "opening_class": opening_class, "level": level}
    filters = {key: value for key, value in given.items() if value}
    found = catalog.search(session, q[:200], actor, page=page, page_size=page_size, filters=filters)
    publishers = views.organizations(session, list(found.items))
    items = [
        views.dataset_json(session, d, settings=settings, organization=publishers.get(d.organization_id), items=False)
        for d in found.items
    ]
    facets = {name: dict(counts) for name, counts in found.facets.items()}
    return {"total": found.total, "page": found.page, "page_size": found.page_size, "datasets": items, "facets": facets}


@router.get("/api/v1/datasets/{name}", tags=["datasets"])
def show_dataset(
    request: Request, name: str, session: SessionDep, actor: OptionalActor, settings: SettingsDep
) -> dict[str, Any]:
    """One entry, its information items, its public edition, and what this caller can do next (``door``)."""
    dataset = catalog.get(session, name, actor)
    door = next_step(session, dataset, actor=actor, grades=request.app.state.grades, now=utc_now())
    body = views.dataset_json(session, dataset, settings=settings)
    return body | {"door": {"kind": door.kind, "text": door.text, "clause": door.clause}}


@router.get("/api/v1/datasets/{name}/rows", tags=["datasets"])
def rows(
    request: Request,
    response: Response,
    name: str,
    actor: OptionalActor,
    limit: Annotated[int, Query(ge=0, le=MAX_ROWS)] = 100,
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
) -> dict[str, Any]:
    """Rows of the current edition; any other query parameter is a column that must equal its value (empty: null).

    Conditional datasets need ``X-App-Key`` or the bearer token of a grant's holder.
    """
    passage = doors.enter(request, name, actor=actor, door="rows", rows=limit)
    if passage.opened.conditional:
        response.headers["Cache-Control"] = "private, no-store"
    filters = {key: value for key, value in request.query_params.items() if key not in ROWS_PARAMETERS}
    page = read_rows(doors.path_of(request, passage, "parquet"), limit=limit, offset=offset, filters=filters)
    following = offset + limit
    query = "".join(f"&{key}={value}" for key, value in _encoded(filters))
    more = limit and following < page.total and following <= MAX_OFFSET
    path = f"/api/v1/datasets/{passage.dataset.name}/rows"
    return {
        "dataset": passage.dataset.name,
        "edition": passage.opened.edition.id,
        "columns": [{"name": column.name, "type": column.type} for column in page.columns],
        "total": page.total,
        "limit": limit,
        "offset": offset,
        "rows": page.records,
        "next": f"{path}?limit={limit}&offset={following}{query}" if more else None,
    }


@router.head("/api/v1/datasets/{name}/download.{extension}", include_in_schema=False)
@router.get("/api/v1/datasets/{name}/download.{extension}", tags=["datasets"], response_class=Response)
def download(request: Request, name: str, extension: str, actor: OptionalActor, bom: bool = False) -> Response:
    """The whole edition as csv, parquet, jsonl or xlsx; ranges and ``If-None-Match`` work. ``bom``: for Excel."""
    if extension not in FORMATS:
        raise Problem.not_found()
    passage = doors.enter(request, name, actor=actor, door="download")
    return doors.send_file(request, passage, extension, bom=bom and extension == "csv")


@router.get("/api/v1/datasets/{name}/receipt", tags=["datasets"], response_class=Response)
def receipt(request: Request, name: str, actor: OptionalActor) -> Response:
    """The signed receipt of the current edition: files, digests, report, ledger entry."""
    with request.app.state.database.session() as session:
        opened = _opened(request, session, name, actor)
    if opened.edition.digest is None:
        raise Problem.not_found()
    content = request.app.state.editions.path(opened.edition.digest, "receipt.json").read_bytes()
    headers = {"Cache-Control": "private, no-store"} if opened.conditional else {}
    return Response(content, media_type="application/json", headers=headers)


@router.get("/dataset/{name}/report", include_in_schema=False)
def report(request: Request, name: str, actor: OptionalActor) -> Response:
    """The public report of the current edition as a page; of a conditional one for whoever may open it."""
    from masking.report import public_from_dict

    with request.app.state.database.session() as session:
        opened = _opened(request, session, name, actor)
        if opened.edition.public_report is None:
            raise Problem.not_found()
        found = public_from_dict(opened.edition.public_report)
    return report_page(request, found, "public", private=opened.conditional)


def _opened(request: Request, session: Session, name: str, actor: Actor | None) -> OpenEdition:
    """The current edition, if this visitor may have it; raises as its rows would."""
    return open_edition(
        session,
        catalog.get(session, name, actor),
        actor=actor,
        app_key=doors.app_key(request),
        grades=request.app.state.grades,
        now=utc_now(),
    )


def _filters(query: Mapping[str, str]) -> dict[str, str]:
    return {name: query[name] for name in FILTERS if query.get(name)}


def _editions(session: Session, items: tuple[Dataset, ...]) -> dict[str, Any]:
    return {dataset.id: catalog.current_edition(session, dataset) for dataset in items}


def _preview(request: Request, passage: doors.Passage) -> Rows | None:
    try:
        return read_rows(doors.path_of(request, passage, "parquet"), limit=PREVIEW_ROWS, offset=0)
    except OSError:
        return None  # the page still tells everything else; the download door reports the fault


def _encoded(filters: Mapping[str, str]) -> list[tuple[str, str]]:
    from urllib.parse import quote

    return [(quote(key, safe=""), quote(value, safe="")) for key, value in filters.items()]


def _operations(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The OpenAPI document as rows for a table: method, path, summary, group."""
    return [
        {
            "method": method.upper(),
            "path": path,
            "summary": str(operation.get("description", operation.get("summary", ""))).split("\n", 1)[0],
            "tag": (operation.get("tags") or [""])[0],
        }
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
