"""The linkage drill at every build: recorded inside, never outside, and no edition is anonymous without it."""

from dataclasses import replace

import pyarrow as pa
import pytest

from masking.report import DrillReport, MaskingReport
from masking.taxonomy import OpeningClass
from opendata.publishing import building, legal
from opendata.publishing.errors import PublicationRefused
from tests.publishing.chain import FLIGHTS, flights_csv, survey_csv, survey_policy


def condition(edition):
    """Whether the edition's report says that the drill is passed."""
    return next(each["met"] for each in edition.internal_report["legal"] if each["name"] == "linkage_drill")


def test_each_build_is_drilled_and_only_the_inside_learns_of_it(chain):
    dataset = chain.dataset("flights")
    intake = chain.upload(dataset, "flights.csv", flights_csv())
    edition = chain.edition(chain.build(intake, chain.policy(dataset, FLIGHTS), OpeningClass.UNCONDITIONAL))
    drill = edition.internal_report["drill"]
    assert (drill["attack"], drill["attacked"], drill["max_probability"]) == ("algorithm", 300, pytest.approx(1 / 25))
    assert drill["thresholds"]["full_public"] == pytest.approx(chain.grades.full_public)
    assert condition(edition)
    assert "drill" not in edition.public_report
    assert "ZX-" not in str(edition.internal_report)
    assert building.report_of(edition).drill.passes("full_public")


def test_an_edition_of_five_is_drilled_but_never_anonymous(chain):
    dataset = chain.dataset("survey")
    intake = chain.upload(dataset, "survey.csv", survey_csv())
    made = chain.build(intake, chain.policy(dataset, survey_policy(width=5)), OpeningClass.CONDITIONAL)
    edition = chain.edition(made)
    assert (edition.state, edition.legal_status) == ("draft", "deidentified")
    assert edition.internal_report["drill"]["released"] == edition.rows
    assert 1 / 20 < edition.internal_report["drill"]["max_probability"] <= 1 / 5
    assert not condition(edition)


def test_a_record_that_slips_past_the_proof_is_found(chain, monkeypatch):
    """The run's own figures say 25 persons in a class; one record of the table that it wrote stands alone."""
    whole = building.apply_stream

    def leaky(*given, look, **more):
        def told(plan, done, rows):
            token = pa.array(["alone", *done.masked.column("tail").to_pylist()[1:]])
            look(plan, replace(done, masked=done.masked.set_column(0, "tail", token)), rows)

        return whole(*given, look=told, **more)

    monkeypatch.setattr(building, "apply_stream", leaky)
    dataset = chain.dataset("flights")
    intake = chain.upload(dataset, "flights.csv", flights_csv())
    policy = chain.policy(dataset, FLIGHTS)
    with pytest.raises(PublicationRefused):
        chain.build(intake, policy, OpeningClass.UNCONDITIONAL)
    edition = chain.edition(chain.build(intake, policy, OpeningClass.CONDITIONAL))
    assert building.report_of(edition).k_after == 25
    assert edition.internal_report["drill"]["max_probability"] == 1
    assert (edition.state, edition.legal_status) == ("draft", "deidentified")
    assert not condition(edition)


DRILL = DrillReport("algorithm", 9, 9, 0.05, 0.05, 0, 0.0, 0.1, 0.1, thresholds={"full_public": 0.05})


@pytest.mark.parametrize(
    ("kind", "k", "drill", "about_persons", "passed"),
    [
        ("microdata", 20, DRILL, True, True),
        ("microdata", 20, replace(DRILL, max_probability=0.06), True, False),
        ("microdata", 20, None, True, False),  # of before drills were run: build it again
        ("microdata", None, None, False, True),  # about nobody
        ("aggregate", 2, None, True, True),  # cells, no records
        ("aggregate", 1, None, True, False),  # a cell of one person
        ("aggregate", None, None, True, True),
    ],
)
def test_what_the_condition_rests_on(kind, k, drill, about_persons, passed):
    class Report:
        after = None if k is None else type("Figures", (), {"k": k})

    Report.kind, Report.drill = kind, drill
    assert legal.drill_passed(Report, about_persons=about_persons) is passed
    assert set(MaskingReport.__slots__) > {"kind", "drill", "after"}
