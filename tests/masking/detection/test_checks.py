"""Check digits: known values, single-digit errors, columns equal to single values."""

from __future__ import annotations

import doctest

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.detection import checks
from masking.detection.invented import is_invented, resident_ids

ID = "11010519491231002X"


def test_docstrings():
    assert doctest.testmod(checks).failed == 0


@pytest.mark.parametrize(
    ("value", "good"),
    [
        (ID, True),
        ("110105194912310021", False),  # check digit
        ("11010519490229002" + "0", False),  # 29 February of a common year
        ("99010519491231002X", False),  # no such province
        ("11010519491231002x", False),  # lower case is normalised before
        ("1101051949123100", False),  # too short
        ("１１０１０５19491231002X", False),  # full width is normalised before
        ("", False),
    ],
)
def test_resident_id(value, good):
    assert checks.resident_id(value) is good


@settings(deadline=None)
@given(st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(place, shift):
    wrong = ID[:place] + str((int(ID[place]) + shift) % 10) + ID[place + 1 :]
    assert not checks.resident_id(wrong)


@settings(deadline=None)
@given(st.integers(0, 15))
def test_swapped_neighbours_are_found(place):
    swapped = ID[:place] + ID[place + 1] + ID[place] + ID[place + 2 :]
    assert swapped == ID or not checks.resident_id(swapped)


@pytest.mark.parametrize(
    ("check", "value", "good"),
    [
        (checks.uscc, "91350100M000100Y43", True),
        (checks.uscc, "91350100M000100Y44", False),
        (checks.uscc, "91350100I000100Y43", False),  # I is not in the set
        (checks.organisation_code, "123456788", True),
        (checks.luhn, "4111111111111111", True),
        (checks.bank_card, "4111111111111111", True),
        (checks.bank_card, "1111111111111117", False),  # Luhn, no issuer
        (checks.vin, "1M8GDM9AXKP042788", True),
        (checks.vin, "1M8GDM9AXKP042789", False),
        (checks.vin, "11111111111111111", False),  # all digits: a serial number
        (checks.mobile, "13812345678", True),
        (checks.mobile, "12345678901", False),
        (checks.mobile, "14112345678", False),  # 140-144: machines
        (checks.resident_id_15, "110105491231002", True),
        (checks.resident_id_15, "110105491331002", False),
        (checks.ip_address, "192.168.1.1", True),
        (checks.ip_address, "256.1.1.1", False),
        (checks.ip_address, "0.0.0.0", False),
        (checks.real_date, "20000229", True),
        (checks.real_date, "19000229", False),
    ],
)
def test_check(check, value, good):
    assert check(value) is good


def test_foreign_permanent_resident_shares_the_check_digit():
    body = "93315619990101001"
    good = [c for c in "0123456789X" if checks.foreign_permanent_resident(body + c)]
    assert len(good) == 1


TEXTS = st.lists(
    st.one_of(
        st.none(),
        st.sampled_from([ID, "91350100M000100Y43", "4111111111111111", "1M8GDM9AXKP042788", "+86 138-1234-5678"]),
        st.text("0123456789XxABY- １２", max_size=20),
        st.from_regex(r"\A(11|33)[0-9]{4}(19|20)[0-9]{2}(0[1-9]|1[0-2])[0-3][0-9]{4}[0-9X]\Z"),
        st.from_regex(r"\A9[1-3]350100[0-9A-HJ-NPQRTUWXY]{10}\Z"),
        st.from_regex(r"\A62[0-9]{14,17}\Z"),
        st.from_regex(r"\A[0-9A-HJ-NPR-Z]{17}\Z"),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(TEXTS)
def test_columns_equal_single_values(texts):
    cleaned = checks.clean(pl.Series(texts, dtype=pl.String))
    for column, single in (
        (checks.resident_ids, checks.resident_id),
        (checks.usccs, checks.uscc),
        (checks.bank_cards, checks.bank_card),
        (checks.vins, checks.vin),
    ):
        expected = [value is not None and single(value) for value in cleaned]
        assert [bool(answer) for answer in column(cleaned)] == expected


def test_clean_normalises_width_case_and_separators():
    given_ = pl.Series(["１１０105 1949-1231 002x", " a－b", None])
    assert checks.clean(given_).to_list() == [ID, "AB", None]


class TestInvented:
    def test_valid_distinct_reserved_and_repeatable(self):
        years, male = [1878, 1950, 2001] * 500, [True, False, True] * 500
        ids = resident_ids(years, male, seed=7)
        assert ids == resident_ids(years, male, seed=7) != resident_ids(years, male, seed=8)
        assert len(set(ids)) == len(ids)
        assert all(checks.resident_id(i) and is_invented(i) for i in ids)
        assert [int(i[6:10]) for i in ids] == years
        assert [int(i[16]) % 2 == 1 for i in ids] == male

    def test_refuses_what_has_no_four_digit_year(self):
        with pytest.raises(ValueError, match="birth_years"):
            resident_ids([1700], [True])
        with pytest.raises(ValueError, match="same length"):
            resident_ids([1950], [True, False])

    def test_empty(self):
        assert resident_ids([], []) == []
