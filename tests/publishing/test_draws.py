"""Draws are the same for every recipient; records that leave are judged too; test data stays inside."""

import polars as pl
import pytest

from masking.engines.local import apply_stream
from masking.policy import load
from masking.taxonomy import LegalStatus, OpeningClass
from opendata.publishing import legal, rules
from opendata.publishing.building import LineKeys, ViewKeys
from opendata.publishing.composition import joint
from opendata.publishing.errors import PublicationRefused
from tests.publishing.chain import survey_csv, survey_policy
from tests.publishing.test_composition import people, policy, seen

NOISY = """version: 1
dataset: d
record: [person]
sample: {share: 0.5, key: line}
attributes:
  person: {role: direct_identifier, technique: pseudonymization.keyed, key: line, reason: 标识}
  age: {role: quasi_identifier, technique: randomization.noise, distribution: laplace, scale: 3, key: line, reason: 年龄}
  sex: {role: quasi_identifier, technique: keep, reason: 性别}
"""


def masked(keys):
    table = people(list(range(20, 80)) * 4)
    out = []
    apply_stream(load(NOISY), table.to_reader, keys, lambda reader: out.append(pl.from_arrow(reader.read_all())))
    return out[0]


def test_recipients_differ_in_pseudonyms_and_in_nothing_that_was_drawn(chain):
    one, other = (masked(LineKeys(chain.resources.keys, line, "d")) for line in ("line-1", "line-2"))
    assert 60 < one.height < 180, "a sample of half"
    assert one.drop("person").equals(other.drop("person"))
    assert set(one["person"]).isdisjoint(other["person"])
    assert masked(ViewKeys(chain.resources.keys, "d")).drop("person").equals(one.drop("person"))
    # Positive control: under another dataset's key other records are drawn, with other noise.
    assert not masked(LineKeys(chain.resources.keys, "line-1", "e"))["age"].equals(one["age"])


def test_keys_are_not_shown(chain):
    for keys in (LineKeys(chain.resources.keys, "l", "d"), ViewKeys(chain.resources.keys, "d")):
        assert keys.for_records("any").hex() not in repr(keys)
        assert "hidden" in repr(keys)


def test_a_retained_key_of_draws_keeps_an_edition_from_being_anonymous():
    held = {
        "about_persons": True,
        "status_of_run": LegalStatus.DEIDENTIFIED,
        "effect": 4,
        "k": 20,
        "keyed": False,
        "key_destroyed": True,
        "drill_passed": True,
        "opinion": "同意",
    }
    assert legal.status(legal.Facts(**held), largest_risk=0.05) is LegalStatus.ANONYMIZED
    assert legal.status(legal.Facts(**held, draws_kept=True), largest_risk=0.05) is LegalStatus.DEIDENTIFIED


def test_records_left_out_by_one_policy_and_shown_by_another_are_a_class():
    table = people([25] * 20 + [75] * 3)
    whole = policy([20, 50], k=2, sex="suppression.drop")
    without = load(
        "suppress: [{column: age, at_least: 70}]\n" + whole.source_text.replace("edges: [20, 50]", "edges: [20, 51]")
    )
    found = joint(seen(without, table), seen(whole, table))
    assert (found.smallest, found.persons_below) == (3, 0)
    strict = load(without.source_text.replace("k_anonymity: 2", "k_anonymity: 5"))
    wide = load(whole.source_text.replace("k_anonymity: 2", "k_anonymity: 3"))
    assert joint(seen(strict, table), seen(wide, table)).smallest == 3


def test_left_out_records_keep_their_place_without_a_person_column():
    table = people([25, 75] * 20)
    text = policy([20, 50], k=3, sex="suppression.drop").source_text
    lone = "\n".join(line for line in text.split("\n") if "unit" not in line)
    all_, few = load(lone), load("suppress: [{column: age, below: 50}]\n" + lone)
    view = seen(few, table)
    assert view.frame.height == table.num_rows
    shown = view.frame.filter(pl.col("\x00shown"))["\x00person"].to_list()
    assert shown == [str(row) for row in range(1, 40, 2)]
    assert joint(view, seen(all_, table, "one")).persons_below == 0


def test_test_data_is_never_published(chain):
    yaml = "test_data: true\n" + survey_policy().replace("limits: {k_anonymity: 5, suppression: 0.2}\n", "")
    with pytest.raises(PublicationRefused, match="测试数据"):
        rules.check_for_publication(load(yaml))
    rules.check_for_publication(load(survey_policy()))
    dataset = chain.dataset("survey")
    intake = chain.upload(dataset, "survey.csv", survey_csv())
    with pytest.raises(PublicationRefused, match="测试数据"):
        chain.build(intake, chain.policy(dataset, yaml), OpeningClass.CONDITIONAL)
