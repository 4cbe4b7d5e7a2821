"""The risk–utility curve: figures that are those of the table, plans that give it, nothing else left behind."""

import pytest
from sqlalchemy import select

import masking
from masking.policy import load
from masking.taxonomy import OpeningClass
from opendata.catalog.models import Dataset
from opendata.errors import JobCancelled
from opendata.jobs import Job
from opendata.ledger.models import LedgerEntry, LedgerOpening
from opendata.publishing import charting, curves
from opendata.publishing import service as publishing
from opendata.publishing.errors import InvalidSubmission, PublicationRefused, PublishingDenied, WrongState
from opendata.publishing.models import Intake, PolicyVersion, RiskCurve
from tests.publishing.chain import AGGREGATE, Context, Killed, survey_csv, survey_policy

POLICY = survey_policy(width=2).replace("suppression: 0.2", "suppression: 0.02")


class Survey:
    """An intake of the survey with a draft, and what officers do to its curve."""

    def __init__(self, chain, rows=400, policy=POLICY):
        self.chain = chain
        self.dataset = chain.dataset("survey")
        self.content = survey_csv(rows)
        self.intake = chain.upload(self.dataset, "survey.csv", self.content)
        if policy:
            chain.policy(self.dataset, policy)

    def start(self, who="officer"):
        with self.chain.database.begin() as session:
            return curves.start(session, session.get_one(Intake, self.intake), actor=self.chain.people[who])[1].id

    def compute(self):
        self.chain.run(self.start())
        return self.curve

    @property
    def curve(self):
        with self.chain.database.session() as session:
            return session.scalar(select(RiskCurve).where(RiskCurve.intake_id == self.intake))

    def pick(self, number, who="officer"):
        with self.chain.database.begin() as session:
            intake = session.get_one(Intake, self.intake)
            return curves.pick(session, intake, number, actor=self.chain.people[who]).id

    def draft(self):
        with self.chain.database.session() as session:
            return publishing.latest_policy(session, session.get_one(Dataset, self.dataset))


@pytest.fixture
def survey(chain):
    return Survey(chain)


def test_a_curve_has_points_of_both_kinds_and_measures_of_the_raw_table(survey):
    curve = survey.compute()
    assert curve.state == "ready"
    kinds = [(point["recoding"], point["k"]) for point in curve.points]
    assert set(kinds) <= {(kind, k) for kind in ("local", "global") for k in charting.LEAST_SIZES}
    assert len(set(kinds)) == len(kinds) >= 8  # of twelve tried, those that no other of their kind beats
    assert [point["number"] for point in curve.points] == list(range(1, len(kinds) + 1))
    for point in curve.points:
        assert 0 < point["max_risk"] <= 1 / point["k"] + 1e-6
        assert 0 <= point["granularity"] <= 1
    rows = [line.split(",") for line in survey.content.decode("gb18030").splitlines()[1:]]
    classes = {}
    for _, _, age, sex, _ in rows:
        classes[age, sex] = classes.get((age, sex), 0) + 1  # each person has one record
    sizes = list(classes.values())
    assert curve.measures == {
        "persons": 400,
        "classes": len(sizes),
        "k": min(sizes),
        "unique": sizes.count(1),
        "max_risk": round(1 / min(sizes), 6),
        "average_risk": round(len(sizes) / 400, 6),
    }


def test_a_plan_gives_the_table_whose_figures_were_shown(survey):
    curve = survey.compute()
    for kind, place in (("local", 0), ("local", 2), ("global", 0), ("global", -1)):
        check_plan(survey, curve, [each for each in curve.points if each["recoding"] == kind][place])


def check_plan(survey, curve, point):
    policy = load(curves.plan(curve, point["number"]))
    assert (policy.limits.k_anonymity, policy.recoding) == (point["k"], point["recoding"])
    masked = masking.apply(policy, frame(survey.content), keys={})
    report = masked.report
    assert round(report.after.prosecutor_max, 6) == point["max_risk"]
    assert round(report.recoding.granularity, 6) == point["granularity"]
    left = (report.recoding.suppressed_records + report.recoding.left_records) / 400
    assert round(left, 6) == point["suppressed"]
    assert report.after.classes == point["classes"]


def frame(content):
    """The survey as an officer's own computer would read it: no code of the service."""
    import polars as pl

    return pl.read_csv(content.decode("gb18030").encode(), schema_overrides={"person": pl.String, "phone": pl.String})


def test_a_picked_plan_becomes_the_next_draft_and_the_one_before_stays(survey):
    last = survey.compute().points[-1]["number"]
    first = survey.draft()
    survey.pick(last)
    second = survey.draft()
    assert (first.number, second.number) == (1, 2)
    assert second.yaml == curves.plan(survey.curve, last)
    assert survey.chain.get(PolicyVersion, first.id).yaml == POLICY
    assert curves.picked(survey.curve, second.yaml) == last
    survey.pick(3)  # another plan of the same curve needs no new curve
    assert survey.draft().number == 3
    edition = survey.chain.build(survey.intake, survey.draft().id, OpeningClass.CONDITIONAL)
    built = survey.chain.edition(edition)
    assert (built.state, built.internal_report["recoding"]["kind"]) == ("draft", "local")
    assert round(built.internal_report["recoding"]["granularity"], 6) == survey.curve.points[2]["granularity"]


