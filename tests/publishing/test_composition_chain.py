"""Editions of one table, one after the other, through the service: what was shown stays known."""

import csv
import io
import random

import polars as pl
import pytest

from masking.taxonomy import OpeningClass
from opendata.catalog.models import Edition
from opendata.publishing import building, views
from opendata.publishing import composition as composing
from opendata.publishing import service as publishing
from opendata.publishing.errors import PublicationRefused
from opendata.publishing.models import Intake
from opendata.publishing.policies import parse_policy
from tests.access.test_doors import granted
from tests.publishing.chain import id_number

CONDITIONAL = OpeningClass.CONDITIONAL
RECODED = """version: 1
dataset: town
title: {zh: 住户, en: Households}
level: L3
unit: person
attributes:
  person: {role: direct_identifier, technique: suppression.drop, title: {zh: 身份证号, en: ID}, reason: 虚构}
  age: {role: quasi_identifier, technique: generalization.recoding, intervals: INTERVALS, reason: 年龄}
  place:
    role: quasi_identifier
    technique: generalization.recoding
    mapping: {甲一: [甲], 甲二: [甲], 甲三: [甲], 乙一: [乙], 乙二: [乙], 乙三: [乙]}
    reason: 村居
  score: {role: sensitive, technique: keep, reason: 调查结果}
recoding: local
limits: {k_anonymity: K, suppression: MOST}
"""


def policy(k, intervals="[5, 10, 20, 40]", more="", suppression=0.1):
    text = RECODED.replace("K,", f"{k}{more},").replace("INTERVALS", intervals)
    return text.replace("MOST", str(suppression))


def town(rows, seed=11, person=id_number):
    """Invented persons; a longer table begins with the shorter one."""
    draw, out = random.Random(seed), io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["person", "age", "place", "score"])
    for serial in range(rows):
        place = draw.choice(["甲一", "甲二", "甲三", "乙一", "乙二", "乙三"])
        writer.writerow([person(serial), draw.randint(18, 90), place, draw.randint(0, 5)])
    return out.getvalue().encode()


def published(chain, intake, policy_id):
    edition = chain.build(intake, policy_id, CONDITIONAL)
    chain.publish(edition)
    return edition


def refused(chain, intake, policy_id):
    """The edition of a build that was refused."""
    edition_id, job_id = chain.start_build(intake, policy_id, CONDITIONAL)
    with pytest.raises(PublicationRefused):
        chain.run(job_id)
    edition = chain.get(Edition, edition_id)
    assert edition.state == "failed"
    assert chain.resources.vault.read_view(intake, edition_id) is None
    return edition


def view_of(chain, edition_id):
    with chain.database.session() as session:
        work = building.work_of(session, edition_id)
    return building.view_of(chain.resources, work)


def joint_k(*seen):
    """The smallest joint class of views, counted person by person."""
    classes = {}
    for number, each in enumerate(seen):
        frame = views.shown(each, each.quasi_identifiers)
        for *cells, person in frame.iter_rows():
            classes.setdefault(person, [None] * len(seen))[number] = tuple(cells)
    sizes = {}
    for held in classes.values():
        sizes[tuple(held)] = sizes.get(tuple(held), 0) + 1
    return min(sizes.values())


@pytest.fixture
def naive(monkeypatch):
    """A service that searches as if nothing had been shown; only the check is left."""
    monkeypatch.setattr(composing, "histories", lambda *_: None)


def test_a_second_policy_and_a_refresh_compose_with_what_was_shown(chain, monkeypatch):
    dataset = chain.dataset("town")
    intake = chain.upload(dataset, "town.csv", town(495))
    first = published(chain, intake, chain.policy(dataset, policy(5)))
    ten = chain.policy(dataset, policy(10))
    second = published(chain, intake, ten)
    refreshed = chain.upload(dataset, "town.csv", town(500))
    # Whatever the search does from now on: what earlier editions showed is read, not found again.
    monkeypatch.setattr(building, "_view", lambda *_: pytest.fail("an earlier edition was searched again"))
    third = published(chain, refreshed, ten)
    seen = [view_of(chain, each) for each in (first, second, third)]
    assert joint_k(*seen[:2]) >= 5
    assert joint_k(*seen) >= 5
    assert chain.get(Edition, third).internal_report["composed_with"] == [first, second]
    told = chain.get(Edition, third).internal_report["composition"]
    assert [each["edition"] for each in told] == [first, second]
    assert all(each["smallest"] >= 5 for each in told)
    assert chain.get(Edition, third).rows >= 0.95 * 500


def test_the_check_refuses_what_a_search_without_memory_finds(chain, naive):
    dataset = chain.dataset("town")
    intake = chain.upload(dataset, "town.csv", town(495))
    published(chain, intake, chain.policy(dataset, policy(5)))
    edition = refused(chain, intake, chain.policy(dataset, policy(10)))
    assert "人所在的共同群体不足 5 人" in edition.error


