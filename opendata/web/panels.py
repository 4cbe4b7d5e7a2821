"""What other parts say on a page of the service; this package knows none of them by name."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import Request
from sqlalchemy.orm import Session

from opendata.catalog.models import Dataset
from opendata.identity import Actor
from opendata.parts import Panel


def panels_of(
    request: Request,
    page: Literal["dataset", "policy"],
    session: Session,
    dataset: Dataset,
    actor: Actor | None,
    **more: Any,
) -> list[Panel]:
    """The panels for this viewer, who may know of the dataset."""
    found = (say(request, session, dataset, actor, **more) for say in request.app.state.panels[page])
    return [panel for panel in found if panel is not None]
