import pytest

from opendata.settings import Settings
from opendata.storage.keys import KeyStore, initialise
from opendata.storage.vault import Vault


@pytest.fixture
def settings(tmp_path):
    settings = Settings.load(tmp_path / "home", as_root=False)
    initialise(settings)
    return settings


@pytest.fixture
def keys(settings):
    return KeyStore(settings)


@pytest.fixture
def vault(settings, keys):
    return Vault(settings, keys)