def test_too_few_newcomers_are_counted_in_the_refusal(chain):
    dataset = chain.dataset("town")
    intake = chain.upload(dataset, "town.csv", town(400))
    first = published(chain, intake, chain.policy(dataset, policy(12)))
    unseen = 400 - views.shown(view_of(chain, first)).height  # nobody knows anything of these either
    strict = chain.policy(dataset, policy(12, suppression=0.001))
    edition = refused(chain, chain.upload(dataset, "town.csv", town(403)), strict)
    assert unseen + 3 < 12
    assert f"有 {unseen + 3} 人会被凸显（共同群体不足 12 人）" in edition.error


def test_another_hierarchy_is_refused(chain):
    dataset = chain.dataset("town")
    intake = chain.upload(dataset, "town.csv", town(300))
    published(chain, intake, chain.policy(dataset, policy(5)))
    edition = refused(chain, intake, chain.policy(dataset, policy(5, "[3, 9]")))
    assert "属性 age 的泛化层级与已发布版本不同" in edition.error


def test_joint_classes_are_as_diverse_as_their_editions(chain):
    dataset = chain.dataset("town")
    diverse = ", distinct_l_diversity: 3"
    first_intake = chain.upload(dataset, "town.csv", town(800))
    first = published(chain, first_intake, chain.policy(dataset, policy(6, more=diverse)))
    second = published(
        chain, chain.upload(dataset, "town.csv", town(830)), chain.policy(dataset, policy(8, more=diverse))
    )
    one, other = (views.shown(view_of(chain, each)) for each in (first, second))
    before = {person: tuple(cells) for *cells, person in one.select("age", "place", views.PERSON).iter_rows()}
    values = {}
    for age, place, score, person in other.select("age", "place", "score", views.PERSON).iter_rows():
        values.setdefault((before.get(person), age, place), set()).add(score)
    assert min(len(each) for each in values.values()) >= 3


def test_a_view_goes_with_its_intake_and_is_sealed(chain):
    dataset = chain.dataset("town")
    intake = chain.upload(dataset, "town.csv", town(200))
    version = chain.policy(dataset, policy(5))
    first = published(chain, intake, version)
    stored = list(chain.settings.vault_dir.rglob(f"view-{first}"))
    assert len(stored) == 1
    assert id_number(3).encode() not in stored[0].read_bytes()
    seen = view_of(chain, first)
    assert seen.frame.height == 200
    assert id_number(3) in set(seen.frame[views.PERSON])
    with chain.database.begin() as session:
        job = publishing.erase_intake(session, session.get_one(Intake, intake), actor=chain.people["officer"])
    chain.run(job.id)
    assert not stored[0].exists()
    edition = refused(chain, chain.upload(dataset, "town.csv", town(260)), version)
    assert "原始批次已销毁" in edition.error


def test_without_its_view_a_searched_edition_is_not_guessed(chain):
    dataset = chain.dataset("town")
    intake = chain.upload(dataset, "town.csv", town(200))
    first = published(chain, intake, chain.policy(dataset, policy(5)))
    chain.resources.vault.discard_view(intake, first)
    edition = refused(chain, intake, chain.policy(dataset, policy(10)))
    assert f"版本 {first[:8]} 经搜索泛化而未留存其分组" in edition.error


def test_a_view_comes_back_as_it_was_stored():
    frame = pl.DataFrame({"a": ["1", None], views.PERSON: ["x", None], views.SHOWN: [True, False]})
    made = views.View(
        intake_id="i",
        policy_digest="d",
        quasi_identifiers=("a",),
        limits=parse_policy(policy(5, more=", t_closeness: {t: 0.3}")).limits,
        aggregate=False,
        linked=True,
        frame=frame,
        sensitive=("s",),
        recoded=True,
    )
    again = views.View.from_table(made.to_table())
    assert again.frame.equals(made.frame)
    assert (again.limits, again.k, again.recoded, again.linked) == (made.limits, 5, True, True)


def test_a_recipients_edition_has_the_classes_of_the_reviewed_one_or_is_not_given(chain, monkeypatch):
    keyed = "technique: pseudonymization.keyed, key: town, title"
    dataset = chain.dataset("town")
    intake = chain.upload(
        dataset, "town.csv", town(10_001, person=lambda n: f"户{n:06d}")
    )  # fewer would make tokens of persons quasi-identifiers
    first = published(chain, intake, chain.policy(dataset, policy(5)))
    second = published(
        chain, intake, chain.policy(dataset, policy(8).replace("technique: suppression.drop, title", keyed))
    )
    own = chain.get(Edition, granted(chain, dataset, "firm").edition_id)
    assert own.parent_id == second
    assert own.internal_report["composed_with"] == [first]
    reviewed = view_of(chain, second)
    names = ["age", "place", views.SHOWN]
    assert view_of(chain, own.id).frame.select(names).equals(reviewed.frame.select(names))

    def changed(view, about):  # as if the search gave other classes since the review
        frame = view.frame.with_columns(pl.col("age").reverse()) if about.edition.parent_id else view.frame
        return views.replace(view, frame=frame)

    as_noted = building.view_of
    monkeypatch.setattr(building, "view_of", lambda context, work: changed(as_noted(context, work), work))
    with pytest.raises(PublicationRefused, match="与审核过的版本不一致"):
        granted(chain, dataset, "rival")
