"""The core part, and the web application put together from all parts.

``create_app`` knows no part by name: routers, templates, words and navigation come from what is registered
(`opendata.parts.installed_parts`), the core included.
"""

from __future__ import annotations

import http.client
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI
from starlette.middleware import Middleware
from starlette.staticfiles import StaticFiles

from opendata.catalog import grades
from opendata.catalog.workdays import WorkCalendar
from opendata.db import Database
from opendata.parts import Finding, NavItem, Part, ProcessSpec, installed_parts, resolve
from opendata.settings import Settings
from opendata.storage.editions import EditionStore
from opendata.web import answering
from opendata.web.deps import check_request
from opendata.web.rendering import Pages
from opendata.web.security import BodyLimit, SecurityHeaders

HERE = Path(__file__).parent
PANEL_PAGES = ("dataset", "policy")
TAGS = [
    {"name": "datasets", "description": "目录、行数据与下载 · Catalogue, rows and downloads"},
    {"name": "access", "description": "使用申请、许可与应用密钥 · Requests, grants and app keys"},
    {
        "name": "publishing",
        "description": "接入、脱敏策略、审核与发布 · Intakes, masking policies, review and publication",
    },
    {"name": "tables", "description": "固定口径统计 · Fixed tables"},
    {"name": "ledger", "description": "存证与核验 · Ledger and verification"},
    {"name": "CKAN", "description": "CKAN 只读接口 · CKAN read API"},
]


def create_app(settings: Settings, parts: Iterable[Part] | None = None) -> FastAPI:
    """The web application of these parts (default: all installed ones). Opens nothing but the database."""
    chosen = tuple(installed_parts() if parts is None else parts)
    database = Database(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        database.dispose()

    app = FastAPI(
        title="公共数据开放与沙箱 · Public data opening and sandbox",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        openapi_tags=TAGS,
        dependencies=[Depends(check_request)],
        middleware=[
            Middleware(SecurityHeaders, settings=settings),
            Middleware(answering.Shield),
            Middleware(BodyLimit),
        ],
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.database = database
    app.state.pages = Pages(chosen)
    app.state.grades = grades.load(settings)
    app.state.calendar = WorkCalendar.load(settings.policies_dir / "workdays.yaml")
    app.state.editions = EditionStore(settings)
    app.state.panels = {
        page: tuple(resolve(part.panels[page]) for part in chosen if page in part.panels) for page in PANEL_PAGES
    }
    answering.install(app)
    app.mount("/static", StaticFiles(directory=HERE / "web" / "static"), name="static")
    for part in chosen:
        if part.static is not None:
            app.mount(f"/static-{part.name}", StaticFiles(directory=part.static), name=f"static-{part.name}")
        if part.router is not None:
            app.include_router(resolve(part.router))
    return app


def _web(settings: Settings) -> list[str]:
    return [sys.executable, "-m", "opendata.web", "--home", str(settings.home)]


def _worker(settings: Settings) -> list[str]:
    return [sys.executable, "-m", "opendata.worker", "--home", str(settings.home)]


def _web_answers(settings: Settings) -> bool:
    connection = http.client.HTTPConnection(settings.host, settings.port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _worker_listens(settings: Settings) -> bool:
    return settings.rawdoor_socket.is_socket()


def _doctor(settings: Settings) -> Iterable[Finding]:
    from opendata.web.doctor import findings

    return findings(settings)


PART = Part(
    name="core",
    router="opendata.web.routes:router",
    jobs={
        "intake": "opendata.publishing.jobs:intake",
        "build": "opendata.publishing.jobs:build",
        "publish": "opendata.publishing.jobs:publish",
        "withdraw": "opendata.publishing.jobs:withdraw",
        "erase": "opendata.publishing.jobs:erase",
        "recipient_line": "opendata.publishing.jobs:recipient_line",
        "curve": "opendata.publishing.jobs:curve",
    },
    processes=(
        ProcessSpec(name="worker", argv=_worker, user="worker", needs=(), ready=_worker_listens),
        ProcessSpec(name="web", argv=_web, user="web", needs=(), ready=_web_answers),
    ),
    doctor=_doctor,
    templates=HERE / "web" / "templates",
    locale=HERE / "web" / "locale",
    migrations=HERE / "db" / "versions",
    models=(
        "opendata.identity.models",
        "opendata.ledger.models",
        "opendata.jobs.models",
        "opendata.catalog.models",
        "opendata.access.models",
        "opendata.publishing.models",
    ),
    navigation=(
        NavItem("首页", "/"),
        NavItem("数据目录", "/datasets"),
        NavItem("我的申请", "/requests", ("applicant", "researcher", "data_officer")),
        NavItem("许可与密钥", "/grants", ("applicant", "researcher", "data_officer")),
        NavItem("数据工作台", "/console/datasets", ("data_officer",)),
        NavItem("审核", "/console/reviews", ("reviewer",)),
        NavItem("申请审批", "/console/requests", ("data_officer", "reviewer")),
        NavItem("存证", "/ledger", ("auditor", "audit_admin")),
    ),
    demo=None,
    raw_door={"/preview": "opendata.publishing.rawdoor:preview"},
)
