"""Plates: every shape of GA 36, signs for provinces."""

import re

import numpy as np
import pyarrow as pa
import pytest

from masking.detection import checks
from masking.techniques.identifiers.plate import CITIES, MARKS, PROVINCES, TAILS, Plate

SECRET = bytes(range(16))


def mask(values, **parameters):
    return Plate(**parameters, secret=SECRET).apply(pa.array(values)).to_pylist()


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("京A12345", True),
        ("京a1b3c5", True),
        ("京A·12345", True),
        ("京A-12345", True),
        ("沪AD12345", True),  # new energy, small
        ("沪AKA1234", True),
        ("沪A12345F", True),  # new energy, large
        ("沪AL12345", False),
        ("沪A12345G", False),
        ("粤Z1234港", True),
        ("川A1234警", True),
        ("川A12警34", False),
        ("川A123挂5", False),
        ("京I12345", False),
        ("京AO2345", False),
        ("甲A12345", False),
        ("A12345", False),
        ("京A1234", False),
        ("京A123456", False),
        ("京A··12345", False),
        ("\x01A12345", False),
        ("京A1234@", False),
        ("WJ京1234", False),
    ],
)
def test_what_is_valid(value, fits):
    assert (mask([value], on_invalid="null") != [None]) == fits


def test_signs_are_no_provinces():
    assert len(set(MARKS)) == len(MARKS) == len(PROVINCES) == len(set(PROVINCES))
    assert not set(MARKS) & set(PROVINCES)
    assert f"[{PROVINCES}]" in checks.PLATE
    masked = mask([f"{province}{city}12345" for province in PROVINCES for city in CITIES])
    assert {value[0] for value in masked} == set(MARKS)
    assert not any(re.search(checks.PLATE, value) for value in masked)


def test_spelling_does_not_count():
    assert len(set(mask(["京A1B3C5", "京a1b3c5", "京A·1B3C5", "京A•1b3c5", "京A 1B3C5", "京A.1B3C5"]))) == 1


@pytest.mark.parametrize("length", [7, 8])
def test_every_tail_is_one_plate(length):
    rule = Plate(secret=SECRET)
    tails = np.arange(TAILS[length], dtype=np.uint64)
    if length == 7:  # 55 million: a part, with both ends
        tails = np.concatenate([tails[: 10**5], tails[::997], tails[-(10**5) :]])
    fields = {"province": tails % np.uint64(31), "city": tails % np.uint64(24), "tail": tails}
    matrix = np.empty((len(tails), length), dtype=np.uint8)
    rule._write(fields, matrix, marked=False)
    again, fit = rule._read(matrix, marked=False)
    assert fit.all()
    assert all((again[name] == fields[name]).all() for name in fields)
    few = np.random.default_rng(1).integers(0, len(tails), 2000)
    plates = rule._spelled(
        pa.array(matrix[few].view(f"S{length}")[:, 0].astype(str).tolist()), marked=False
    ).to_pylist()
    assert all(re.fullmatch(checks.PLATE, plate) for plate in plates)


def test_kept_parts():
    values = [f"{province}{city}{n:05d}" for province in "京沪川" for city in "AB" for n in range(200)]
    masked = mask(values, keep=("province", "city"))
    assert [PROVINCES[MARKS.index(value[0])] + value[1] for value in masked] == [value[:2] for value in values]
    derived = Plate(keep=("province", "city"), secret=SECRET).derived(pa.array(["京a·12345", None]))
    assert {part: column.to_pylist() for part, column in derived.items()} == {
        "province": ["京", None],
        "city": ["A", None],
    }
