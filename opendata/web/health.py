"""Whether the service lives, is ready, and what it does: for supervisors and monitoring."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from opendata.access.models import AccessLog
from opendata.catalog.models import Dataset, DatasetState, Visibility
from opendata.db import utc_now
from opendata.errors import LedgerError
from opendata.jobs import Job
from opendata.ledger import service as ledger
from opendata.web.deps import SessionDep

router = APIRouter()

SMALLEST_PUBLIC_COUNT = 5


@router.get("/healthz", include_in_schema=False)
def healthz() -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n")


@router.get("/readyz", include_in_schema=False)
def readyz(request: Request) -> Response:
    """The database answers too, holds the tables this version needs, and a ledger whose history was not rewritten."""
    try:
        with request.app.state.database.session() as session:
            session.execute(select(Dataset.id).limit(1))
            session.execute(select(Job.id).limit(1))
            ledger.check_head(session, now=utc_now())
    except SQLAlchemyError as error:
        return JSONResponse({"ready": False, "database": type(error).__name__}, 503)
    except LedgerError as error:
        return JSONResponse({"ready": False, "ledger": str(error)}, 503)
    return JSONResponse({"ready": True})


@router.get("/metrics", include_in_schema=False)
def metrics(session: SessionDep) -> Response:
    """Counts for Prometheus. Public, so hidden entries are not counted and counts below 5 of passages are left out."""
    registry = CollectorRegistry()
    shown = select(func.count()).where(Dataset.visibility == Visibility.PUBLIC, Dataset.state == DatasetState.PUBLISHED)
    Gauge("opendata_datasets", "Published public datasets", registry=registry).set(session.scalar(shown) or 0)
    checkpoint = ledger.latest_checkpoint(session)
    Gauge("opendata_ledger_checkpoint_size", "Entries under the newest checkpoint", registry=registry).set(
        checkpoint.size if checkpoint else 0
    )
    passages = Gauge("opendata_passages", "Passages through doors of public datasets", ["door"], registry=registry)
    query = (
        select(AccessLog.door, func.count())
        .join(Dataset, Dataset.id == AccessLog.dataset_id)
        .where(Dataset.visibility == Visibility.PUBLIC)
        .group_by(AccessLog.door)
    )
    for door, count in session.execute(query):
        if count >= SMALLEST_PUBLIC_COUNT:
            passages.labels(door=door).set(count)
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")
