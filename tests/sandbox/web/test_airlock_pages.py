"""A checker's pages and what comes after them: covered tables, whole tables, forms given back, revoking."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from sandbox.airlock import checking, covering
from sandbox.airlock import rawdoor as door
from sandbox.airlock.models import ReleasedOutput, Vote
from sandbox.web import airlock_api
from sandbox.workspaces import service as workspaces
from sandbox.workspaces.models import Workspace
from tests.sandbox.airlock.test_chain import drawn, request_of
from tests.sandbox.airlock.test_covering import NAMES, RAW_DUMP
from tests.sandbox.sandbox_world import GOOD, World, code
from tests.sandbox.web.test_api import app, open_door, speak  # noqa: F401 - fixtures
from tests.sandbox.web.test_pages import later, release

WHY = "与原始记录相符，不能放行"
KINDS = [f"{x}{y}" for x in "天地玄黄" for y in "金木水火土"]
MANY = "region,kind,n\n" + "".join(f"{a}{b},{c},500\n" for a in "甲乙丙丁戊" for b in "子丑寅卯辰巳" for c in KINDS)
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def worker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The raw door as the worker keeps it, asked by the person who speaks."""
    handlers = {"airlock-view": door.view, "airlock-reveal": door.reveal}

    def ask(_settings, path, question, *, token):
        return world.through_the_door(handlers[path], token, question)

    monkeypatch.setattr(airlock_api.rawdoor, "ask", ask)
    monkeypatch.setattr(checking, "code_text", lambda *_: "x = 1")  # the programs of this world hold what they write
    monkeypatch.setattr(airlock_api, "own_secret", lambda request: request.state.visitor.actor.username)


def case_of(world: World, program: bytes, level: str = "L1") -> tuple[str, str]:
    """A sealed run's request and its checker."""
    request = request_of(world, world.submit(world.workspace(level), program))
    return request.id, drawn(world, request.id)[0]


def dump() -> bytes:
    return code({"rows.csv": RAW_DUMP, "t.csv": GOOD}, {"rows.csv": "sex,n\n男,500\n", "t.csv": GOOD})


def found_in(text: str) -> list[str]:
    return [name for name in NAMES if name in text]


def test_no_raw_value_is_in_page_or_answer_until_twenty_rows_are_revealed(app, world: World, open_door):  # noqa: F811
    request, checker = case_of(world, dump())
    client = speak(app, world, checker)
    answer = client.post(f"/api/v1/airlock/{request}/view", json={"purpose": "出域审查"})
    page = client.post(f"/airlock/{request}/view", data={"purpose": "出域审查"})
    assert (answer.status_code, page.status_code, page.headers["cache-control"]) == (200, 200, "no-store")
    assert found_in(answer.text) == found_in(page.text) == []
    assert page.text.count(f'<td class="govuk-table__cell">{covering.COVER}</td>') == 4 * covering.ROWS
    [covered] = [file["name"] for file in answer.json()["files"] if file["covered"]]
    unsaid = client.post(f"/airlock/{request}/reveal", data={"file": covered, "purpose": "看"}, headers=HTMX)
    assert (found_in(unsaid.text), "2 to 200 characters" in unsaid.text, 'value="看"' in unsaid.text) == (
        [],
        True,
        True,
    )
    for headers in (HTMX, {}):
        shown = client.post(f"/airlock/{request}/reveal", data={"file": covered, "purpose": "核对"}, headers=headers)
        assert (shown.status_code, len(found_in(shown.text))) == (200, covering.ROWS)
    assert (
        len(found_in(client.post(f"/api/v1/airlock/{request}/reveal", json={"file": covered, "purpose": "核对"}).text))
        == 20
    )


def test_the_pages_can_fail(app, world: World, open_door, monkeypatch):  # noqa: F811
    """The control: uncovered, the same page holds the names of all records that were written."""
    request, checker = case_of(world, dump())
    monkeypatch.setattr(covering, "covers", lambda _: False)
    page = speak(app, world, checker).post(f"/airlock/{request}/view", data={"purpose": "出域审查"})
    assert found_in(page.text) == NAMES


def test_every_row_of_a_table_that_can_be_approved_is_on_the_page(app, world: World, open_door):  # noqa: F811
    request, checker = case_of(world, code({"t.csv": MANY}, {"t.csv": MANY}))
    page = speak(app, world, checker).post(f"/airlock/{request}/view", data={"purpose": "出域审查"}).text
    table = re.search(r'<div class="[^"]*tall[^"]*" tabindex="0".*?</div>', page, re.DOTALL)
    assert table is not None
    assert "All 600 rows are below" in page
    assert table[0].count("<tr") == 601
    assert "blocking" not in page


