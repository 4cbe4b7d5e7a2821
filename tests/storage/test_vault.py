"""Uploads sealed by web, tables, quarantine, destruction."""

import io
import os

import pyarrow as pa
import pytest

from opendata.errors import InvalidInputError, NotFoundError, StorageError, TamperedError
from opendata.settings import Settings
from opendata.storage.keys import KeyStore, initialise
from opendata.storage.vault import SealedWriter, Vault

CONTENT = ("CANARY-张三,110101199003077777\n" * 5000).encode()


def upload(settings, intake="i-1", content=CONTENT):
    with SealedWriter(settings, intake) as sealed:
        for start in range(0, len(content), 10_000):
            sealed.write(content[start : start + 10_000])
    return sealed


def stored(settings):
    return [path for path in settings.home.rglob("*") if path.is_file()]


def test_an_upload_comes_back_and_is_nowhere_in_the_clear(settings, vault):
    assert upload(settings).bytes_written == len(CONTENT)
    for _ in range(2):
        with vault.open("i-1") as stream:
            assert stream.read() == CONTENT
    assert list(settings.incoming_dir.iterdir()) == [], "moved under the intake's own key"
    assert not any(b"CANARY" in path.read_bytes() for path in stored(settings))


def test_an_interrupted_upload_leaves_nothing(settings, vault):
    def interrupted():
        with SealedWriter(settings, "i-1") as sealed:
            sealed.write(b"x" * 3_000_000)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        interrupted()
    assert list(settings.incoming_dir.iterdir()) == []
    with pytest.raises(NotFoundError):
        vault.open("i-1")


def test_an_upload_is_never_replaced(settings):
    upload(settings)
    with pytest.raises(StorageError):
        upload(settings, content=b"other")
    assert len(list(settings.incoming_dir.iterdir())) == 1


def test_another_vault_or_another_intake_cannot_open_a_sealed_upload(settings, tmp_path):
    upload(settings)
    sealed = settings.incoming_dir / "i-1.sealed"
    other = Settings.load(tmp_path / "other", as_root=False)
    initialise(other)
    (other.incoming_dir / "i-1.sealed").write_bytes(sealed.read_bytes())
    (settings.incoming_dir / "i-2.sealed").write_bytes(sealed.read_bytes())
    for at, intake in ((other, "i-1"), (settings, "i-2")):
        with pytest.raises(TamperedError):
            Vault(at, KeyStore(at)).open(intake)


def test_a_flipped_byte_in_incoming_or_vault_is_found(settings, vault):
    for where in ("incoming", "vault"):
        upload(settings, where)
        path = settings.incoming_dir / f"{where}.sealed"
        if where == "vault":
            vault.accept(where)
            path = settings.vault_dir / "intakes" / where / "upload"
        data = bytearray(path.read_bytes())
        data[-30] ^= 1
        path.write_bytes(data)
        with pytest.raises(TamperedError):
            vault.open(where).read()


def table(rows=1000):
    names = pa.array([f"CANARY-{number}" for number in range(rows)], pa.string())
    return pa.table({"姓名": names, "n": pa.array(range(rows), pa.int64())})


def test_a_table_streams_in_and_out(settings, vault):
    assert vault.write_table("i-1", table().to_reader(100)) == 1000
    for _ in range(2):
        with vault.read_table("i-1") as reader:
            assert reader.read_all() == table()
    assert vault.write_table("i-1", table(3).to_reader()) == 3
    with vault.read_table("i-1") as reader:
        assert reader.read_all().num_rows == 3
    assert not any(b"CANARY" in path.read_bytes() for path in stored(settings))


def test_an_empty_table_keeps_its_schema(vault):
    vault.write_table("i-1", table(0).to_reader())
    with vault.read_table("i-1") as reader:
        assert reader.schema == table().schema
        assert reader.read_all().num_rows == 0


def test_a_failing_write_keeps_the_earlier_table(settings, vault):
    vault.write_table("i-1", table(3).to_reader())

    def batches():
        yield table(1).to_batches()[0]
        raise OSError(28, "full")

    with pytest.raises(OSError):
        vault.write_table("i-1", pa.RecordBatchReader.from_batches(table().schema, batches()))
    with vault.read_table("i-1") as reader:
        assert reader.read_all().num_rows == 3
    assert not [path for path in stored(settings) if path.name.endswith(".part")]


def test_files_of_one_intake_cannot_stand_in_for_another(settings, vault):
    vault.write_table("i-1", table(1).to_reader())
    vault.write_table("i-2", table(2).to_reader())
    intakes = settings.vault_dir / "intakes"
    (intakes / "i-2" / "table").write_bytes((intakes / "i-1" / "table").read_bytes())
    with pytest.raises(TamperedError), vault.read_table("i-2"):
        pass
    vault.put_object("o-1", io.BytesIO(b"1"))
    vault.put_object("o-2", io.BytesIO(b"2"))
    quarantine = settings.vault_dir / "quarantine"
    (quarantine / "o-2").write_bytes((quarantine / "o-1").read_bytes())
    with pytest.raises(TamperedError):
        vault.open_object("o-2").read()


def test_quarantine_objects(settings, vault):
    import hashlib

    assert vault.put_object("job-1", io.BytesIO(CONTENT)) == hashlib.sha256(CONTENT).hexdigest()
    with vault.open_object("job-1") as stream:
        assert stream.read() == CONTENT
    assert not any(b"CANARY" in path.read_bytes() for path in stored(settings))
    vault.destroy_object("job-1")
    vault.destroy_object("job-1")
    with pytest.raises(NotFoundError):
        vault.open_object("job-1")


def test_destroying_an_intake_makes_every_copy_unreadable_for_good(settings, vault):
    upload(settings)
    vault.open("i-1").close()
    vault.write_table("i-1", table().to_reader())
    kept = {path: path.read_bytes() for path in (settings.vault_dir / "intakes" / "i-1").iterdir()}
    vault.destroy("i-1")
    vault.destroy("i-1")
    assert not vault.exists("i-1")
    for path, data in kept.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)  # a copy somebody kept
    with pytest.raises(NotFoundError):
        vault.open("i-1")
    with pytest.raises(NotFoundError), vault.read_table("i-1"):
        pass
    with pytest.raises(NotFoundError):
        vault.write_table("i-1", table().to_reader())


def test_an_upload_that_was_never_opened_is_destroyed_too(settings, vault):
    upload(settings)
    vault.destroy("i-1")
    assert list(settings.incoming_dir.iterdir()) == []
    with pytest.raises(NotFoundError):
        vault.open("i-1")


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "x" * 300, "a\x00b"])
def test_names_never_leave_the_vault(settings, vault, name):
    for act in (
        lambda: vault.open(name),
        lambda: vault.destroy(name),
        lambda: vault.put_object(name, io.BytesIO()),
        lambda: SealedWriter(settings, name),
    ):
        with pytest.raises(InvalidInputError):
            act()


def test_a_writer_outside_its_block_refuses(settings):
    with pytest.raises(StorageError):
        SealedWriter(settings, "i-1").write(b"x")


def test_memory_stays_flat_for_a_large_upload(settings, vault):
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with SealedWriter(settings, "big") as sealed:
        for _ in range(64):
            sealed.write(os.urandom(1 << 20))
    with vault.open("big") as stream:
        while stream.read(1 << 20):
            pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 48 * 1024
