"""Appending, checkpoints, export and offline verification, on a real database."""

import json
import os
import subprocess
import sys
import threading

import pytest

from opendata.db import utc_now
from opendata.errors import ConflictError, LedgerError, NotFoundError
from opendata.ledger import tree
from opendata.ledger.events import AuditEvent, EventType
from opendata.ledger.models import LedgerCheckpoint, LedgerEntry, LedgerNode, LedgerOpening
from opendata.ledger.service import (
    append,
    consistency,
    erase_opening,
    export,
    inclusion,
    latest_checkpoint,
    openings_of,
    root,
    sign_checkpoint,
    size,
)
from opendata.ledger.verify import ExportError, verify_export


def event(number=0, **payload):
    return AuditEvent(EventType.EDITION_PUBLISH, "actor-1", f"edition:{number}", utc_now(), payload or {"数": number})


def fill(database, count, key=None):
    with database.begin() as session:
        for number in range(count):
            append(session, event(number))
        if key is not None:
            return sign_checkpoint(session, key).note
    return None


def test_entries_are_salted_commitments(database):
    with database.begin() as session:
        first, second = append(session, event(1, same="payload")), append(session, event(1, same="payload"))
    assert (first.index, second.index) == (0, 1)
    with database.session() as session:
        leaves = [json.loads(entry.leaf) for entry in session.query(LedgerEntry).order_by(LedgerEntry.index)]
        assert leaves[0]["commitment"] != leaves[1]["commitment"]
        assert leaves[0].keys() == {"version", "type", "time", "commitment"}
        assert "payload" not in leaves[0]["commitment"]
        assert leaves[0]["type"] == "publishing:edition:publish"


def test_a_failing_act_takes_its_entry_with_it(database):
    def act():
        with database.begin() as session:
            append(session, event())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        act()
    fill(database, 1)
    with database.session() as session:
        assert size(session) == 1


def test_appending_writes_log_many_nodes(database):
    fill(database, 64)
    with database.session() as session:
        assert session.query(LedgerNode).count() == 127


def test_proofs_from_the_database_verify(database, key):
    fill(database, 21, key)
    with database.session() as session:
        checkpoint = latest_checkpoint(session)
        for index in range(21):
            leaf, proof = inclusion(session, index)
            tree.verify_inclusion(leaf, index, 21, proof, checkpoint.root)
        tree.verify_consistency(8, 21, root(session, 8), checkpoint.root, consistency(session, 8, 21))
        with pytest.raises(NotFoundError):
            inclusion(session, 21)
        with pytest.raises(NotFoundError):
            consistency(session, 1, 22)


def test_signing_happens_only_when_the_tree_grew(database, key):
    with database.begin() as session:
        assert sign_checkpoint(session, key) is None
    fill(database, 3, key)
    with database.begin() as session:
        assert sign_checkpoint(session, key) is None
        append(session, event())
        assert sign_checkpoint(session, key).size == 4


def test_a_rewritten_history_is_not_signed(database, key):
    fill(database, 3, key)
    with database.begin() as session:
        session.get(LedgerNode, (1, 0)).hash = bytes(32)
        append(session, event())
    with pytest.raises(LedgerError), database.begin() as session:
        sign_checkpoint(session, key)


@pytest.mark.parametrize("type", ["", "edition", "edition:publish", "a:b:c:d", "A:b:c", "a: b:c", "a:b:c\n"])
def test_event_types_have_one_grammar(type):
    with pytest.raises(LedgerError):
        AuditEvent(type, None, "x", utc_now())


def test_every_named_type_fits_the_grammar():
    for each in EventType:
        AuditEvent(each, None, "x", utc_now())


def test_payloads_that_are_not_json_are_refused(database):
    for value in (object(), float("nan")):
        with pytest.raises(LedgerError), database.begin() as session:
            append(session, event(bad=value))
    with pytest.raises(LedgerError):
        AuditEvent(EventType.LEDGER_START, None, "x", utc_now().replace(tzinfo=None))


def test_an_export_verifies_offline_without_the_service(database, key, tmp_path):
    fill(database, 5, key)
    fill(database, 4, key)
    with database.session() as session:
        path = export(session, tmp_path / "export.jsonl")
    public = tmp_path / "checkpoint.pub"
    public.write_text(key.verifier().line() + "\n")
    blocked = (
        "import sys\nfor name in ('sqlalchemy','pydantic','alembic','masking','sandbox'): sys.modules[name] = None\n"
    )
    program = blocked + "from opendata.ledger.verify import main\nsys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(path), "--key", str(public), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["verified"], result["entries"], result["openings"], result["checkpoints"]) == (True, 9, 9, 2)


