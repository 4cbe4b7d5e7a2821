"""The risk–utility curve as pages: each state in both languages, one plan picked, nothing for other departments."""

import re
import uuid

import pytest

from opendata.catalog.models import Dataset
from opendata.db import new_id, utc_now
from opendata.identity import Actor, Role
from opendata.jobs import Job, enqueue
from opendata.publishing import curves
from opendata.publishing import service as publishing
from opendata.publishing.jobs import CANCELLED
from opendata.publishing.models import Intake, IntakeState, PolicyVersion, RiskCurve
from opendata.web.security import CSRF_FIELD
from tests.publishing.chain import AGGREGATE, survey_policy

SCHEMA = [{"name": name, "type": kind} for name, kind in zip(
    ("person", "phone", "age", "sex", "score"), ("string", "string", "integer", "string", "integer"), strict=True
)]  # fmt: skip
PROFILE = [
    {"name": each["name"], "type": each["type"], "count": 400, "nulls": 0, "distinct": 60, "top_share": 0.02}
    for each in SCHEMA
]
ATTRIBUTES = [
    {"name": "age", "replaced": "generalization.bands", "parameters": {"intervals": [20, 40, 80], "lowest": 1}},
    {"name": "sex", "replaced": "keep", "parameters": {}},
]
MEASURES = {"persons": 400, "classes": 120, "k": 1, "unique": 21, "max_risk": 1.0, "average_risk": 0.3}


def point(number, recoding, k, granularity, suppressed=0.0):
    return {
        "number": number,
        "recoding": recoding,
        "k": k,
        "suppression": 0.2,
        "levels": {"age": 2, "sex": 0} if recoding == "global" else {},
        "granularity": granularity,
        "suppressed": suppressed,
        "classes": 8,
        "max_risk": round(1 / k, 6),
        "average_risk": 0.02,
    }


POINTS = [point(1, "local", 5, 0.81), point(2, "local", 20, 0.7), point(3, "global", 5, 0.62, 0.031)]


class Desk:
    """One dataset of the transport office, its intake, and an officer's browser."""

    def __init__(self, portal):
        self.portal = portal
        self.name = f"desk-{new_id()[:8]}"
        portal.dataset(self.name, opening=None)
        self.intake = new_id()
        with portal.database.begin() as session:
            dataset = self.dataset(session)
            session.add(
                Intake(
                    id=self.intake,
                    dataset_id=dataset.id,
                    organization_id=dataset.organization_id,
                    filename="t.csv",
                    format="csv",
                    state=IntakeState.READY,
                    rows=400,
                    schema=SCHEMA,
                    profile=PROFILE,
                    findings=[],
                    created_by=portal.users["officer"],
                    created_at=utc_now(),
                )
            )
            self.organization = dataset.organization_id
        self.path = f"/console/intakes/{self.intake}/curve"
        self.client = portal.client("officer")

    def dataset(self, session):
        return session.query(Dataset).filter_by(name=self.name).one()

    @property
    def officer(self):
        return Actor(
            id=self.portal.users["officer"],
            username="officer",
            name="officer",
            organization_id=self.organization,
            organization_name="",
            roles=frozenset({Role.DATA_OFFICER}),
        )

    def draft(self, yaml):
        with self.portal.database.begin() as session:
            publishing.save_policy(session, self.dataset(session), yaml=yaml, actor=self.officer)

    def curve(self, **fields):
        """A curve as a job leaves it."""
        with self.portal.database.begin() as session:
            job = enqueue(session, curves.JOB, {}, actor_id=self.portal.users["officer"])
            job.state = fields.pop("job", "done")
            given = {"policy_yaml": survey_policy(), "state": "ready", "attributes": ATTRIBUTES, "points": POINTS}
            session.add(
                RiskCurve(
                    intake_id=self.intake,
                    measures=MEASURES,
                    created_by=self.portal.users["officer"],
                    created_at=utc_now(),
                    job_id=job.id,
                    **given | fields,
                )
            )

    def get(self, language="zh", **headers):
        return self.client.get(self.path, headers={"Accept-Language": language, **headers})

    def post(self, path="", language="zh", client=None, **fields):
        client = client or self.client
        data = {CSRF_FIELD: client.csrf, **fields}
        return client.post(self.path + path, data=data, headers={"Accept-Language": language})

    def versions(self):
        with self.portal.database.session() as session:
            found = session.query(PolicyVersion).filter_by(dataset_id=self.dataset(session).id)
            return [version.yaml for version in found.order_by(PolicyVersion.number)]


