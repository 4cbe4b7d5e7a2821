"""Protected tables with margins through the service: they come out of level 4, and alone."""

import itertools

import polars as pl
import pytest

from masking.policy import load
from masking.taxonomy import OpeningClass
from opendata.publishing.errors import PublicationRefused
from opendata.publishing.margins import Shown, check_alone
from tests.publishing.chain import AGGREGATE, survey_csv

HEAD = AGGREGATE[: AGGREGATE.index("aggregate:")]
PROTECTED = HEAD + (
    "aggregate:\n"
    '  by: [age, sex]\n  measures: {persons: {count: "*"}, score: {sum: score}}\n'
    "  protect: {threshold: 60, p_percent: 10, total: 合计}\n"
)
NOISE = HEAD + (
    "aggregate:\n"
    '  by: [age, sex]\n  measures: {persons: {count: "*"}}\n  protect: {method: cell_key, key: noise, total: 合计}\n'
)


@pytest.fixture
def survey(chain):
    dataset = chain.dataset("survey")
    return dataset, chain.upload(dataset, "survey.csv", survey_csv())


def built(chain, dataset, intake, yaml, opening=OpeningClass.UNCONDITIONAL):
    return chain.build(intake, chain.policy(dataset, yaml), opening)


def test_level_4_comes_out_with_margins_and_what_is_hidden_stays_hidden(chain, survey):
    dataset, intake = survey
    edition_id = built(chain, dataset, intake, PROTECTED)
    chain.publish(edition_id)
    edition = chain.edition(edition_id)
    assert (edition.state, edition.kind, edition.effect, edition.legal_status) == (
        "published",
        "aggregate",
        4,
        "anonymized",
    )
    assert edition.public_report["protection"] == {
        "method": "suppression",
        "threshold": 60,
        "base": None,
        "additive": True,
    }
    assert "audit" not in edition.public_report
    assert edition.internal_report["audit"]["asked"] > 0
    table = pl.read_parquet(chain.file(edition_id, "parquet"))
    assert {"合计"} < set(table["sex"])
    assert 0 < table["persons"].null_count() < table.height


def test_noise_rests_on_a_kept_key_and_is_no_anonymous_edition(chain, survey):
    dataset, intake = survey
    with pytest.raises(PublicationRefused):
        built(chain, dataset, intake, NOISE)
    first = built(chain, dataset, intake, NOISE, OpeningClass.CONDITIONAL)
    chain.publish(first)
    assert chain.edition(first).legal_status == "deidentified"
    again = built(chain, dataset, intake, NOISE + "# 同一张表 the same table\n", OpeningClass.CONDITIONAL)
    assert chain.edition(again).table_digest == chain.edition(first).table_digest  # drawn once for all editions
    assert chain.edition(again).line_id != chain.edition(first).line_id


def test_nothing_else_of_its_population_comes_out_after_it(chain, survey):
    dataset, intake = survey
    chain.publish(built(chain, dataset, intake, PROTECTED))
    chain.publish(built(chain, dataset, intake, PROTECTED))  # the very same table says nothing new
    later = chain.upload(dataset, "survey.csv", survey_csv(401))
    for other, yaml in (
        (later, PROTECTED),  # one newcomer: the difference of two totals is that person
        (intake, PROTECTED.replace("threshold: 60", "threshold: 66")),  # another pattern shows what the first one hid
        (intake, AGGREGATE),
    ):
        with pytest.raises(PublicationRefused, match="带合计的统计表"):
            built(chain, dataset, other, yaml)


def test_nor_does_it_come_out_after_something_else(chain, survey):
    dataset, intake = survey
    chain.publish(built(chain, dataset, intake, AGGREGATE))
    with pytest.raises(PublicationRefused, match="带合计的统计表"):
        built(chain, dataset, intake, PROTECTED)


def test_only_the_very_same_table_may_follow():
    """Every pair of kinds: with margins or without, the same digest, another one, none yet."""
    policies = {True: load(PROTECTED), False: load(AGGREGATE)}
    for (new, old), (one, other) in itertools.product(
        itertools.product([True, False], repeat=2), [("a", "a"), ("a", "b"), (None, "a"), (None, None)]
    ):
        allowed = not (new or old) or (new and old and one == other and one is not None)
        given = Shown("n", policies[new], one), [Shown("o", policies[old], other)]
        if allowed:
            check_alone(*given)
        else:
            with pytest.raises(PublicationRefused):
                check_alone(*given)
    check_alone(Shown("n", policies[True], None), [])