def test_every_changed_byte_of_an_export_is_found(database, key, tmp_path):
    fill(database, 3, key)
    with database.session() as session:
        path = export(session, tmp_path / "export.jsonl")
    line = key.verifier().line()
    assert verify_export(path, line).entries == 3
    original = path.read_bytes()
    for position in range(len(original)):
        changed = bytearray(original)
        changed[position] ^= 1 + position % 127
        path.write_bytes(changed)
        with pytest.raises(LedgerError):
            verify_export(path, line)
    for cut in range(0, len(original), 7):
        path.write_bytes(original[:cut])
        with pytest.raises(LedgerError):
            verify_export(path, line)
    path.write_bytes(original + b"{}\n")
    with pytest.raises(ExportError):
        verify_export(path, line)
    path.write_bytes(original)
    assert verify_export(path, line).root


@pytest.mark.parametrize("change", ["leaf", "order", "missing", "opening", "insert"])
def test_a_tampered_database_does_not_verify(database, key, tmp_path, change):
    fill(database, 6, key)
    with database.begin() as session:
        if change == "leaf":
            entry = session.get(LedgerEntry, 2)
            entry.leaf = entry.leaf.replace("publish", "destroy")
        elif change == "opening":
            opening = session.get(LedgerOpening, 2)
            opening.payload = opening.payload.replace("actor-1", "actor-2")
        elif change == "order":
            one, two = session.get(LedgerEntry, 2), session.get(LedgerEntry, 3)
            one.leaf, two.leaf = two.leaf, one.leaf
        elif change == "missing":
            session.delete(session.get(LedgerOpening, 2))
            session.flush()
            session.delete(session.get(LedgerEntry, 2))
        else:
            session.get(LedgerCheckpoint, 6).size = 5
    with database.session() as session, pytest.raises(LedgerError):
        verify_export(export(session, tmp_path / "export.jsonl"), key.verifier().line())


def test_an_earlier_checkpoint_unmasks_a_rewritten_log_signed_again(database, key, tmp_path):
    kept = fill(database, 4, key)
    fill(database, 2, key)
    with database.session() as session:
        path = export(session, tmp_path / "export.jsonl")
    assert verify_export(path, key.verifier().line(), kept).earlier == 4

    from opendata.db import Database, migrate
    from opendata.settings import Settings

    settings = Settings.load(tmp_path / "other", as_root=False)
    settings.home.mkdir()
    migrate(settings, ())
    rewritten = Database(settings)
    fill(rewritten, 6, key)
    with rewritten.session() as session:
        path = export(session, tmp_path / "rewritten.jsonl")
    rewritten.dispose()
    assert verify_export(path, key.verifier().line()).entries == 6, "by itself it is a valid log"
    with pytest.raises(LedgerError):
        verify_export(path, key.verifier().line(), kept)


def test_erasing_an_opening_keeps_every_root(database, key, tmp_path):
    fill(database, 3, key)
    with database.begin() as session:
        erase_opening(session, 1, audit=AuditEvent(EventType.OPENING_ERASE, "a", "entry:1", utc_now(), {"index": 1}))
        sign_checkpoint(session, key)
    with database.session() as session:
        assert openings_of(session, "edition:1") == []
        verified = verify_export(export(session, tmp_path / "e"), key.verifier().line())
    assert (verified.entries, verified.openings) == (4, 3)
    with pytest.raises(NotFoundError), database.begin() as session:
        erase_opening(session, 1, audit=event())


def test_an_export_for_a_party_holds_only_its_openings(database, key, tmp_path):
    fill(database, 4, key)
    with database.session() as session:
        path = export(session, tmp_path / "e", openings=lambda subject: subject == "edition:2")
    assert verify_export(path, key.verifier().line()).openings == 1
    assert "edition:1" not in path.read_text()
    assert os.listdir(tmp_path).count("e") == 1


def test_an_export_without_a_checkpoint_is_refused(database, tmp_path):
    fill(database, 1)
    with database.session() as session, pytest.raises(ConflictError):
        export(session, tmp_path / "e")


def test_concurrent_appends_leave_no_gap(database, key, tmp_path):
    errors = []

    def work(worker):
        try:
            for number in range(12):
                with database.begin() as session:
                    append(session, event(worker * 100 + number))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with database.begin() as session:
        assert sign_checkpoint(session, key).size == 48
    with database.session() as session:
        assert verify_export(export(session, tmp_path / "e"), key.verifier().line()).entries == 48
