"""Forms of workspaces: every mistake at its field, what was typed is kept, no address ends on a dead page."""

from __future__ import annotations

import re
from importlib import import_module
from pkgutil import iter_modules

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from sandbox import web
from sandbox.airlock import dry
from sandbox.contracts import CHECK_BYTES
from sandbox.workspaces.models import SandboxJob, Workspace
from sandbox.workspaces.pledge import current_pledge
from tests.sandbox.sandbox_world import World, code
from tests.sandbox.web.test_api import app, open_door  # noqa: F401
from tests.sandbox.web.test_pages import speak


def summary(page: str) -> dict[str, str]:
    """What the error summary says, by the field it links to."""
    found = re.search(r"govuk-error-summary__list.*?</ul>", page, re.DOTALL)
    return dict(re.findall(r'<a href="#([^"]+)">(.*?)</a>', found.group() if found else ""))


def check_marked(page: str, *fields: str) -> None:
    """The summary names exactly these fields; each is there, and its message stands beside it."""
    assert set(summary(page)) == set(fields)
    for field in fields:
        assert f'id="{field}"' in page, field
        assert f'id="{field}-error"' in page, field


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_an_application_reports_all_its_mistakes_and_keeps_what_was_typed(app, world: World, open_door, lang):  # noqa: F811
    world.dataset("visits", "L1")
    client = speak(app, world, "researcher", lang)
    typed = {"name": "Bad Name", "title": "", "purpose": "短", "term_days": "abc", "pledge_version": "x"}
    page = client.post("/workspaces/new", data=typed | {"pledge_name": "somebody"})
    assert page.status_code == 422
    check_marked(page.text, "name", "title", "purpose", "term_days", "datasets", "pledge_name")
    assert 'value="Bad Name"' in page.text
    assert ">短</textarea>" in page.text
    good = {
        "name": "study-1",
        "title": "研究",
        "purpose": "研究就诊次数与年龄的关系",
        "term_days": "90",
        "datasets": "visits",
    }
    signed = {"pledge_version": str(current_pledge().version), "pledge_name": "researcher"}
    page = client.post("/workspaces/new", data=good | signed | {"purpose": "长" * 60_000})
    check_marked(page.text, "purpose")
    body = good | {
        "datasets": ["visits"],
        "term_days": 90,
        "purpose": "长" * 4001,
        "pledge": {"version": 1, "name": "x"},
    }
    refused = client.post("/api/v1/workspaces", json=body)
    assert (refused.status_code, "4000" in refused.json()["detail"]) == (422, True)
    assert client.post("/workspaces/new", data=good | signed, follow_redirects=False).status_code == 303
    check_marked(client.post("/workspaces/new", data=good | signed).text, "name")  # it is taken now


def test_an_extension_is_refused_where_it_was_typed(app, world: World, open_door):  # noqa: F811
    world.workspace("L1")
    client = speak(app, world, "researcher", "zh")
    page = client.post("/workspaces/study/extend", data={"days": "-5", "extension_reason": "继续 <b>研究</b>"}).text
    check_marked(page, "days")
    assert summary(page)["days"] == "延期须为 1–366 天"
    assert 'value="-5"' in page
    assert "继续 &lt;b&gt;研究" in page
    assert re.search(r'<details class="govuk-details" open><summary[^>]*><span[^>]*>申请延期', page)
    page = client.post("/workspaces/study/extend", data={"days": "1e3", "extension_reason": ""}).text
    check_marked(page, "days", "extension_reason")


def test_a_refused_upload_shows_the_page_and_why(app, world: World, open_door):  # noqa: F811
    identifier = world.workspace("L1")
    client, security = speak(app, world, "researcher", "zh"), speak(app, world, "security", "zh")
    for name, content, told in (
        ("a.sh", b"x", "只接受 .ipynb 或 .py 文件"),
        ("分析（终）.py", b"x", "文件名只能用"),
        ("a" * 98 + ".py", b"x", "最多 100 个字符"),
        ("a.py", b"", "文件是空的"),
        ("a.py", b"x" * 2_000_001, "上限是 2,000,000 字节"),
    ):
        page = client.post("/workspaces/study/jobs", files={"file": (name, content)})
        assert page.status_code == 422
        check_marked(page.text, "file")
        assert told in summary(page.text)["file"], name
    check_marked(client.post("/workspaces/study/jobs").text, "file")  # none was chosen
    with world.database.session() as session:
        assert session.get_one(Workspace, identifier).bits_spent == 0
    made = client.post("/workspaces/study/jobs", files={"file": ("示例 example.py", code({}))}, follow_redirects=False)
    assert made.status_code == 303
    assert "示例 example.py" in client.get(made.headers["location"]).text
    security.post("/workspaces/study/suspend", data={"suspend_reason": "核查一次异常登录"})
    page = client.post("/workspaces/study/jobs", files={"file": ("a.py", b"x")})
    assert page.status_code == 422
    assert summary(page.text) == {"jobs": "沙箱已被安全保密管理员暂停"}


def test_every_address_of_a_form_can_be_loaded() -> None:
    """A person reloads, goes back or changes the language where a form stood."""
    modules = [import_module(f"sandbox.web.{each.name}") for each in iter_modules(web.__path__)]
    routes = [
        route
        for each in modules
        if isinstance(getattr(each, "router", None), APIRouter)
        for route in each.router.routes
    ]
    pages = [each for each in routes if isinstance(each, APIRoute) and not each.path.startswith("/api/")]
    forms = [each.path for each in pages if "POST" in each.methods]
    assert len(forms) > 15
    loaded = [each.path_regex for each in pages if "GET" in each.methods]
    assert [path for path in forms if not any(each.match(path) for each in loaded)] == []