def test_a_draft_that_was_changed_by_hand_needs_a_new_curve(survey):
    survey.compute()
    survey.chain.policy(survey.dataset, POLICY + "# by hand\n")
    assert not curves.is_current(survey.curve, survey.draft().yaml)
    with pytest.raises(WrongState):
        survey.pick(3)
    assert survey.draft().number == 2
    survey.compute()
    survey.pick(3)


def test_a_plan_that_is_not_there_is_refused(survey):
    survey.compute()
    for number in (0, 99, -1):
        with pytest.raises(InvalidSubmission):
            survey.pick(number)


def test_without_a_saved_draft_the_proposal_is_the_draft(chain):
    survey = Survey(chain, policy="")
    with chain.database.session() as session:
        proposal = session.get_one(Intake, survey.intake).proposal_yaml
    try:
        assert survey.compute().policy_yaml == proposal
    except PublicationRefused as error:
        assert "汇总表" in error.reason["zh"]  # noqa: PT017 (a table at L4 is proposed as an aggregate)


def test_only_officers_of_the_department_ask_or_pick(survey):
    for who in ("other_officer", "reviewer", "firm"):
        with pytest.raises(PublishingDenied):
            survey.start(who)
    survey.compute()
    for who in ("other_officer", "reviewer", "firm"):
        with pytest.raises(PublishingDenied):
            survey.pick(3, who)
    assert survey.draft().number == 1


def test_asking_twice_computes_once_and_each_asking_is_in_the_ledger(survey):
    job = survey.start()
    assert survey.start() == job
    assert survey.chain.count(Job, kind="curve") == 1
    assert survey.chain.count(LedgerEntry, type=curves.EVENT) == 1
    survey.chain.run(job)
    assert survey.start() != job
    assert survey.chain.count(LedgerEntry, type=curves.EVENT) == 2


@pytest.mark.integration  # each runs the chain twice
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["prepare", "search", "finish"])
def test_a_killed_worker_goes_on_and_doubles_nothing(chain, step, when):
    survey = Survey(chain, rows=60)
    job = survey.start()
    with pytest.raises(Killed):
        chain.run(job, kill=(step, when))
    chain.run(job)
    curve = survey.curve
    assert (curve.state, curve.error) == ("ready", "")
    assert [point["number"] for point in curve.points] == list(range(1, len(curve.points) + 1))
    assert len({(point["recoding"], point["k"]) for point in curve.points}) == len(curve.points) > 4
    assert chain.count(RiskCurve) == 1
    assert chain.count(LedgerEntry, type=curves.EVENT) == 1


def test_limits_that_nothing_reaches_are_said(chain):
    survey = Survey(chain, rows=60, policy=POLICY.replace("suppression: 0.02", "distinct_l_diversity: 999"))
    job = survey.start()
    with pytest.raises(Exception, match="没有方案"):
        chain.run(job)
    curve = survey.curve
    assert curve.state == "failed"
    assert curve.points == []
    assert curve.error.startswith("没有方案")


def test_a_draft_without_a_curve_is_refused_before_a_row_is_read(chain):
    survey = Survey(chain, rows=60, policy=AGGREGATE)
    with pytest.raises(PublicationRefused):
        survey.start()
    assert chain.count(Job, kind="curve") == 0
    assert survey.curve is None


def test_a_cancelled_job_leaves_the_reason_and_can_be_asked_again(survey, monkeypatch):
    job = survey.start()
    asked = []

    def progress(context, step, fraction, message=""):
        if asked or (step == "search" and fraction > charting.READ):
            asked.append(step)  # as the runner: from now on nothing goes on
            raise JobCancelled

    def step(context, name, function, *arguments, _step=Context.step):
        context.progress(name, 0.0)
        return _step(context, name, function, *arguments)

    monkeypatch.setattr(Context, "progress", progress)
    monkeypatch.setattr(Context, "step", step)
    with pytest.raises(JobCancelled):
        survey.chain.run(job)
    assert survey.curve.state == "failed"
    assert "取消" in survey.curve.error
    monkeypatch.undo()
    assert survey.compute().state == "ready"


def test_erasing_the_intake_takes_the_curve_with_it_while_a_job_waits_too(survey):
    survey.compute()
    job = survey.start()
    with survey.chain.database.begin() as session:
        publishing.erase_intake(session, session.get_one(Intake, survey.intake), actor=survey.chain.people["officer"])
    assert survey.curve is None
    survey.chain.run(job)  # ends quietly
    assert survey.curve is None
    with pytest.raises(WrongState):
        survey.start()


def test_no_value_of_the_table_stands_in_curve_job_or_ledger(survey):
    curve = survey.compute()
    survey.pick(3)
    lines = [line.split(",") for line in survey.content.decode("gb18030").splitlines()[1:]]
    canaries = {cell for line in lines for cell in (line[0], line[1])}
    for path in survey.chain.settings.home.rglob("*"):
        if path.is_file():
            stored = path.read_bytes()
            assert not [canary for canary in canaries if canary.encode() in stored], path.name
    with survey.chain.database.session() as session:
        jobs = [(job.arguments, job.step, job.message, job.error) for job in session.scalars(select(Job))]
        said = [opening.payload for opening in session.scalars(select(LedgerOpening))]
    kept = repr((jobs, said, curve.points, curve.measures, curve.attributes, curve.error))
    assert not [sex for sex in "男女" if sex in kept]
    assert set(curve.points[0]) == {
        "number",
        "recoding",
        "k",
        "suppression",
        "levels",
        "granularity",
        "loss",
        "suppressed",
        "classes",
        "max_risk",
        "average_risk",
    }
