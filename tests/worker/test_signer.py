"""A rewritten history is not signed, and readiness and doctor say so."""

from datetime import timedelta

import pytest
from sqlalchemy import delete
from starlette.testclient import TestClient

from opendata.app import PART, create_app
from opendata.db import utc_now
from opendata.errors import LedgerError
from opendata.ledger.events import AuditEvent, EventType
from opendata.ledger.models import LedgerCheckpoint, LedgerEntry, LedgerNode
from opendata.ledger.service import append, check_head
from opendata.web.doctor import findings
from opendata.worker.signer import CheckpointSigner
from tests.publishing.chain import start


@pytest.fixture
def chain(tmp_path):
    made = start(tmp_path / "home")
    CheckpointSigner(made.resources).sign_once()
    yield made
    made.database.dispose()


def ready(chain):
    with TestClient(create_app(chain.settings, [PART])) as client:
        return client.get("/readyz")


def doctor(chain):
    return next(each.state for each in findings(chain.settings) if each.name["en"] == "ledger")


def grow(chain):
    with chain.database.begin() as session:
        append(session, AuditEvent(EventType.USER_ROLES, None, "user:1", utc_now(), {}))


def rewrite(chain):
    with chain.database.begin() as session:
        for node in session.query(LedgerNode):
            node.hash = bytes(32)


def test_an_honest_history_is_ready(chain):
    grow(chain)
    assert CheckpointSigner(chain.resources).sign_once()
    assert ready(chain).json() == {"ready": True}
    assert doctor(chain) == "enforced"


def test_a_rewritten_history_is_neither_signed_nor_ready(chain):
    rewrite(chain)
    grow(chain)
    with pytest.raises(LedgerError):
        CheckpointSigner(chain.resources).sign_once()
    answer = ready(chain)
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert "rewritten" in answer.json()["ledger"]
    assert doctor(chain) == "off"


def test_dropping_the_signed_heads_too_does_not_get_a_rewrite_signed(chain):
    rewrite(chain)
    with chain.database.begin() as session:
        session.execute(delete(LedgerCheckpoint))
    grow(chain)
    with pytest.raises(LedgerError, match="rewritten"):
        CheckpointSigner(chain.resources).sign_once()


def test_growth_that_stays_unsigned_is_said(chain):
    grow(chain)
    with chain.database.session() as session:
        check_head(session, now=utc_now())
        last = session.query(LedgerEntry).order_by(LedgerEntry.index.desc()).first()
        with pytest.raises(LedgerError, match="signed"):
            check_head(session, now=last.at + timedelta(minutes=6))