@pytest.fixture
def desk(portal):
    made = Desk(portal)
    made.draft(survey_policy())
    return made


@pytest.mark.parametrize(("language", "button"), [("zh", "计算曲线"), ("en", "Compute the curve")])
def test_without_a_curve_there_is_a_button(desk, language, button):
    answer = desk.get(language)
    assert answer.status_code == 200
    assert button in answer.text
    assert "<svg" not in answer.text


@pytest.mark.parametrize(("language", "said"), [("zh", "正在计算"), ("en", "Computing")])
def test_asking_starts_a_job_and_the_page_shows_how_far_it_is(desk, language, said):
    answer = desk.post(language=language)
    assert (answer.status_code, answer.headers["location"]) == (303, desk.path)
    page = desk.get(language)
    assert said in page.text
    assert "<progress" in page.text
    assert f'hx-get="{desk.path}"' in page.text
    fragment = desk.get(language, **{"HX-Request": "true"})
    assert fragment.text.startswith('<div id="job"')
    assert "hx-refresh" not in fragment.headers
    with desk.portal.database.begin() as session:
        job = session.get(Job, session.query(RiskCurve).filter_by(intake_id=desk.intake).one().job_id)
        assert job.arguments.keys() == {"curve_id", "intake_id"}
        job.state = "done"
    assert desk.get(language, **{"HX-Request": "true"}).headers["hx-refresh"] == "true"


def test_asking_can_be_taken_back(desk):
    desk.post()
    assert desk.post("/cancel").status_code == 303
    with desk.portal.database.session() as session:
        job = session.get(Job, session.query(RiskCurve).filter_by(intake_id=desk.intake).one().job_id)
        assert job.cancel_requested or job.state == "cancelled"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "zh",
            (
                "● 局部",
                "■ 全局",
                "用这个方案",
                "用这个方案：● 局部，k=20",
                "完全公开 ≤ 0.05",
                "受控公开 ≤ 0.2",
                "可单独识别",
                "21 人",
            ),
        ),
        (
            "en",
            (
                "● local",
                "■ global",
                "Use this plan",
                "Use this plan: ● local, k=20",
                "full public ≤ 0.05",
                "controlled ≤ 0.2",
                "Can be singled out",
            ),
        ),
    ],
)
def test_a_finished_curve_is_a_drawing_and_a_table_of_the_same_plans(desk, language, words):
    desk.curve()
    text = desk.get(language).text
    assert not [each for each in words if each not in text]
    drawing = re.search(r"<svg.*?</svg>", text, re.DOTALL)[0]
    assert "style=" not in drawing  # the portal's pages allow no style of their own
    assert drawing.count("<circle") == 2
    assert len(re.findall(r'<input type="hidden" name="number"', text)) == len(POINTS)
    rows = re.findall(r"<tr class=\"govuk-table__row\">(.*?)</tr>", text.split('id="plans"')[1], re.DOTALL)[1:]
    assert [re.sub(r"<[^>]+>", " ", row).split()[2] for row in rows] == ["k=5", "k=20", "k=5"]
    assert ["≤ 0.2" in row for row in rows] == [True, False, True]
    assert ["≤ 0.05" in row for row in rows] == [False, True, False]
    assert "3.1%" in rows[2]


@pytest.mark.parametrize("number", [1, 3])
def test_a_plan_becomes_the_next_draft_and_is_said_in_the_form(desk, number):
    desk.curve()
    answer = desk.post("/plan", number=str(number))
    assert answer.status_code == 303
    before, after = desk.versions()
    assert before == survey_policy()
    assert "generalization.recoding" in after
    assert ("recoding: global" in after) == (number == 3)
    page = desk.client.get(answer.headers["location"]).text
    assert "已按所选方案写成第 2 版" in page
    assert "generalization.recoding" in page
    again = desk.get().text
    assert "当前策略" in again
    assert len(re.findall(r'<input type="hidden" name="number"', again)) == len(POINTS) - 1


