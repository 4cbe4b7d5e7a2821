"""Keys: made once, hidden, destroyed for good; the home's owners and modes."""

import os
import stat

import pytest
from cryptography.hazmat.primitives import serialization

from opendata.errors import ConfigurationError, NotFoundError, TamperedError
from opendata.ledger.checkpoint import Verifier
from opendata.settings import Settings
from opendata.storage import home
from opendata.storage.keys import KeyStore, initialise, public_key


def test_data_keys_are_random_stable_and_wrapped(settings, keys):
    one, other, line = keys.intake_key("a"), keys.intake_key("b"), keys.line_key("a")
    assert len({one, other, line}) == 3
    assert KeyStore(settings).intake_key("a") == one
    assert not any(one in path.read_bytes() for path in settings.keys_dir.rglob("*") if path.is_file())
    assert not any(one.hex() in path.read_text("latin-1") for path in settings.keys_dir.rglob("*") if path.is_file())


def test_a_destroyed_key_is_never_made_again(settings, keys):
    first = keys.line_key("line-1")
    keys.destroy_line_key("line-1")
    keys.destroy_line_key("line-1")
    for store in (keys, KeyStore(settings)):
        with pytest.raises(NotFoundError):
            store.line_key("line-1")
    assert keys.line_key("line-2") != first


def test_a_key_not_made_yet_is_not_made_by_reading(keys):
    with pytest.raises(NotFoundError):
        keys.intake_key("a", create=False)
    assert not keys.has_intake_key("a")


def test_a_changed_or_swapped_key_file_is_refused(settings, keys):
    keys.intake_key("a")
    keys.intake_key("b")
    directory = settings.keys_dir / "worker" / "intakes"
    (directory / "b.key").write_bytes((directory / "a.key").read_bytes())
    with pytest.raises(TamperedError):
        keys.intake_key("b")
    (directory / "a.key").write_text('{"version": 2}')
    with pytest.raises(TamperedError):
        keys.intake_key("a")


def test_public_halves_fit(settings, keys):
    assert public_key(settings, "vault") == keys.vault_key().public_key().public_bytes_raw()
    assert Verifier.parse(public_key(settings, "checkpoint").decode()).name == keys.checkpoint_key().name
    assert serialization.load_pem_public_key(public_key(settings, "release")) == keys.release_key().public_key()
    with pytest.raises(NotFoundError):
        public_key(settings, "other")


def test_two_installations_are_two_logs(settings, keys, tmp_path):
    other = Settings.load(tmp_path / "other", as_root=False)
    initialise(other)
    assert KeyStore(other).checkpoint_key().name != keys.checkpoint_key().name


def test_nothing_shows_a_key(keys):
    key = keys.intake_key("a")
    for thing in (keys, keys.checkpoint_key()):
        assert key.hex() not in repr(thing)
        assert "0x" not in repr(thing)


def test_a_replaced_public_key_is_found(settings):
    (settings.keys_dir / "public" / "vault.pub").write_bytes(bytes(32))
    with pytest.raises(ConfigurationError):
        initialise(settings)


def test_initialising_twice_changes_nothing(settings):
    before = {path: (path.stat().st_mode, path.is_file() and path.read_bytes()) for path in settings.home.rglob("*")}
    initialise(settings)
    after = {path: (path.stat().st_mode, path.is_file() and path.read_bytes()) for path in settings.home.rglob("*")}
    assert before == after


def test_one_user_means_private_everything(settings):
    for path in [settings.home, *settings.home.rglob("*")]:
        assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, path


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o770])
def test_a_wider_directory_is_narrowed(settings, mode):
    for path in (settings.home, settings.vault_dir, settings.keys_dir / "worker"):
        path.chmod(mode)
    initialise(settings)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (settings.home, settings.vault_dir)} == {0o700}


def test_a_narrowed_directory_is_not_widened(settings):
    (settings.editions_dir / "something").touch()
    settings.editions_dir.chmod(0o500)
    with pytest.raises(ConfigurationError):
        initialise(settings)
    assert stat.S_IMODE(settings.editions_dir.stat().st_mode) == 0o500


def test_a_key_file_open_to_others_is_refused(settings):
    (settings.keys_dir / "worker" / "kek").chmod(0o644)
    with pytest.raises(ConfigurationError):
        initialise(settings)


def test_links_are_refused(settings, tmp_path):
    settings.editions_dir.rmdir()
    settings.editions_dir.symlink_to(tmp_path)
    with pytest.raises(ConfigurationError):
        initialise(settings)


def test_a_world_writable_parent_is_refused(tmp_path):
    parent = tmp_path / "open"
    parent.mkdir()
    parent.chmod(0o777)
    with pytest.raises(ConfigurationError):
        initialise(Settings.load(parent / "home", as_root=False))


def test_missing_keys_are_named_not_made(settings):
    (settings.keys_dir / "worker" / "kek").unlink()
    with pytest.raises(ConfigurationError, match="kek"):
        KeyStore(settings)


def test_every_place_has_one_line(settings):
    paths = [place.path for place in home.places(settings)]
    assert len(paths) == len(set(paths))
    assert home.is_separated(settings) is False


def test_separate_users_need_root(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("runs as root; the refusal concerns ordinary users")
    with pytest.raises(ConfigurationError):
        initialise(Settings.load(tmp_path / "home", as_root=True))
