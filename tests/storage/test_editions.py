"""Open storage: complete or absent."""

import pytest

from opendata.errors import InvalidInputError, NotFoundError, StorageError
from opendata.storage.editions import EditionStore

DIGEST = "ab" * 32


@pytest.fixture
def store(settings):
    return EditionStore(settings)


def staged(store, key="e-1"):
    directory = store.stage(key)
    (directory / "villages.csv").write_text("a,b\n")
    return directory


def test_a_staged_edition_is_invisible_until_published(store):
    staged(store)
    assert not store.exists(DIGEST)
    with pytest.raises(NotFoundError):
        store.open(DIGEST, "villages.csv")
    store.publish("e-1", DIGEST)
    with store.open(DIGEST, "villages.csv") as file:
        assert file.read() == b"a,b\n"


def test_publishing_is_idempotent_and_staging_starts_clean(store):
    staged(store)
    store.publish("e-1", DIGEST)
    store.publish("e-1", DIGEST)
    (staged(store) / "junk").touch()
    assert [path.name for path in store.stage("e-1").iterdir()] == []
    with pytest.raises(NotFoundError):
        store.publish("unknown", "cd" * 32)


def test_removing_is_idempotent(store, settings):
    staged(store)
    store.publish("e-1", DIGEST)
    store.remove(DIGEST)
    store.remove(DIGEST)
    assert not store.exists(DIGEST)
    assert list((settings.editions_dir / ".staging").iterdir()) == []


def test_links_and_directories_are_not_published(store, tmp_path):
    (staged(store) / "link").symlink_to(tmp_path)
    with pytest.raises(StorageError):
        store.publish("e-1", DIGEST)
    (staged(store) / "directory").mkdir()
    with pytest.raises(StorageError):
        store.publish("e-1", DIGEST)
    assert not store.exists(DIGEST)


def test_published_files_cannot_be_written(store):
    staged(store)
    directory = store.publish("e-1", DIGEST)
    assert (directory / "villages.csv").stat().st_mode & 0o222 == 0


@pytest.mark.parametrize(("digest", "name"), [("..", "x"), ("AB" * 32, "x"), (DIGEST, "../x"), (DIGEST, ""), ("", "x")])
def test_paths_never_leave_the_store(store, digest, name):
    with pytest.raises(InvalidInputError):
        store.open(digest, name)
