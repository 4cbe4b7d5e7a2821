import pytest

from tests.publishing.chain import start


@pytest.fixture
def chain(tmp_path):
    made = start(tmp_path / "home")
    yield made
    made.database.dispose()
