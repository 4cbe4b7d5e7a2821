"""A world with published datasets whose masking policies register fixed tables. No launcher runs anywhere in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from opendata.catalog.models import Dataset, Edition
from opendata.db import new_id, utc_now
from opendata.publishing.models import Intake, PolicyVersion
from sandbox.queries import models, service
from sandbox.queries.answers import Answer
from sandbox.queries.models import FixedCube
from tests.sandbox.queries.cubes import POLICY, persons_table
from tests.sandbox.sandbox_world import World, make_world

assert models  # its tables are made with the world's


@dataclass
class Tables:
    """Datasets with fixed tables in a world."""

    world: World

    def dataset(
        self, name: str, level: str, *, table: pa.Table | None = None, yaml: str = POLICY, reviewed: bool = True
    ) -> str:
        """A published dataset; ``reviewed``: by somebody else than its author."""
        with self.world.database.begin() as session:
            officer, now = self.world.actor("officer"), utc_now()
            dataset = Dataset(
                name=name, title_zh="就诊", title_en="visits", organization_id=officer.organization_id, level=level,
                state="published", created_by=officer.id, created_at=now, updated_at=now,
            )  # fmt: skip
            session.add(dataset)
        self.intake(name, persons_table() if table is None else table, yaml=yaml, reviewed=reviewed)
        return name

    def intake(self, name: str, table: pa.Table, *, yaml: str = POLICY, reviewed: bool = True) -> str:
        """A further intake with its published edition, which becomes the current one."""
        intake_id, now, officer = new_id(), utc_now(), self.world.actor("officer")
        self.world.vault.write_table(intake_id, table.to_reader(max_chunksize=1000))
        with self.world.database.begin() as session:
            dataset = session.query(Dataset).filter_by(name=name).one()
            number = session.query(PolicyVersion).filter_by(dataset_id=dataset.id).count() + 1
            session.add(
                Intake(
                    id=intake_id, dataset_id=dataset.id, organization_id=officer.organization_id, filename="t.csv",
                    format="csv", state="ready", rows=table.num_rows, created_by=officer.id, created_at=now,
                    schema=[{"name": f.name, "type": str(f.type)} for f in table.schema],
                )
            )  # fmt: skip
            version = PolicyVersion(
                dataset_id=dataset.id, number=number, yaml=yaml, digest="0" * 64, author_id=officer.id, created_at=now
            )
            session.add(version)
            session.flush()
            edition = Edition(
                dataset_id=dataset.id, intake_id=intake_id, policy_version_id=version.id, kind="microdata",
                state="published", opening_class="conditional", created_by=officer.id, created_at=now,
                reviewed_by=self.world.actor("reviewer").id if reviewed else officer.id,
            )  # fmt: skip
            session.add(edition)
            session.flush()
            dataset.current_edition_id = edition.id
        return intake_id

    def request(self, name: str, *, by: str = "officer", now=None) -> str:
        """Ask for the cube; it is computed when ``world.work()`` runs."""
        with self.world.database.begin() as session:
            return service.compute(
                session, name, actor=self.world.actor(by), grades=self.world.grades, now=now
            ).id  # fmt: skip

    def compute(self, name: str, *, now=None) -> FixedCube:
        """Ask for it, work, and give the cube as it ended."""
        cube_id = self.request(name, now=now)
        self.world.work()
        with self.world.database.session() as session:
            return session.get_one(FixedCube, cube_id)

    def ready(self, name: str, level: str = "L1", **given) -> str:
        """A dataset whose cube is published."""
        self.dataset(name, level, **given)
        cube = self.compute(name)
        assert cube.state == "published", cube.error
        return name

    def ask(self, name: str, *by: str, actor: str | None = None, **measures: str) -> Answer:
        return service.ask(
            self.world.database, name, by=by, measures=measures or {"n": "count"},
            actor=self.world.actor(actor) if actor else None, grades=self.world.grades,
        )  # fmt: skip


@pytest.fixture
def world(tmp_path: Path):
    with make_world(tmp_path / "home") as made:
        yield made


@pytest.fixture
def tables(world: World) -> Tables:
    return Tables(world)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory):
    """A published cube that nothing changes."""
    with make_world(tmp_path_factory.mktemp("standing") / "home") as made:
        found = Tables(made)
        found.ready("visits", table=persons_table(3000))
        yield found
