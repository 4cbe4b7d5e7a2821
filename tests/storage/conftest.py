"""A fresh home for every test, copied from one that was initialised once (making an RSA key takes a while)."""

import shutil

import pytest

from opendata.settings import Settings
from opendata.storage.keys import KeyStore, initialise
from opendata.storage.vault import Vault


@pytest.fixture(scope="session")
def initialised(tmp_path_factory):
    home = tmp_path_factory.mktemp("initialised") / "home"
    initialise(Settings.load(home, as_root=False))
    return home


@pytest.fixture
def settings(tmp_path, initialised):
    shutil.copytree(initialised, tmp_path / "home")
    return Settings.load(tmp_path / "home", as_root=False)


@pytest.fixture
def keys(settings):
    return KeyStore(settings)


@pytest.fixture
def vault(settings, keys):
    return Vault(settings, keys)
