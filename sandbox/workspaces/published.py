"""What anybody may know of a dataset: the published figures that its practice data follow.

Source: PRIVACY.md 19, "approved Exposure aggregates". An edition counts only if it is a fixed table, published and
unconditional: a conditional one belongs to its recipients; and only if it is remembered as an exposure, so that every
later output is compared with it. A practice table tells nothing beyond these figures and needs no comparison of its
own. Raw tables, intakes' profiles and internal reports are never read here.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import pyarrow.parquet as pq
from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.policy.model import MaskingPolicy
from masking.taxonomy import OpeningClass
from opendata.catalog.models import Edition, EditionKind, EditionState
from opendata.jobs.context import JobContext
from opendata.publishing.models import Exposure
from opendata.storage.editions import EditionStore
from sandbox.workspaces.practice import Marginals, shares_of_cube, shares_of_edition

Counts = Mapping[str, Mapping[str, float]]
"""For each dimension of a published cube, the published count of each of its categories."""
CubeCounts = Callable[[JobContext, Session, Edition], Counts]
"""The counts of the published cube of an edition's dataset; empty if none may be asked."""


def no_cube(context: JobContext, session: Session, edition: Edition) -> Counts:
    """There are no fixed tables."""
    del context, session, edition
    return {}


def published_marginals(
    edition: Edition, policy: MaskingPolicy, editions: EditionStore, *, exposed: bool, cube: Counts | None = None
) -> Marginals:
    """Shares of published figures: of the edition's fixed table, else of the dataset's ``cube``.

    ``policy`` is the edition's own. ``exposed``: the edition is remembered as one.
    """
    of_edition = _of_edition(edition, policy, editions) if exposed else {}
    return {**shares_of_cube(policy, cube or {}), **of_edition}


def is_exposed(session: Session, kind: str, reference: str) -> bool:
    """Whether what was shown is remembered, so that outputs are compared with it (PRIVACY.md 4, 17)."""
    found = select(Exposure.id).where(Exposure.kind == kind, Exposure.reference == reference)
    return session.scalar(found) is not None


def _of_edition(edition: Edition, policy: MaskingPolicy, editions: EditionStore) -> Marginals:
    if (
        edition.kind != EditionKind.AGGREGATE
        or edition.state != EditionState.PUBLISHED
        or edition.opening_class != OpeningClass.UNCONDITIONAL
        or not edition.digest
    ):
        return {}
    name = next((str(file["name"]) for file in edition.files if file["format"] == "parquet"), None)
    if name is None:
        return {}
    with editions.open(edition.digest, name) as stream:
        return shares_of_edition(policy, pq.read_table(io.BytesIO(stream.read())))
