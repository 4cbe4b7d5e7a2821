"""The real worker process: raw door, checkpoints, start and stop."""

import stat

import pytest

from opendata.db import new_id, utc_now
from opendata.errors import AuthenticationError, DeniedError, InvalidInputError, OpenDataError
from opendata.identity import service
from opendata.ledger.models import LedgerEntry, LedgerOpening
from opendata.ledger.service import export, size
from opendata.ledger.verify import verify_export
from opendata.storage.rawdoor import ask

pytestmark = pytest.mark.integration
ASKED = {"purpose": "核对编码"}


def officer(worker):
    """(API token, session secret) of a new officer."""
    now, mark = utc_now(), new_id()[:8]
    with worker.database.begin() as session:
        organization = service.create_organization(session, name_zh=f"市统计局 {mark}", kind="department")
        user = service.create_user(
            session, username=f"officer-{mark}", name="王数", organization=organization, roles=["data_officer"]
        )
        token = service.issue_token(session, user.id, name="t", now=now)
        return token, service.open_session(session, service.actor_of(user), now=now).secret


@pytest.fixture
def asked():
    """A request that no other test makes."""
    return ASKED | {"intake": new_id()}


@pytest.fixture
def door(running):
    """(worker, token of an officer, session secret of the same)"""
    running.until(lambda: ready(running), "the raw door")
    return running, *officer(running)


def ready(worker):
    try:
        ask(worker.settings, "none", {}, token="x")
    except OpenDataError as error:
        return "没有应答" not in str(error)
    return True


def entries(worker, type, subject=None):
    with worker.database.session() as session:
        rows = session.query(LedgerOpening).join(LedgerEntry, LedgerEntry.index == LedgerOpening.index)
        rows = rows.filter(LedgerEntry.type == type)
        return (rows.filter(LedgerOpening.subject == subject) if subject else rows).all()


def nothing_on_disk(worker):
    return not any(b"CANARY" in path.read_bytes() for path in worker.settings.home.rglob("*") if path.is_file())


def test_a_view_is_recorded_before_it_is_answered_and_sealed(door, asked):
    worker, token, cookie = door
    for secret in (token, cookie):
        assert ask(worker.settings, "view", asked, token=secret)["rows"] == [["CANARY-张三"]]
    views = entries(worker, "rawdoor:view:show", f"intake:{asked['intake']}")
    assert len(views) == 2
    assert "核对编码" in views[0].payload
    assert nothing_on_disk(worker)


def test_the_answer_on_the_wire_is_ciphertext(door, monkeypatch, asked):
    worker, token, _ = door
    import http.client

    seen = []
    read = http.client.HTTPResponse.read
    monkeypatch.setattr(http.client.HTTPResponse, "read", lambda self, *a: seen.append(read(self, *a)) or seen[-1])
    ask(worker.settings, "view", asked, token=token)
    assert b"CANARY" not in seen[0]


@pytest.mark.parametrize("token", ["", "guess", "x" * 43])
def test_nobody_proven_sees_nothing(door, token, asked):
    worker, *_ = door
    with pytest.raises(AuthenticationError):
        ask(worker.settings, "view", asked, token=token)
    assert entries(worker, "rawdoor:view:show", f"intake:{asked['intake']}") == []


def test_a_refusal_reaches_the_person_and_the_ledger(door, asked):
    worker, token, _ = door
    before = len(entries(worker, "rawdoor:view:refuse", "rawdoor:deny"))
    with pytest.raises(DeniedError, match="提供部门"):
        ask(worker.settings, "deny", asked, token=token)
    assert len(entries(worker, "rawdoor:view:refuse", "rawdoor:deny")) == before + 1


def test_an_answer_whose_entry_cannot_be_written_is_not_given(door, asked):
    worker, token, _ = door
    with pytest.raises(OpenDataError):
        ask(worker.settings, "unrecordable", asked, token=token)
    assert entries(worker, "rawdoor:view:show", f"intake:{asked['intake']}") == []


def test_a_crashing_handler_says_no_value(door, asked):
    worker, token, _ = door
    with pytest.raises(OpenDataError) as caught:
        ask(worker.settings, "crash", asked, token=token)
    assert "CANARY" not in str(caught.value)
    assert nothing_on_disk(worker)


def test_malformed_and_oversized_requests_are_refused(door, asked):
    worker, token, _ = door
    with pytest.raises(InvalidInputError):
        ask(worker.settings, "view", {"big": "x" * 1_100_000}, token=token)


def test_the_socket_is_private_for_one_user(door, asked):
    worker, *_ = door
    assert stat.S_IMODE(worker.settings.rawdoor_socket.stat().st_mode) == 0o600


def test_checkpoints_are_signed_when_the_tree_grew_and_verify(door, tmp_path, asked):
    worker, token, _ = door
    ask(worker.settings, "view", asked, token=token)
    note = worker.settings.ledger_dir / "checkpoint"
    with worker.database.session() as session:
        grown = size(session)
    worker.until(lambda: note.exists() and int(note.read_text().split("\n")[1]) >= grown, "a checkpoint of all entries")
    with worker.database.session() as session:
        path = export(session, tmp_path / "export")
    verified = verify_export(path, worker.settings.keys_dir / "public" / "checkpoint.pub", note.read_text())
    assert verified.entries >= verified.earlier >= grown


def test_stopping_is_quick_and_starting_again_works(worker, asked):
    token, _ = officer(worker)
    worker.start()
    worker.until(lambda: ready(worker), "the raw door")
    worker.stop()
    assert worker.process.returncode == 0
    with pytest.raises(OpenDataError, match="没有应答"):
        ask(worker.settings, "view", asked, token=token)
    worker.start()
    worker.until(lambda: ready(worker), "the raw door")
    assert ask(worker.settings, "view", asked, token=token)["for"].startswith("officer")


def test_a_door_without_a_worker_says_so(worker, asked):
    with pytest.raises(OpenDataError, match="没有应答"):
        ask(worker.settings, "view", asked, token="x")


def test_stale_uploads_are_removed_and_young_ones_stay(worker):
    import os

    from opendata.worker.housekeeping import remove_stale_uploads

    old, young = worker.settings.incoming_dir / "a.1.part", worker.settings.incoming_dir / "b.2.part"
    for path in (old, young):
        path.write_bytes(b"x")
    os.utime(old, (1, 1))
    assert remove_stale_uploads(worker.settings) == 1
    assert young.exists()
