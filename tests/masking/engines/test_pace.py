"""Rate and remaining time from what ``progress`` is told."""

import pytest

from masking.engines.pace import Meter, stages_of
from masking.policy.load import load

POLICY = "version: 1\ndataset: d\nattributes:\n  a: {role: quasi_identifier, technique: keep}\n"


def test_stages():
    assert stages_of(load(POLICY)) == ("write",)
    assert stages_of(load(POLICY + "limits: {k_anonymity: 2}\n")) == ("measure", "write")
    assert stages_of(load(POLICY + "aggregate: {by: [a], measures: {n: {count: '*'}}, threshold: 3}\n")) == ("measure",)
    swapped = POLICY.replace("keep", "randomization.permutation, key: k").replace(
        "attributes:", "record: [a]\nattributes:"
    )
    assert stages_of(load(swapped)) == ("fit", "write")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([("measure", 100, 2.0)], (50.0, 38.0)),  # 900 more of this stage, then 1000 of the other
        ([("measure", 1000, 10.0), ("write", 500, 20.0)], (50.0, 10.0)),  # the stage began where the last one ended
        ([("measure", 1000, 10.0), ("write", 1000, 20.0)], (100.0, 0.0)),
        ([("write", 2000, 10.0)], (200.0, 0.0)),  # more records than were expected
        ([("measure", 0, 5.0)], (0.0, None)),
    ],
)
def test_rate_and_remaining_time(told, expected):
    meter = Meter(("measure", "write"), 1000, now=0.0)
    paces = [meter.at(*each) for each in told]
    assert (paces[-1].rate, paces[-1].remaining_s) == expected


def test_without_a_total_there_is_only_a_rate():
    pace = Meter(("write",), None, now=10.0).at("write", 50, 15.0)
    assert (pace.rate, pace.remaining_s) == (10.0, None)
