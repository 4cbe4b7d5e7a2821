"""What nobody needs any more goes; what a row refers to stays."""

import os
from datetime import timedelta

from opendata.db import new_id, utc_now
from opendata.identity import ApiToken, User
from opendata.identity.service import issue_token
from opendata.jobs import enqueue
from opendata.storage.vault import SealedWriter
from opendata.worker import housekeeping
from tests.publishing.chain import start


def sealed(chain, *, age_s, kind=None):
    """A sealed upload of this age, with or without a job row that names it."""
    intake = new_id()
    with SealedWriter(chain.settings, intake) as writer:
        writer.write(b"a,b\n1,2\n")
    path = chain.settings.incoming_dir / f"{intake}.sealed"
    then = path.stat().st_mtime - age_s
    os.utime(path, (then, then))
    if kind is not None:
        with chain.database.begin() as session:
            enqueue(session, kind, {f"{kind}_id": intake}, actor_id=None)
    return path


def test_uploads_without_a_row_go_after_a_day_and_expired_secrets_with_them(tmp_path):
    chain = start(tmp_path / "home")
    day = 25 * 3600
    orphan, young = sealed(chain, age_s=day), sealed(chain, age_s=3600)
    taken = [sealed(chain, age_s=day, kind=kind) for kind in ("intake", "job", "check")]
    with chain.database.begin() as session:
        user = session.query(User).first().id
        for days in (3, 0):
            issue_token(session, user, name="t", now=utc_now() - timedelta(days=days))
    housekeeping.once(chain.resources)
    assert not orphan.exists()
    assert all(path.exists() for path in (young, *taken))
    assert chain.count(ApiToken) == 1
    chain.database.dispose()
