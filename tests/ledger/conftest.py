import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from opendata.db import Database, migrate
from opendata.ledger.checkpoint import SigningKey
from opendata.settings import Settings


@pytest.fixture
def database(tmp_path):
    settings = Settings.load(tmp_path, as_root=False)
    migrate(settings, ())
    database = Database(settings)
    yield database
    database.dispose()


@pytest.fixture
def key():
    return SigningKey("data.example/ledger/1", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