def test_a_vote_is_offered_after_a_look_and_a_refused_one_keeps_what_was_typed(app, world: World, open_door):  # noqa: F811
    request, checker = case_of(world, code({"t.csv": GOOD}))
    client = speak(app, world, checker)
    before = client.get(f"/airlock/{request}").text
    assert ("before you vote" in before, f'action="/airlock/{request}/vote"' in before) == (True, False)
    ballot = {"decision": "approve", "explanation": "计数足够大，已取整", "forward": "context"}
    unseen = client.post(f"/airlock/{request}/vote", data=ballot)
    assert (unseen.status_code, "ook at the content of this case before" in unseen.text) == (422, True)
    assert "计数足够大，已取整</textarea>" in unseen.text
    nothing = client.post(f"/airlock/{request}/view", data={"purpose": " "})
    assert (nothing.status_code, 'id="purpose-error"' in nothing.text) == (422, True)
    client.post(f"/airlock/{request}/view", data={"purpose": "出域审查"})
    assert f'action="/airlock/{request}/vote"' in client.get(f"/airlock/{request}").text
    for wrong, field in (
        ({"decision": ""}, "decision"), ({"decision": "perhaps"}, "decision"), ({"explanation": "好"}, "explanation"),
        ({"explanation": "长" * 4001}, "explanation"),
    ):  # fmt: skip
        sent = ballot | wrong
        for headers in ({}, HTMX):
            page = client.post(f"/airlock/{request}/vote", data=sent, headers=headers)
            assert page.status_code == (200 if headers else 422)
            assert f'id="{field}-error"' in page.text
            assert f"{sent['explanation']}</textarea>" in page.text
            assert '<option value="context" selected>' in page.text
            assert page.text.count("govuk-radios__input") == 3
            assert ("<html" in page.text) is not bool(headers)
    with world.database.session() as session:
        assert session.scalars(select(Vote)).all() == []
    taken = client.post(f"/airlock/{request}/vote", data=ballot, headers=HTMX)
    assert taken.headers["hx-redirect"] == f"/airlock/{request}"
    again = client.post(f"/airlock/{request}/vote", data=ballot)
    assert (again.status_code, "not being voted on" in again.text) == (422, True)


def test_a_release_is_revoked_from_the_page_with_reason_and_confirmation(app, world: World, open_door):  # noqa: F811
    security = speak(app, world, "security")
    assert "Nothing is released" in security.get("/airlock/outputs").text
    identifier = world.workspace("L1")
    job = world.submit(identifier, code({"t.csv": GOOD}))
    later(world, job)
    output = release(world)
    place = f"/airlock/outputs/{output}"
    assert place in security.get("/airlock/outputs").text
    page = security.get(place).text
    assert "1500" not in page, "whose, what and when; no content"
    reason = "数据提供部门要求撤回该产出"
    for sent, field in (
        ({"reason": reason}, "confirmed"), ({"reason": "短", "confirmed": "yes"}, "reason"), ({}, "reason"),
    ):  # fmt: skip
        refused = security.post(f"{place}/revoke", data=sent)
        assert (refused.status_code, f'id="{field}-error"' in refused.text) == (422, True)
        assert f"{sent.get('reason', '')}</textarea>" in refused.text
    for who in ("researcher", "outsider", "officer", "auditor", drawn(world, request_of(world, job).id)[0]):
        client = speak(app, world, who)
        assert client.get("/airlock/outputs").status_code == client.get(place).status_code == 403
        assert client.post(f"{place}/revoke", data={"reason": reason, "confirmed": "yes"}).status_code == 403
    with world.database.session() as session:
        assert session.get_one(ReleasedOutput, output).revoked_at is None
    researcher = speak(app, world, "researcher")
    assert "Revoke this release" not in researcher.get(f"/workspaces/study/outputs/{output}").text
    assert "/rerun" in researcher.get(f"/workspaces/study/jobs/{job}").text
    security.post(f"{place}/revoke", data={"reason": reason, "confirmed": "yes"})
    assert reason in researcher.get("/workspaces/study").text
    assert "/rerun" not in researcher.get(f"/workspaces/study/jobs/{job}").text
    assert researcher.post(f"/workspaces/study/jobs/{job}/rerun").status_code == 409
    again = security.post(f"{place}/revoke", data={"reason": reason, "confirmed": "yes"})
    assert (again.status_code, "cannot be undone" in again.text) == (422, True)
    assert "revoked on" in security.get("/airlock/outputs").text
    assert security.get("/api/v1/airlock/outputs").json()["outputs"][0]["reason"] == reason
    assert security.get("/airlock/outputs/none").status_code == 404


def test_a_rerun_is_offered_where_it_would_be_taken(app, world: World, open_door):  # noqa: F811
    identifier = world.workspace("L1")
    world.join(identifier, "colleague", role="reader")
    job = world.submit(identifier, code({"t.csv": GOOD}))
    path, offer = f"/workspaces/study/jobs/{job}", f'action="/workspaces/study/jobs/{job}/rerun"'
    later(world, job)
    researcher, reader = speak(app, world, "researcher"), speak(app, world, "colleague")
    assert (offer in researcher.get(path).text, offer in reader.get(path).text) == (True, False)
    with world.database.begin() as session:
        workspaces.suspend(
            session, session.get_one(Workspace, identifier), actor=world.actor("security"), reason="核查一次异常登录"
        )
    assert offer not in researcher.get(path).text
    assert researcher.post(f"{path}/rerun").status_code == 409
