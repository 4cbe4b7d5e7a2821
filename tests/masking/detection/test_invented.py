"""Invented identifiers are valid, distinct, marked and the same for one seed."""

import time

import polars as pl
import pytest

from masking.detection import Detector, checks, invented

COUNT = 20_000
YEARS = [1900 + i % 120 for i in range(COUNT)]
MALE = [i % 3 == 0 for i in range(COUNT)]
KINDS = {
    "ID_CARD": lambda seed: invented.resident_ids(YEARS, MALE, seed),
    "PHONE": lambda seed: invented.mobiles(COUNT, seed),
    "BANK_CARD": lambda seed: invented.bank_cards(COUNT, seed),
    "USCC": lambda seed: invented.credit_codes(COUNT, seed),
    "LICENSE_PLATE": lambda seed: invented.plates(COUNT, seed),
    "EMAIL": lambda seed: invented.emails(COUNT, seed),
}
COLUMN_CHECKS = {
    "ID_CARD": checks.resident_ids,
    "PHONE": checks.mobiles,
    "BANK_CARD": checks.bank_cards,
    "USCC": checks.usccs,
    "LICENSE_PLATE": lambda column: column.str.contains(f"^(?:{checks.PLATE})$"),
    "EMAIL": lambda column: column.str.contains(f"^(?:{checks.EMAIL})$"),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
class TestEveryKind:
    def test_valid_distinct_marked_and_repeatable(self, kind):
        values = KINDS[kind](7)
        assert len(set(values)) == len(values) == COUNT
        assert COLUMN_CHECKS[kind](pl.Series(values)).all()
        assert all(map(invented.is_invented, values))
        assert values == KINDS[kind](7) != KINDS[kind](8)

    def test_the_detector_takes_each_for_what_it_is(self, kind):
        for findings in Detector().find_many(KINDS[kind](1)[:500]):
            assert [finding.type for finding in findings] == [kind]


def test_resident_ids_have_the_year_and_sex_asked_for():
    ids = invented.resident_ids(YEARS, MALE, 3)
    assert [int(each[6:10]) for each in ids] == YEARS
    assert [int(each[16]) % 2 == 1 for each in ids] == MALE
    assert {each[:2] for each in ids} == set(invented.MAINLAND)


def test_credit_codes_hold_an_organisation_code_and_the_kinds_asked_for():
    codes = invented.credit_codes(2000, 1, kinds=("12", "91"))
    assert {code[:2] for code in codes} == {"12", "91"}
    assert all(checks.organisation_code(code[8:17]) for code in codes)
    assert {code[16] for code in codes} == set("0123456789X")
    with pytest.raises(ValueError, match="kinds"):
        invented.credit_codes(1, kinds=("0A",))


def test_bank_cards_have_the_lengths_asked_for():
    assert {len(card) for card in invented.bank_cards(1000)} == {16, 19}
    assert {len(card) for card in invented.bank_cards(1000, lengths=(17, 18))} == {17, 18}
    with pytest.raises(ValueError, match="lengths"):
        invented.bank_cards(1, lengths=(15,))


def test_plates_of_new_energy():
    assert {len(plate) for plate in invented.plates(1000)} == {7, 8}
    assert {len(plate) for plate in invented.plates(1000, new_energy=0)} == {7}
    assert {plate[2] for plate in invented.plates(1000, new_energy=1)} == {"D", "F"}


@pytest.mark.parametrize("number", ["11010519491231002X", "13800138000", "6222021234567890128", "京A12345", "a@qq.com"])
def test_real_looking_values_bear_no_mark(number):
    assert not invented.is_invented(number)


def test_crowded_draws_end_and_stay_distinct():
    assert len(set(invented.mobiles(1_000_000))) == 1_000_000
    assert invented.emails(0) == invented.plates(0) == invented.bank_cards(0) == []
    for count in (-1, 1_000_001):
        with pytest.raises(ValueError, match="count"):
            invented.mobiles(count)


def test_columns_not_loops():
    """A million IDs a few seconds: a loop over rows takes a minute."""
    start = time.process_time()
    invented.resident_ids([1950, 1951] * 50_000, [True, False] * 50_000)
    assert time.process_time() - start < 5