@pytest.mark.parametrize(("language", "said"), [("zh", "改动过"), ("en", "was changed after this was computed")])
def test_a_changed_draft_shows_the_figures_as_old_and_picks_nothing(desk, language, said):
    desk.curve()
    desk.draft(survey_policy(k=7))
    page = desk.get(language).text
    assert said in page
    assert 'name="number"' not in page
    refused = desk.post("/plan", language, number="1")
    assert refused.status_code == 422
    assert len(desk.versions()) == 2


@pytest.mark.parametrize("number", ["0", "99"])
def test_a_plan_that_is_not_there_changes_nothing(desk, number):
    desk.curve()
    assert desk.post("/plan", number=number).status_code == 422
    assert desk.post("/plan", number="x").status_code == 422
    assert len(desk.versions()) == 1


@pytest.mark.parametrize(
    ("error", "language", "said"),
    [
        (curves.NOTHING_REACHED, "zh", "没有方案能达到"),
        (curves.NOTHING_REACHED, "en", "No plan meets the limits"),
        (CANCELLED, "en", "The job was cancelled."),
    ],
)
def test_a_curve_that_failed_says_why_and_can_be_asked_for_again(desk, error, language, said):
    desk.curve(state="failed", error=error["zh"], points=[])
    text = desk.get(language).text
    assert said in text
    assert f'action="{desk.path}"' in text
    assert desk.post().status_code == 303


@pytest.mark.parametrize(
    ("yaml", "language", "said"),
    [
        (AGGREGATE, "zh", "没有逐条记录可以泛化"),
        (AGGREGATE, "en", "there are no records to generalize"),
        (survey_policy().replace("quasi_identifier", "insensitive").replace("limits: {k_anonymity: 5, suppression: 0.2}", ""), "zh", "没有保留准标识符"),
        (survey_policy().replace("generalization.bands, width: 20, lower: 0, upper: 100", "generalization.bands, edges: [0, 9]"), "en", "No hierarchy can stand for the technique of age"),
    ],
)  # fmt: skip
def test_a_draft_without_a_curve_is_answered_with_the_reason(portal, yaml, language, said):
    desk = Desk(portal)
    desk.draft(yaml)
    answer = desk.post(language=language)
    assert answer.status_code == 422
    assert said in answer.text
    with portal.database.session() as session:
        assert session.query(RiskCurve).filter_by(intake_id=desk.intake).count() == 0


def test_an_intake_that_is_not_ready_offers_nothing(desk):
    with desk.portal.database.begin() as session:
        session.get(Intake, desk.intake).state = IntakeState.FAILED
    assert "还不能计算" in desk.get().text
    assert desk.post().status_code == 422


TOKEN = re.compile(r'value="[0-9a-f]{64}"')


@pytest.mark.parametrize("who", ["stranger", "grantee", "reviewer", "auditor", "sysadmin", None])
def test_nobody_else_learns_that_there_is_a_curve(desk, who):
    desk.curve()
    client = desk.portal.client(who)
    client.csrf = getattr(client, "csrf", "")
    for method, path in (("GET", ""), ("POST", ""), ("POST", "/cancel"), ("POST", "/plan")):
        said = []
        for intake in (desk.intake, str(uuid.UUID(int=0))):
            url = f"/console/intakes/{intake}/curve{path}"
            data = {CSRF_FIELD: client.csrf, "number": "1"} if method == "POST" else None
            answer = client.request(method, url, data=data)
            said.append((answer.status_code, TOKEN.sub("", answer.text.replace(intake, ""))))
        assert said[0] == said[1]
        assert said[0][0] in {303, 401, 403, 404}
    assert len(desk.versions()) == 1


def test_a_form_without_its_token_does_nothing(desk):
    desk.curve()
    assert desk.client.post(desk.path + "/plan", data={"number": "1"}).status_code == 403
    assert len(desk.versions()) == 1


def test_the_intake_page_shows_the_measures_and_the_way_to_the_curve(desk):
    page = f"/console/intakes/{desk.intake}"
    assert desk.path in desk.client.get(page).text
    desk.curve()
    text = desk.client.get(page).text
    assert "可单独识别" in text
    assert "21 人" in text
    assert desk.path in desk.client.get(f"/console/datasets/{desk.name}/policy").text
