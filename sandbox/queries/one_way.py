"""The published counts of each dimension alone: what practice data may follow (PRIVACY 19).

Only a published cube of the policy that stands behind the edition counts, and only while the level still opens fixed
tables: everything here is what members of a workspace may ask anyway. Hidden figures stay hidden.
"""

from __future__ import annotations

import json

from sqlalchemy import select
from sqlalchemy.orm import Session

from masking.taxonomy import DataLevel
from opendata.catalog import grades as catalog_grades
from opendata.catalog.models import Dataset, Edition
from opendata.jobs.context import JobContext
from sandbox.queries.jobs import EXPOSURE
from sandbox.queries.models import FixedCube, FixedTable
from sandbox.queries.registration import Registration
from sandbox.queries.states import CubeState
from sandbox.queries.tables import COUNT, unpacked
from sandbox.workspaces.published import is_exposed


def one_way_counts(context: JobContext, session: Session, edition: Edition) -> dict[str, dict[str, float]]:
    """For each dimension, the noisy count of each category that is shown; empty if no cube may be asked."""
    dataset = session.get_one(Dataset, edition.dataset_id)
    level = DataLevel(dataset.level) if dataset.level else None
    if not catalog_grades.load(context.settings).fixed_tables(level, negative_list=dataset.negative_list):
        return {}
    cube = session.scalar(
        select(FixedCube)
        .where(
            FixedCube.dataset_id == dataset.id,
            FixedCube.policy_version_id == edition.policy_version_id,
            FixedCube.state == CubeState.PUBLISHED,
        )
        .order_by(FixedCube.published_at.desc())
    )
    if cube is None or not is_exposed(session, EXPOSURE, cube.id):
        return {}
    found: dict[str, dict[str, float]] = {}
    for each in Registration.from_json(cube.registration).dimensions:
        alone = json.dumps([each.name], ensure_ascii=False)
        table = session.scalar(select(FixedTable).where(FixedTable.cube_id == cube.id, FixedTable.dimensions == alone))
        if table is not None:
            counts = zip(each.codes, unpacked(table.content)[COUNT], strict=True)
            found[each.name] = {code: float(count) for code, count in counts if count is not None}
    return found
