"""A portal over a real database, with people, a public edition, a conditional one and a hidden dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from starlette.testclient import TestClient

from opendata.app import PART, create_app
from opendata.catalog import service as catalog
from opendata.catalog.models import Dataset, DatasetState, Edition
from opendata.db import Database, migrate, new_id, utc_now
from opendata.identity import service as identity
from opendata.publishing.models import Intake, PolicyVersion
from opendata.settings import ONE_USER, Settings
from opendata.storage.editions import EditionStore
from opendata.storage.keys import initialise

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


class Portal:
    """The application under test and what the tests know of it."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings.load(
            home, as_root=False, users=ONE_USER, host="127.0.0.1", public_url="http://testserver"
        )
        initialise(self.settings)
        migrate(self.settings)
        self.database = Database(self.settings)
        self.app = create_app(self.settings, [PART])
        self.users: dict[str, str] = {}
        self._people()

    def _people(self) -> None:
        with self.database.begin() as session:
            bureau = identity.create_organization(session, name_zh="交通局", name_en="Transport", kind="department")
            other = identity.create_organization(session, name_zh="卫健委", name_en="Health", kind="department")
            firm = identity.create_organization(session, name_zh="企业", name_en="Firm", kind="enterprise")
            for name, organization, role in (
                ("officer", bureau, "data_officer"),
                ("stranger", other, "data_officer"),
                ("reviewer", other, "reviewer"),
                ("applicant", firm, "applicant"),
                ("grantee", firm, "applicant"),
                ("researcher", firm, "researcher"),
                ("auditor", other, "auditor"),
                ("sysadmin", other, "system_admin"),
            ):
                made = identity.create_user(session, username=name, name=name, organization=organization, roles=[role])
                self.users[name] = made.id

    def client(self, username: str | None = None, **options: object) -> TestClient:
        """A browser, signed in as ``username`` by a session cookie."""
        client = TestClient(self.app, follow_redirects=False, **options)
        if username:
            with self.database.begin() as session:
                actor = identity.actor_of_token(session, self._token(session, username), now=utc_now())
                signed = identity.open_session(session, actor, now=utc_now())
            client.cookies.set("opendata_session", signed.secret)
            client.csrf = signed.csrf
        return client

    def api(self, username: str) -> TestClient:
        """A program with the person's bearer token."""
        with self.database.begin() as session:
            token = self._token(session, username)
        return TestClient(self.app, follow_redirects=False, headers={"Authorization": f"Bearer {token}"})

    def _token(self, session, username: str) -> str:
        return identity.issue_token(session, self.users[username], name="t", now=utc_now(), lifetime=timedelta(hours=1))

    def dataset(
        self, name: str, *, opening: str | None, level: str = "L2", visibility: str = "public", title: str = ""
    ) -> str:
        """A dataset, published with an edition of this opening class; returns its id."""
        now = utc_now()
        with self.database.begin() as session:
            token = self._token(session, "officer")
            actor = identity.actor_of_token(session, token, now=now)
            made = catalog.create_dataset(
                session,
                name=name,
                title_zh=title or f"数据 {name}",
                title_en=title or f"Data {name}",
                actor=actor,
                visibility=visibility,
            )
            made.level = level
            if opening:
                self._edition(session, made, opening, actor)
            return made.id

    def _edition(self, session, dataset: Dataset, opening: str, actor) -> None:
        now = utc_now()
        intake = Intake(
            id=new_id(),
            dataset_id=dataset.id,
            organization_id=dataset.organization_id,
            filename="t.csv",
            format="csv",
            created_by=actor.id,
            created_at=now,
        )
        policy = PolicyVersion(
            id=new_id(),
            dataset_id=dataset.id,
            number=1,
            yaml="version: 1\n",
            digest="0" * 64,
            author_id=actor.id,
            created_at=now,
        )
        session.add_all([intake, policy])
        session.flush()
        table = pa.table({"id": list(range(250)), "district": ["东", "西"] * 125, "day": [None] * 250})
        store = EditionStore(self.settings)
        key = new_id()
        folder = store.stage(key)
        pyarrow.parquet.write_table(table, folder / f"{dataset.name}.parquet", row_group_size=100)
        pyarrow.csv.write_csv(table, folder / f"{dataset.name}.csv")
        (folder / "receipt.json").write_text("{}")
        files = [
            {
                "name": file.name,
                "format": file.suffix[1:],
                "bytes": file.stat().st_size,
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            }
            for file in sorted(folder.glob(f"{dataset.name}.*"))
        ]
        digest = hashlib.sha256(dataset.name.encode()).hexdigest()
        store.publish(key, digest)
        edition = Edition(
            id=new_id(),
            dataset_id=dataset.id,
            intake_id=intake.id,
            policy_version_id=policy.id,
            kind="microdata",
            state="published",
            level="L1",
            opening_class=opening,
            effect=4,
            legal_status="anonymized" if opening == "unconditional" else "deidentified",
            legal_basis="依据",
            digest=digest,
            table_digest=digest,
            rows=250,
            files=files,
            public_report={"k": 10, "risk_max": 0.1},
            created_by=actor.id,
            created_at=now,
            published_at=now,
        )
        session.add(edition)
        session.flush()
        dataset.state = DatasetState.PUBLISHED
        dataset.current_edition_id = edition.id


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    made = Portal(tmp_path_factory.mktemp("portal") / "home")
    made.dataset("stops", opening="unconditional")
    made.dataset("flights", opening="conditional")
    made.dataset("hidden", opening="unconditional", visibility="none")
    made.dataset("hostile", opening="unconditional", title=HOSTILE)
    yield made
    made.database.dispose()
