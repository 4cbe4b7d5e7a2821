"""Resident IDs: validity, kept parts, no accidental validity as another number, a million without a collision."""

from datetime import date

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.detection import checks
from masking.detection.invented import resident_ids
from masking.errors import InvalidParameter
from masking.techniques.identifiers.resident_id import AREAS, DAYS, MARK, ResidentID, _tables

SECRET = bytes(range(16))
ID = "11010519491231002X"


def with_check(body):
    total = sum(int(digit) * weight for digit, weight in zip(body, checks.RESIDENT_WEIGHTS, strict=True))
    return body + checks.RESIDENT_CHECKS[total % 11]


def mask(values, **parameters):
    return ResidentID(**parameters, secret=SECRET).apply(pa.array(values)).to_pylist()


def test_a_million_distinct_ones_without_a_collision_and_back():
    random = np.random.default_rng(5)
    column = pa.array(resident_ids(random.integers(1900, 2025, 10**6), random.integers(0, 2, 10**6) == 1, seed=5))
    rule = ResidentID(secret=SECRET)
    masked = rule.apply(column)
    assert len(masked.unique()) == 10**6
    assert rule.opened(masked).equals(column)
    text = pl.Series(masked)
    assert not any(valid(text).any() for valid in (checks.resident_ids, checks.usccs, checks.bank_cards, checks.vins))


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (ID, True),
        (ID.lower(), True),  # read as X
        (with_check("81000019900101001"), True),  # residence permit of Hong Kong
        (with_check("71000019900101001"), True),
        (with_check("83000019900101001"), True),
        (with_check("11999919900101001"), True),  # a county code that is no more, or never was
        (with_check("11010118000101001"), True),  # the first day
        (with_check("11010120991231001"), True),  # the last
        (with_check("11010120000229001"), True),
        (with_check("11010119000229001"), False),  # 1900 was no leap year
        (with_check("11010117991231001"), False),
        (with_check("11010121000101001"), False),
        (with_check("11010119901301001"), False),
        (with_check("11010119900001001"), False),
        (with_check("11010119900132001"), False),
        (with_check("91010119900101001"), False),  # a foreigner's
        (with_check("16010119900101001"), False),
        (with_check("00010119900101001"), False),
        ("110105194912310021", False),  # the check
        ("1101051949123100２X", False),
        (ID[:17], False),
        (ID + "0", False),
        ("110105491231002", False),  # the old form of 15 digits
        ("11010519491231002Y", False),
        ("1101051949123100:X", False),
        ("/1010519491231002X", False),
        ("1101051949 231002X", False),
    ],
)
def test_what_is_valid(value, fits):
    assert (mask([value], on_invalid="null") != [None]) == fits
    if fits:
        assert checks.resident_id(value.upper())


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(checks.PROVINCES)),
            st.integers(0, 9999),
            st.dates(date(1800, 1, 1), date(2099, 12, 31)),
            st.integers(0, 999),
        ).map(lambda parts: with_check(f"{parts[0]}{parts[1]:04d}{parts[2]:%Y%m%d}{parts[3]:03d}")),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from([(), ("province",), ("birth_year", "gender"), ("county", "gender"), ("birth_date", "province")]),
)
def test_any_valid_number(values, keep):
    rule = ResidentID(keep=keep, secret=SECRET)
    masked = rule.apply(pa.array(values))
    assert rule.opened(masked).to_pylist() == values
    assert len(set(masked.to_pylist())) == len(set(values))
    assert not any(map(checks.resident_id, masked.to_pylist()))
    assert not any(map(checks.uscc, masked.to_pylist()))
    assert not any(map(checks.bank_card, masked.to_pylist()))
    test_data = ResidentID(keep=keep, valid_looking=True, secret=SECRET).apply(pa.array(values)).to_pylist()
    assert all(map(checks.resident_id, test_data))
    assert [value[:17] for value in test_data] == [value[:17] for value in masked.to_pylist()]


