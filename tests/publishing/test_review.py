"""Four eyes, checklists, levels, bad rows: what stops an edition before it is let out."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from masking.taxonomy import DataLevel, OpeningClass
from opendata.catalog.models import Dataset, Edition
from opendata.db import Base
from opendata.identity import Actor, Role, User
from opendata.ledger.models import LedgerEntry
from opendata.publishing import rules
from opendata.publishing import service as publishing
from opendata.publishing.errors import InvalidSubmission, PublicationRefused, PublishingDenied, WrongState
from opendata.publishing.models import Intake
from tests.publishing.chain import AGGREGATE, ANSWERS, OPINION, PLACES, id_number, places_csv, survey_csv


@pytest.fixture
def submitted(chain):
    dataset = chain.dataset("places")
    intake = chain.upload(dataset, "places.csv", places_csv(), officer="officer2")
    edition = chain.build(
        intake, chain.policy(dataset, PLACES, officer="officer"), OpeningClass.UNCONDITIONAL, officer="officer2"
    )
    chain.submit(edition, officer="officer2")
    return edition


def test_only_another_real_reviewer_approves(chain, submitted):
    os_user = Actor("root", "root", "root", "o", "o", frozenset(Role))
    for actor in (chain.people["officer2"], chain.people["officer"], chain.people["auditor"], os_user):
        with chain.database.begin() as session:
            edition = session.get_one(Edition, submitted)
            with pytest.raises(PublishingDenied):
                publishing.approve(session, edition, actor=actor, opinion=OPINION, grades=chain.grades)
    assert chain.edition(submitted).state == "in_review"
    assert chain.count(LedgerEntry, type="publishing:edition:approve") == 0


def test_a_reviewer_whose_role_was_taken_away_is_refused(chain, submitted):
    with chain.database.begin() as session:
        session.get_one(User, chain.people["reviewer"].id).roles = ["auditor"]
    with pytest.raises(PublishingDenied):
        chain.approve(submitted)


@pytest.mark.parametrize("own", ["policy", "intake"])
def test_own_work_stays_own_when_a_colleague_sends_it(chain, own):
    """officer2 may review too: wrote the policy that a colleague saved again, or brought the table in."""
    dataset = chain.dataset("places")
    if own == "policy":
        chain.policy(dataset, PLACES, officer="officer2")
    intake = chain.upload(dataset, "places.csv", places_csv(), officer="officer2" if own == "intake" else "officer")
    edition = chain.build(intake, chain.policy(dataset, PLACES), OpeningClass.UNCONDITIONAL)
    chain.submit(edition)
    with pytest.raises(PublishingDenied):
        chain.approve(edition, reviewer="officer2")


def test_an_opinion_is_needed_and_a_second_approval_is_not_possible(chain, submitted):
    with pytest.raises(InvalidSubmission):
        chain.approve(submitted, opinion="好")
    chain.approve(submitted)
    with pytest.raises(WrongState):
        chain.approve(submitted)


def test_queue_shows_what_this_reviewer_may_decide(chain, submitted):
    with chain.database.session() as session:
        assert [each.id for each in publishing.review_queue(session, chain.people["reviewer"])] == [submitted]
        for who in ("officer", "officer2", "firm"):
            assert publishing.review_queue(session, chain.people[who]) == []


def test_returned_editions_come_back_and_rejected_ones_do_not(chain, submitted):
    reviewer = chain.people["reviewer"]
    with chain.database.begin() as session:
        publishing.return_(session, session.get_one(Edition, submitted), actor=reviewer, note="请补充名称说明")
    chain.submit(submitted, officer="officer2")
    with chain.database.begin() as session:
        publishing.reject(session, session.get_one(Edition, submitted), actor=reviewer, note="不宜发布")
    with pytest.raises(WrongState):
        chain.submit(submitted, officer="officer2")


def test_changed_staged_files_are_not_published(chain, submitted):
    job = chain.approve(submitted)
    staged = chain.resources.editions.staged(submitted) / "places.csv"
    staged.write_bytes(staged.read_bytes().replace(b"110101001001", b"110101001002"))
    with pytest.raises(PublicationRefused, match="不一致"):
        chain.run(job)
    edition = chain.edition(submitted)
    assert (edition.state, edition.published_at) == ("failed", None)


def test_bad_rows_are_listed_and_need_acknowledgement(chain):
    dataset = chain.dataset("places")
    content = places_csv() + b"1,2,3\n110101009999\n"
    intake_id = chain.upload(dataset, "places.csv", content)
    intake = chain.intake(intake_id)
    assert (intake.rows, intake.bad_row_count) == (300, 2)
    assert [row["line"] for row in intake.bad_rows] == [302, 303]
    policy = chain.policy(dataset, PLACES)
    with pytest.raises(PublicationRefused, match="2 行"):
        chain.build(intake_id, policy, OpeningClass.UNCONDITIONAL)
    with chain.database.begin() as session:
        publishing.acknowledge_bad_rows(session, session.get_one(Intake, intake_id), actor=chain.people["officer"])
    assert chain.edition(chain.build(intake_id, policy, OpeningClass.UNCONDITIONAL)).state == "draft"


@pytest.mark.parametrize("name", ["s.csv", "s.parquet"])
def test_a_table_without_a_header_is_refused_and_no_value_is_kept(chain, name):
    dataset = chain.dataset("survey")
    content = survey_csv(50).split(b"\n", 1)[1]
    if name.endswith("parquet"):
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({id_number(0): [1], "age": [2]}), sink)
        content = sink.getvalue().to_pybytes()
    with pytest.raises(InvalidSubmission, match="表头") as refused:
        chain.upload(dataset, name, content)
    with chain.database.session() as session:
        intake = session.query(Intake).one()
        assert intake.state == "failed"
        kept = [str(row) for table in Base.metadata.sorted_tables for row in session.execute(table.select())]
    assert id_number(0) not in str(refused.value) + intake.error + "".join(kept)


@pytest.mark.parametrize(("attribute", "reason", "refused"), [
    ("phone: {role: insensitive, technique: suppression.mask, keep_first: 3", "", True),
    ("phone: {role: insensitive, technique: suppression.mask, keep_first: 3", "总机号码，不属于个人", False),
    ("phone: {role: insensitive, technique: suppression.drop", "", False),
])  # fmt: skip
def test_a_detected_identifier_is_counted_as_less_only_with_a_reason(chain, attribute, reason, refused):
    dataset = chain.dataset("survey")
    intake = chain.upload(dataset, "survey.csv", survey_csv())
    given = f", reason: {reason}}}" if reason else "}"
    old = "phone: {role: direct_identifier, technique: suppression.drop, reason: 虚构}"
    policy = chain.policy(dataset, AGGREGATE.replace(old, attribute + given))
    if refused:
        with pytest.raises(PublicationRefused, match="理由"):
            chain.start_build(intake, policy, OpeningClass.CONDITIONAL)
    else:
        chain.start_build(intake, policy, OpeningClass.CONDITIONAL)


def test_level_4_comes_out_as_an_aggregate_only(chain):
    dataset = chain.dataset("survey")
    intake = chain.upload(dataset, "survey.csv", survey_csv())
    edition_id = chain.build(intake, chain.policy(dataset, AGGREGATE), OpeningClass.CONDITIONAL)
    chain.publish(edition_id)
    edition = chain.edition(edition_id)
    assert (edition.state, edition.kind, edition.effect, edition.level) == ("published", "aggregate", 4, "L2")
    records = chain.policy(dataset, AGGREGATE[: AGGREGATE.index("aggregate:")])
    with pytest.raises(PublicationRefused, match="汇总"):
        chain.start_build(intake, records, OpeningClass.CONDITIONAL)


def test_another_department_sees_and_does_nothing(chain):
    dataset = chain.dataset("places")
    with pytest.raises(PublishingDenied):
        chain.upload(dataset, "places.csv", places_csv(), officer="other_officer")
    with pytest.raises(PublishingDenied):
        chain.policy(dataset, PLACES, officer="other_officer")


def test_erasing_an_intake_destroys_its_key_and_leaves_a_tombstone(chain):
    dataset = chain.dataset("places")
    intake_id = chain.upload(dataset, "places.csv", places_csv())
    with chain.database.begin() as session:
        job = publishing.erase_intake(session, session.get_one(Intake, intake_id), actor=chain.people["officer"])
    assert chain.intake(intake_id).state == "erased"
    chain.run(job.id)
    assert not chain.resources.vault.exists(intake_id)
    assert chain.count(LedgerEntry, type="publishing:intake:erase") == 1


@pytest.mark.parametrize(("name", "answer", "error"), [
    ("state_secret", "yes", PublicationRefused),
    ("state_secret", "", InvalidSubmission),
    ("impact_assessment", "no", PublicationRefused),
    ("invented_question", "yes", InvalidSubmission),
])  # fmt: skip
def test_checklist(name, answer, error):
    rules.check_checklist(ANSWERS)
    with pytest.raises(error):
        rules.check_checklist(ANSWERS | {name: {"answer": answer}})


L = DataLevel


@pytest.mark.parametrize(("confirmed", "overruled", "proposed", "declared", "unexplained", "level"), [
    (None, None, L.L4, None, [], L.L4),          # detection's proposal stands
    (None, None, L.L4, L.L2, [], L.L2),          # every attribute is explained in the policy
    (None, None, L.L4, L.L2, ["phone"], None),
    (L.L2, None, L.L4, L.L2, [], None),          # a later intake proposes more than what was confirmed
    (L.L2, L.L4, L.L4, L.L2, [], L.L2),          # somebody said why
    (L.L2, L.L3, L.L4, None, [], None),          # but not for this proposal
    (L.L2, None, L.L1, L.L3, [], L.L3),          # a policy may raise
    (L.L3, None, L.L1, L.L1, [], L.L3),          # and never lower
    (None, None, None, None, [], None),
])  # fmt: skip
def test_level(confirmed, overruled, proposed, declared, unexplained, level):
    def settle():
        return rules.settle_level(
            confirmed=confirmed, overruled=overruled, proposed=proposed, declared=declared, unexplained=unexplained
        )

    if level is None:
        with pytest.raises(PublicationRefused):
            settle()
    else:
        assert settle() is level


def test_confirming_below_the_proposal_needs_a_reason(chain):
    dataset_id = chain.dataset("survey")
    chain.upload(dataset_id, "survey.csv", survey_csv())
    officer = chain.people["officer"]
    with chain.database.begin() as session:
        dataset = session.get_one(Dataset, dataset_id)
        with pytest.raises(InvalidSubmission):
            publishing.confirm_level(session, dataset, level="L2", reason="", actor=officer)
        publishing.confirm_level(session, dataset, level="L2", reason="全部为虚构数据", actor=officer)
        with pytest.raises(PublicationRefused):
            publishing.confirm_level(session, dataset, level="L1", reason="全部为虚构数据", actor=officer)
