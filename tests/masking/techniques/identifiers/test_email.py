"""E-mail addresses: every length, nothing to be found within, one changed character changes all."""

import itertools

import polars as pl
import pyarrow as pa
import pytest

from masking.detection import Detector, checks
from masking.detection.columns import detect_columns
from masking.detection.invented import emails
from masking.techniques.identifiers.email import _DOMAIN, _LOCAL, LEAST, MOST, Email, _sizes, _widths

SECRET = bytes(range(16))


def mask(values, **parameters):
    return Email(**parameters, secret=SECRET).apply(pa.array(values)).to_pylist()


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("zhang.wei@example.com", True),
        ("ZHANG.WEI@EXAMPLE.COM", True),
        ("a_b-c%d+1@a.cn", True),
        ("1390@qq.com", True),
        ("abc@example.com", False),  # 41^3 words are too few
        ("a" * MOST + "@example.com", True),
        ("a" * (MOST + 1) + "@example.com", False),
        ("abcd@" + "a" * 45 + ".cn", True),
        ("abcd@" + "a" * 46 + ".cn", False),
        (".abc@example.com", False),
        ("abc.@example.com", False),
        ("张伟张伟@example.com", False),
        ("zhang@wei@example.com", False),
        ("zhang wei@example.com", False),
        ("zhangwei@example", False),
        ("zhangwei@-example.com", False),
        ("zhangwei@example.invalid", False),  # no address, but perhaps a pseudonym
        ("zhangwei", False),
    ],
)
def test_what_is_valid(value, fits):
    assert (mask([value], on_invalid="null") != [None]) == fits


def test_a_kept_domain_may_be_long():
    assert mask(["abcd@" + "a" * 46 + ".cn"], keep=("domain",))[0].endswith("@" + "a" * 46 + ".cn.invalid")


def test_every_length_before_and_after_comes_back():
    values = [("x" * a + "@" + "y" * (b - 3) + ".cn") for a in range(LEAST, MOST + 1) for b in range(LEAST, MOST + 1)]
    for parameters in ({}, {"keep": ("domain",)}, {"valid_looking": True}):
        rule = Email(**parameters, secret=SECRET)
        masked = rule.apply(pa.array(values))
        assert len(masked.unique()) == len(values)
        assert rule.opened(masked).to_pylist() == values


@pytest.mark.parametrize("alphabet", [_LOCAL, _DOMAIN])
def test_pseudonyms_of_two_lengths_have_two_lengths(alphabet):
    letters = [sum(_widths(len(alphabet), length)) for length in range(LEAST, MOST + 1)]
    assert all(a < b for a, b in itertools.pairwise(letters))
    assert letters[-1] <= 63  # what a label of a domain may have
    for length in range(LEAST, MOST + 1):
        assert sum(_sizes(length)) == length
        assert min(_sizes(length)) >= LEAST


def test_one_changed_character_changes_every_piece():
    first = "a" * 48 + "@" + "b" * 45 + ".cn"
    for second in ("c" + first[1:], first[:20] + "c" + first[21:], first[:-5] + "c" + first[-4:]):
        one, other = mask([first, second])
        same = sum(a == b for a, b in zip(one, other, strict=True))
        assert same < 20 + len("@.invalid")  # 1 in 24 by chance


def test_an_encrypted_domain_does_not_show_who_shares_it():
    masked = mask(emails(2000, 1))
    assert len({value.split("@")[1] for value in masked}) == 2000


def test_case_does_not_count_even_after_it_is_lost():
    values = emails(100, 2)
    rule = Email(secret=SECRET)
    masked = [value.upper() for value in rule.apply(pa.array(values)).to_pylist()]
    assert rule.opened(pa.array([value.lower() for value in masked])).to_pylist() == values


def test_letters_that_spell_too_large_a_number_do_not_open():
    rule = Email(secret=SECRET)
    (masked,) = rule.apply(pa.array(["zhangwei@example.com"])).to_pylist()
    letters, ending = masked.split("@")
    assert rule.opened(pa.array(["z" * len(letters) + "@" + ending])).to_pylist() == [None]
    assert rule.opened(pa.array(["abc@" + ending, "a" * 80 + "@" + ending])).null_count == 2
    assert rule.opened(pa.array(["q" + masked[1:], masked + "x", "a@b", "a" + masked])).null_count == 4


def test_the_detector_takes_no_pseudonym_for_an_address():
    masked = mask(emails(500, 3))
    assert not any(Detector().find_many(masked))
    assert [finding.type for finding in detect_columns(pa.table({"c": masked}))] != ["EMAIL"]
    assert [finding.type for finding in detect_columns(pa.table({"c": emails(500, 3)}))] == ["EMAIL"]
    assert [finding.type for finding in Detector().find("x@y.cn x@y.invalid")] == ["EMAIL"]


def test_what_stands_under_invalid_is_still_read():
    """The ending is no hiding place: a mobile before @ is found."""
    assert [finding.type for finding in Detector().find("13800138000@qq.com.invalid")] == ["PHONE"]


def test_test_data_is_a_valid_address():
    values = emails(500, 4)
    for keep in ((), ("domain",)):
        masked = mask(values, valid_looking=True, keep=keep)
        assert checks.emails(pl.Series(masked)).all()
        assert not any(value.endswith(".invalid") for value in masked)
