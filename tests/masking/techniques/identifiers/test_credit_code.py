"""Credit codes: both checks, kinds, and no mobile within."""

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from masking.detection import checks
from masking.detection.invented import credit_codes
from masking.techniques.identifiers.credit_code import KINDS, REGISTRIES, CreditCode

SECRET = bytes(range(16))
CODE = "91350100M000100Y43"


def mask(values, **parameters):
    return CreditCode(**parameters, secret=SECRET).apply(pa.array(values)).to_pylist()


def with_check(body):
    total = sum(checks.USCC_ALPHABET.index(c) * w for c, w in zip(body, checks.USCC_WEIGHTS, strict=True))
    return body + checks.USCC_ALPHABET[(31 - total % 31) % 31]


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (CODE, True),
        (CODE.lower(), True),
        (with_check("91100000M000100Y4"), True),  # the State's registry
        (with_check("31110000400000448"), True),  # a law firm
        (with_check("A1110000M000100Y4"), True),
        (with_check("98350100M000100Y4"), False),  # no such kind
        (with_check("91990100M000100Y4"), False),  # no such province
        (with_check("913501A0M000100Y4"), False),
        (with_check("91350100M000100Y5"), False),  # the organisation code's check
        ("91350100M000100Y44", False),
        ("91350100M0001O0Y43", False),
        (CODE[:-1], False),
        (CODE + "0", False),
        ("L" + CODE[1:], False),
    ],
)
def test_what_is_valid(value, fits):
    assert (mask([value], on_invalid="null") != [None]) == fits


def test_pseudonyms_hold_a_right_organisation_code_and_all_kinds():
    masked = mask(credit_codes(20_000, 1))
    assert {value[:2].replace("L", "1") for value in masked} == set(KINDS)
    assert {value[2:4] for value in masked} == set(REGISTRIES)
    assert sum(map(checks.organisation_code, (value[8:17] for value in masked))) > 19_900  # but for an L


def test_the_digits_of_a_mobile_within_are_broken():
    values = credit_codes(50_000, 3, kinds=("13",))
    rule = CreditCode(keep=("kind",), secret=SECRET)
    masked = rule.apply(pa.array(values))
    broken = masked.filter(pc.match_substring_regex(masked, "^.?L"))
    assert len(broken) > 200
    assert pc.all(pc.match_substring_regex(broken, "^L[3-9][0-9]{9}[A-Z]")).as_py()
    assert not pc.any(pc.match_substring_regex(masked, "(^|[^0-9])1[3-9][0-9]{9}([^0-9]|$)")).as_py()
    assert rule.opened(masked).to_pylist() == values


def test_digits_only_are_no_resident_id_and_no_card():
    """Found by chance it is one of 10^9; here the codes are made so that the plain mark were valid otherwise."""
    rule = CreditCode(secret=SECRET)
    bodies = [
        f"{kind}{region}2{n:07d}"
        for kind in ("62", "81", "11", "53")
        for region in ("110119", "371200")
        for n in range(5000)
    ]
    matrix = np.frombuffer("".join(body + "00" for body in bodies).encode(), dtype=np.uint8).reshape(-1, 18)
    fields, _ = rule._read(matrix, marked=False)
    written = np.empty_like(matrix)
    rule._write(fields, written, marked=True)
    assert (written[:, :16] == matrix[:, :16]).all()
    text = pl.Series(written.view("S18")[:, 0].astype(str))
    assert text.str.contains("^[0-9]{18}$").sum() > 5000
    assert not any(valid(text).any() for valid in (checks.resident_ids, checks.bank_cards, checks.usccs))
    again, fit = rule._read(written, marked=True)
    assert fit.all()
    assert all((again[name] == fields[name]).all() for name in fields)


def test_kept_parts():
    values = credit_codes(2000, 5)
    assert [value[:4] for value in mask(values, keep=("kind", "province"))] == [value[:4] for value in values]
    derived = CreditCode(keep=("kind", "province"), secret=SECRET).derived(pa.array([CODE.lower(), "x"]))
    assert {part: column.to_pylist() for part, column in derived.items()} == {
        "kind": ["91", None],
        "province": ["35", None],
    }