def test_no_address_of_a_form_is_a_dead_page(app, world: World, open_door):  # noqa: F811
    world.workspace("L1")
    client = speak(app, world, "researcher")
    job = world.submit(world.workspace("L2", name="other"), code({}))
    acts = (
        "members",
        "extend",
        "remove-member",
        "change-role",
        "decide",
        "suspend",
        "lift",
        "close",
        "withdraw",
        "pledge",
    )
    for act in (*acts, "withdraw-extension", "jobs", "outputs"):
        page = client.get(f"/workspaces/study/{act}")
        assert (page.status_code, page.url.path) == (200, "/workspaces/study"), act
    for act in ("cancel", "rerun"):
        page = client.get(f"/workspaces/other/jobs/{job}/{act}")
        assert (page.status_code, page.url.path) == (200, f"/workspaces/other/jobs/{job}"), act
    assert world.job(job).state == "code_review"  # looking does nothing
    for path, page in (
        ("/workspaces/study/imports/7/declare", "/workspaces/study/imports/7"),
        ("/imports/7/decide", "/imports/7"),
    ):
        assert client.get(path, follow_redirects=False).headers["location"] == page
    assert client.get("/workspaces/study/nothing").status_code == 404


def test_a_cancellation_that_comes_too_late_shows_the_job_and_tells_nothing_more(app, world: World, open_door):  # noqa: F811
    """Begun, ended, or the workspace at rest: the same words, so that they tell of no moment between ticks."""
    identifier = world.workspace("L1")
    client = speak(app, world, "researcher", "zh")
    job = world.submit(identifier, code({"t.csv": "sex,n\n女,1500\n"}))
    told = []
    for state in ("sealed_running", "finished"):
        with world.database.begin() as session:
            session.get_one(SandboxJob, job).state = state
        page = client.post(f"/workspaces/study/jobs/{job}/cancel")
        assert page.status_code == 409
        assert page.text.count("现在不能取消") == 1
        told.append(re.findall(r'<div class="notice notice--warning"[^>]*>.*?</div>', page.text))
    assert told[0] == told[1]


def test_removing_a_member_is_confirmed_and_told(app, world: World, open_door):  # noqa: F811
    identifier = world.workspace("L1")
    world.join(identifier, "colleague")
    client = speak(app, world, "researcher", "zh")
    page = client.get("/workspaces/study").text
    form = re.search(r"<details[^>]*>(?:(?!</details>).)*remove-member.*?</details>", page, re.DOTALL)
    assert form is not None
    assert "等待中的作业立即终止" in form.group()
    page = client.post("/workspaces/study/remove-member", data={"username": "colleague"})
    assert "已移除成员" in page.text
    assert "colleague" not in page.text.partition('id="members"')[2]


def test_bits_are_told_before_and_after_a_job(app, world: World, open_door):  # noqa: F811
    """Before: what one costs and how many are left; on the job: what was debited. A failed dry run costs nothing."""
    identifier = world.workspace("L2", name="study")
    client = speak(app, world, "researcher", "zh")
    bits = client.get("/api/v1/workspaces/study/budget").json()["bits"]
    assert bits["jobs"] == bits["budget"] // bits["per_job"]
    assert f"还剩 {bits['budget']} 比特，够 {bits['jobs']} 个" in client.get("/workspaces/study").text
    failed = world.submit(identifier, code({}, dry_state="failed"))
    waiting = world.submit(identifier, code({"t.csv": "x"}))
    assert "没有扣除状态信息额度" in client.get(f"/workspaces/study/jobs/{failed}").text
    assert "状态信息额度：3 比特" in client.get(f"/workspaces/study/jobs/{waiting}").text
    assert f"还剩 {bits['budget'] - 3} 比特" in client.get("/workspaces/study").text
    with world.database.begin() as session:
        session.get_one(Workspace, identifier).bits_spent = bits["budget"]
    page = client.get("/workspaces/study").text
    assert "状态信息额度已用完" in page
    assert 'id="file"' not in page


def test_how_a_dry_run_ended_is_told_in_words_and_not_beside_that_all_is_well(app, world: World, open_door):  # noqa: F811
    identifier = world.workspace("L1")
    client = speak(app, world, "researcher", "zh")
    job = world.submit(identifier, code({}, dry_state="failed"))
    page = client.get(f"/workspaces/study/jobs/{job}").text
    assert "程序出错，没有运行到底" in page
    with world.database.begin() as session:
        row = session.get_one(SandboxJob, job)
        row.state, row.dry_findings = "dry_running", None
        dry.stop(row, "后台任务中断 · it was interrupted")
    page = client.get(f"/workspaces/study/jobs/{job}").text
    assert "后台任务中断" in page
    assert "自动检查没有发现问题" not in page
    assert "it was interrupted" in speak(app, world, "researcher").get(f"/workspaces/study/jobs/{job}").text


def test_one_limit_for_what_is_checked(app, world: World, open_door):  # noqa: F811
    world.workspace("L1")
    client = speak(app, world, "researcher", "zh")
    answer = client.post("/api/v1/workspaces/study/check", params={"path": "t.csv"}, content=b"x" * (CHECK_BYTES + 1))
    assert answer.status_code == 422
    assert "上限是 4,194,304 字节" in answer.json()["detail"]


def test_two_workspaces_of_one_title_are_told_apart(app, world: World, open_door):  # noqa: F811
    for name in ("first", "second"):
        world.workspace("L1", name=name)
    for who in ("security", "researcher"):
        page = speak(app, world, who).get("/workspaces").text
        assert "<code>first</code>" in page
        assert "<code>second</code>" in page
    assert "、" not in re.sub(r"<[^>]+>", "", speak(app, world, "security").get("/workspaces").text)
