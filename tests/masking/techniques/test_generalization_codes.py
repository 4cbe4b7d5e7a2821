"""Networks of IP addresses, and codes cut to their first characters."""

import ipaddress

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from masking.techniques import get


def build(name, **parameters):
    return get(f"generalization.{name}").build(parameters, attribute="value")


@given(st.lists(st.one_of(st.none(), st.ip_addresses().map(str)), max_size=20), st.integers(0, 31), st.integers(0, 127))
@settings(max_examples=80, deadline=None)
def test_networks_are_those_of_the_standard_library(addresses, v4, v6):
    masked = build("ip", v4=v4, v6=v6).apply(pa.array(addresses, pa.string())).to_pylist()
    for address, network in zip(addresses, masked, strict=True):
        if address is None:
            assert network is None
        else:
            prefix = v6 if ":" in address else v4
            assert network == str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2001:DB8:0:1::9", "2001:db8::/48"),
        ("::ffff:192.0.2.1", "::/48"),  # mapped IPv4 is IPv6
        ("fe80::1%eth0", "fe80::/48"),  # the interface goes
        ("0.0.0.0", "0.0.0.0/24"),
        ("255.255.255.255", "255.255.255.0/24"),
    ],
)
def test_spellings(value, expected):
    assert build("ip").apply(pa.array([value])).to_pylist() == [expected]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "10.1.77",
        "10.1.77.256",
        "10.1.77.01",
        "10.1.77.9/24",
        " 10.1.77.9",
        "10.1.77.9\n",
        "１０.1.77.9",
        "::g",
        "1::2::3",
        "张三:1",
        ":",
    ],
)
def test_what_is_no_address(value):
    with pytest.raises(InvalidValue):
        build("ip").apply(pa.array(["10.0.0.1", value]))
    result, count = build("ip", on_invalid="suppress").apply_counted(pa.array(["10.0.0.1", value, None]))
    assert (result.to_pylist(), count) == (["10.0.0.0/24", "*", None], 1)


@pytest.mark.parametrize(
    ("parameters", "values", "expected"),
    [
        ({"keep_first": 3}, ["J18.901", "J18", None], ["J18", "J18", None]),
        ({"keep_first": 1}, ["C3911"], ["C"]),
        ({"keep_first": 3, "character": "*"}, ["J18.901"], ["J18****"]),
        ({"keep_first": 3, "character": "$"}, ["J18.9"], ["J18$$"]),  # taken literally
        ({"keep_first": 2}, [3911, 61, 5], ["39", "61", "*"]),  # numbers; one is too short
        ({"keep_first": 2}, ["", "肺炎未特指", "J 18", "Ｊ18", "J18\n", "张三 J18"], ["*"] * 6),  # no codes
    ],
)
def test_code_prefixes(parameters, values, expected):
    result, count = build("code_prefix", **parameters).apply_counted(pa.array(values))
    assert result.to_pylist() == expected
    assert count == expected.count("*")
    if count:
        with pytest.raises(InvalidValue):
            build("code_prefix", on_invalid="reject", **parameters).apply(pa.array(values))


@given(st.lists(st.text("J189.-", max_size=9), max_size=20), st.integers(1, 6))
@settings(max_examples=50, deadline=None)
def test_longer_prefixes_refine_shorter_ones(codes, keep):
    column = pa.array(codes, pa.string())
    short = build("code_prefix", keep_first=keep).apply(column).to_pylist()
    long = build("code_prefix", keep_first=keep + 1).apply(column).to_pylist()
    assert all(fine == "*" or fine[:keep] == coarse for fine, coarse in zip(long, short, strict=True))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("ip", {"v4": 32}),  # nothing would be hidden
        ("ip", {"v4": -1}),
        ("ip", {"v6": 128}),
        ("ip", {"v4": 24.0}),
        ("code_prefix", {}),
        ("code_prefix", {"keep_first": 0}),
        ("code_prefix", {"keep_first": 1, "character": ""}),
        ("code_prefix", {"keep_first": 1, "character": "**"}),
    ],
)
def test_parameters_outside_their_interval(name, parameters):
    with pytest.raises(InvalidParameter):
        build(name, **parameters)


def test_columns_of_another_type_are_refused():
    with pytest.raises(UnsupportedColumn):
        build("ip").apply(pa.array([3232235777]))
    with pytest.raises(UnsupportedColumn):
        build("code_prefix", keep_first=1).apply(pa.array([1.5]))
