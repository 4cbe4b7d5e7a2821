"""Mobiles: prefixes, networks, a million without a collision."""

import re

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from masking.detection import checks
from masking.techniques.identifiers.mobile import NETWORKS, PREFIXES, Mobile

SECRET = bytes(range(16))


def mask(values, **parameters):
    return Mobile(**parameters, secret=SECRET).apply(pa.array(values)).to_pylist()


def test_a_million_distinct_ones_without_a_collision_and_back():
    numbers = 13_800_000_000 + np.arange(10**6)
    for parameters in ({}, {"keep": ("prefix",)}, {"keep": ("network",)}):
        rule = Mobile(**parameters, secret=SECRET)
        masked = rule.apply(pa.array(numbers))
        assert len(masked.unique()) == 10**6
        assert (rule.opened(masked).cast(pa.int64()).to_numpy() == numbers).all()
        assert not checks.mobiles(pl.Series(masked)).any()
        assert pl.Series(masked).str.starts_with("2").all()


def test_prefixes_are_those_of_the_checks():
    for prefix in range(100, 1000):
        assert (prefix in PREFIXES) == (re.fullmatch(checks.MOBILE, f"{prefix}12345678") is not None)
        assert (mask([f"{prefix}12345678"], on_invalid="null") != [None]) == (prefix in PREFIXES)


@pytest.mark.parametrize(
    "value", ["23800138000", "1380013800", "138001380000", "138 0013800", "1380013800x", "+8613800138000"]
)
def test_what_is_not_valid(value):
    assert mask([value], on_invalid="null") == [None]


def test_kept_prefix_is_written_with_a_two():
    values = [f"{prefix}{i:08d}" for prefix in PREFIXES for i in range(20)]
    assert [value[1:3] for value in mask(values, keep=("prefix",))] == [value[1:3] for value in values]


def test_kept_network_stays_and_its_prefixes_mix():
    values = [f"{prefix}{i:08d}" for prefix in PREFIXES for i in range(50)]
    rule = Mobile(keep=("network",), valid_looking=True, secret=SECRET)
    masked = rule.apply(pa.array(values))
    networks = rule.derived(pa.array(values))["network"].to_pylist()
    assert rule.derived(masked)["network"].to_pylist() == networks
    assert set(networks) == set(NETWORKS)
    of = {}
    for value, network in zip(masked.to_pylist(), networks, strict=True):
        of.setdefault(network, set()).add(value[:3])
    assert {len(prefixes) for prefixes in of.values()} > {1}
    assert sum(map(len, of.values())) == len(PREFIXES)


def test_every_prefix_has_one_network():
    rule = Mobile(keep=("network",), secret=SECRET)
    known = rule.derived(pa.array([f"{prefix}00000000" for prefix in PREFIXES]))["network"]
    assert known.null_count == 0
    assert rule.derived(pa.array(["13800138000"]))["network"].to_pylist() == ["china_mobile"]