def test_the_check_is_off_by_a_fixed_offset_or_the_next_that_makes_no_other_number():
    masked = mask(resident_ids([1950] * 50_000, [True] * 50_000, seed=2))
    right = [checks.RESIDENT_CHECKS.index(with_check(value[:17])[17]) for value in masked]
    steps = [(checks.RESIDENT_CHECKS.index(value[17]) - place) % 11 for value, place in zip(masked, right, strict=True)]
    assert set(steps) <= {MARK, MARK + 1, MARK + 2}
    assert 0.95 < steps.count(MARK) / len(steps) < 1
    aside = [value for value, step in zip(masked, steps, strict=True) if step != MARK]
    plain = [value[:17] + checks.RESIDENT_CHECKS[(checks.RESIDENT_CHECKS.index(with_check(value[:17])[17]) + MARK) % 11]
             for value in aside]  # fmt: skip
    for value in plain:  # and those only
        assert checks.luhn(value) or _credit_code_sum(value)


def _credit_code_sum(value):
    total = sum(checks.USCC_ALPHABET.index(c) * w for c, w in zip(value, checks.USCC_WEIGHTS, strict=False))
    return checks.USCC_ALPHABET[(31 - total % 31) % 31] == value[17]


@pytest.mark.parametrize(
    ("keep", "same"),
    [
        (("province",), [slice(0, 2)]),
        (("county",), [slice(0, 6)]),
        (("birth_year",), [slice(6, 10)]),
        (("birth_date",), [slice(6, 14)]),
        (("province", "birth_year", "gender"), [slice(0, 2), slice(6, 10)]),
        (("county", "province"), [slice(0, 6)]),
        (("birth_date", "birth_year", "province"), [slice(0, 2), slice(6, 14)]),
    ],
)
def test_kept_parts_are_legible(keep, same):
    values = resident_ids([1948 + i % 9 for i in range(3000)], [i % 2 == 0 for i in range(3000)], seed=3)
    masked = mask(values, keep=keep)
    for part in same:
        assert [value[part] for value in masked] == [value[part] for value in values]
    sexes = [int(a[16]) % 2 == int(b[16]) % 2 for a, b in zip(masked, values, strict=True)]
    assert all(sexes) == ("gender" in keep)


def test_a_kept_leap_year_uses_all_its_days():
    values = resident_ids([1952] * 20_000, [True] * 20_000, seed=4)
    days = {value[10:14] for value in mask(values, keep=("birth_year",))}
    assert len(days) == 366
    assert "0229" in days
    assert len({value[10:14] for value in mask([v[:6] + "1953" + v[10:] for v in values], keep=("birth_year",),
                                              on_invalid="null") if value}) <= 365  # fmt: skip


def test_derived_parts_are_what_is_legible():
    rule = ResidentID(keep=("province", "county", "birth_year", "birth_date", "gender")[:1], secret=SECRET)
    assert rule.derived(pa.array([ID, None]))["province"].to_pylist() == ["11", None]
    rule = ResidentID(keep=("birth_date", "gender"), secret=SECRET)
    derived = rule.derived(pa.array([ID, with_check("11010519491231003")]).dictionary_encode())
    assert derived["birth_date"].to_pylist() == ["19491231"] * 2
    assert derived["gender"].to_pylist() == ["female", "male"]


@pytest.mark.parametrize(
    "keep", [("county", "birth_year"), ("county", "birth_date"), ("county", "birth_year", "gender")]
)
def test_small_strata_are_refused_with_the_reason(keep):
    with pytest.raises(InvalidParameter, match=r"1 county codes, (365|1) days.*1,000,000"):
        ResidentID(keep=keep, secret=SECRET)


def test_tables_hold_every_area_and_day():
    tables = _tables()
    assert len(checks.PROVINCES) * 10**4 == AREAS
    assert (np.datetime64("2100-01-01") - np.datetime64("1800-01-01")).astype(int) == DAYS
    assert (tables.area_of != 0xFFFFFFFF).sum() == AREAS
    assert (tables.day_of != 0xFFFFFFFF).sum() == DAYS
