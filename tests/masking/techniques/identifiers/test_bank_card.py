"""Bank cards: every length, the kept bin, issuers of test data."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from masking.detection import checks
from masking.detection.invented import bank_cards
from masking.techniques.identifiers.bank_card import BankCard, _issuers

SECRET = bytes(range(16))


def mask(values, **parameters):
    return BankCard(**parameters, secret=SECRET).apply(pa.array(values)).to_pylist()


def with_check(body):
    return next(body + digit for digit in "0123456789" if checks.luhn(body + digit))


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("6222021234567890128", True),
        ("6222021234567890129", False),
        ("4111111111111111", True),
        (with_check("0" * 15), True),
        (with_check("9" * 18), True),
        (with_check("123456789012345"), True),  # an issuer that nobody knows
        (with_check("4" * 14), False),  # 15 digits
        (with_check("4" * 19), False),
        ("4111-1111-1111-1111", False),
        ("411111111111111x", False),
    ],
)
def test_what_is_valid(value, fits):
    assert (mask([value], on_invalid="null") != [None]) == fits


@pytest.mark.parametrize("length", [16, 17, 18, 19])
def test_lengths_stay_and_18_digits_are_no_resident_id_or_credit_code(length):
    random = np.random.default_rng(length)
    values = [with_check(f"{body:0{length - 1}d}") for body in random.integers(0, 10 ** (length - 1), 3000)]
    masked = mask(values)
    assert {len(value) for value in masked} == {length}
    assert not any(map(checks.luhn, masked))
    text = pl.Series(masked)
    assert not any(valid(text).any() for valid in (checks.resident_ids, checks.usccs, checks.bank_cards))
    assert BankCard(secret=SECRET).opened(pa.array(masked)).to_pylist() == values


def test_a_card_that_would_be_a_resident_id_steps_aside():
    """Found by chance it is one of 200,000; here the numbers are made so that the plain mark were a valid one."""
    rule = BankCard(keep=("bin",), secret=SECRET)
    bodies = [f"110101{year}0101{order:03d}" for year in range(1900, 2000) for order in range(1000)]
    marked = [body + str((int(with_check(body)[17]) + 5) % 10) for body in bodies]
    doubtful = [value for value in marked if checks.resident_id(value)]
    assert len(doubtful) > 5000
    matrix = np.frombuffer("".join(doubtful).encode(), dtype=np.uint8).reshape(-1, 18)
    fields, _ = rule._read(matrix, marked=False)
    written = np.empty_like(matrix)
    rule._write(fields, written, marked=True)
    assert (written[:, :17] == matrix[:, :17]).all()
    numbers = written.view("S18")[:, 0].astype(str)
    assert not any(checks.resident_id(value) or checks.luhn(value) for value in numbers)
    again, fit = rule._read(written, marked=True)
    assert fit.all()
    assert (again["body"] == fields["body"]).all()


def test_kept_bin():
    values = bank_cards(2000, 1)
    assert [value[:6] for value in mask(values, keep=("bin",))] == [value[:6] for value in values]
    assert BankCard(keep=("bin",), secret=SECRET).derived(pa.array(values[:1]))["bin"].to_pylist() == [values[0][:6]]


def test_test_data_has_issuers_in_use():
    values = bank_cards(20_000, 2, lengths=(16, 19))
    masked = mask(values, valid_looking=True)
    assert checks.bank_cards(pl.Series(masked)).all()
    assert len({value[:2] for value in masked}) > 20
    unknown = with_check("123456789012345")
    assert mask([unknown], valid_looking=True, on_invalid="null") == [None]
    assert checks.luhn(mask([unknown], valid_looking=True, keep=("bin",))[0])
    assert {length: len(_issuers(length)) for length in (16, 17, 18, 19)} == {16: 2400, 17: 200, 18: 200, 19: 201}


def test_lengths_have_permutations_of_their_own():
    short, long = with_check("6" * 15), with_check("0" + "6" * 15)
    assert mask([short])[0][:15] != mask([long])[0][1:16]
