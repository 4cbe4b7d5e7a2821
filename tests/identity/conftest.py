import pytest
from argon2 import PasswordHasher

from opendata.db import Database, create_schema
from opendata.identity import service
from opendata.settings import Settings


@pytest.fixture
def database(tmp_path):
    database = Database(Settings.load(tmp_path, as_root=False))
    create_schema(database)
    yield database
    database.dispose()


@pytest.fixture(autouse=True)
def quick_hashing(monkeypatch):
    """Real argon2 with small costs: the defaults take half a second a call."""
    hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(service, "_hasher", lambda: hasher)
    service._decoy.cache_clear()
    yield
    service._decoy.cache_clear()


@pytest.fixture
def user(database):
    with database.begin() as session:
        organization = service.create_organization(session, name_zh="市统计局", kind="department")
        return service.create_user(
            session,
            username="officer",
            name="王数",
            organization=organization,
            roles=["data_officer"],
            password="correct horse battery",
        )
