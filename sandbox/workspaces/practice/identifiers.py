"""Identifiers of the right length and alphabet that are nobody's: recognisably invalid, yet code parses them.

Source: PRIVACY.md 9; the invalid forms are those of the product's own pseudonyms (``masking.techniques.identifiers``):
a check character off by a fixed offset, a mobile prefix and a plate's province that are not assigned, a domain that no
address has. Ranges for documentation where a standard keeps some (RFC 5737, RFC 7042).
"""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.detection.checks import ORG_WEIGHTS, RESIDENT_CHECKS, RESIDENT_WEIGHTS, USCC_ALPHABET, USCC_WEIGHTS
from masking.techniques.fixed_width import text_of
from masking.techniques.generalization.divisions import names
from masking.techniques.identifiers import bank_card, credit_code, mobile, plate, resident_id
from masking.techniques.identifiers.base import cycle, step_aside
from sandbox.workspaces.practice.draws import Indices, below, numbers

Letters = npt.NDArray[np.uint8]

_DIGITS: Final = np.frombuffer(b"0123456789", dtype=np.uint8)
_USCC: Final = np.frombuffer(USCC_ALPHABET.encode(), dtype=np.uint8)
_ORGANISATION: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def resident_ids(seed: str, persons: Indices, areas: Indices, days: npt.NDArray[Any], women: Indices) -> pa.Array:
    """18 characters: the person's county, day of birth and sex, and a wrong check character (GB 11643)."""
    matrix = np.empty((len(persons), 18), dtype=np.uint8)
    order = below(seed, "order", persons, 500) * 2 + 1 - women  # odd: a man
    _write(matrix, 0, areas, 6)
    _write(matrix, 6, _written(days), 8)
    _write(matrix, 14, order, 3)
    total = (matrix[:, :17].astype(np.int64) - 48) @ np.array(RESIDENT_WEIGHTS) % 11
    checks = np.frombuffer(RESIDENT_CHECKS.encode(), dtype=np.uint8)
    matrix[:, 17] = checks[(total + resident_id.MARK) % 11]
    step_aside(matrix, np.arange(len(persons)), cycle(RESIDENT_CHECKS))
    return text_of(matrix)


def mobiles(seed: str, persons: Indices) -> pa.Array:
    """11 digits that begin with 2; the next two are those of a prefix in use."""
    prefixes = np.array(mobile.PREFIXES) + 100
    matrix = np.empty((len(persons), 11), dtype=np.uint8)
    _write(matrix, 0, prefixes[below(seed, "mobile prefix", persons, len(prefixes))], 3)
    _write(matrix, 3, below(seed, "mobile", persons, 10**8), 8)
    return text_of(matrix)


def bank_cards(seed: str, persons: Indices) -> pa.Array:
    """19 digits that begin with 62 and end in a wrong Luhn digit."""
    matrix = np.empty((len(persons), 19), dtype=np.uint8)
    _write(matrix, 0, np.full(len(persons), 62), 2)
    _write(matrix, 2, below(seed, "card", persons, 10**16), 16)
    doubled = (matrix[:, 17::-2] - 48).astype(np.int64) * 2
    total = (doubled - 9 * (doubled > 9)).sum(axis=1) + (matrix[:, 16::-2].astype(np.int64) - 48).sum(axis=1)
    matrix[:, 18] = _DIGITS[(-total + bank_card.MARK) % 10]
    return text_of(matrix)


def credit_codes(seed: str, firms: Indices) -> pa.Array:
    """18 characters: 91, a county, a body, its organisation check, and a wrong check character (GB 32100)."""
    matrix = np.empty((len(firms), 18), dtype=np.uint8)
    _write(matrix, 0, np.full(len(firms), 91), 2)
    _write(matrix, 2, areas(seed, "firm area", firms), 6)
    rest = numbers(seed, "body", firms)
    for place in range(8, 16):
        rest, last = np.divmod(rest, np.uint64(31))
        matrix[:, place] = _USCC[last.astype(np.int64)]
    values = np.array([_ORGANISATION.find(chr(letter)) for letter in range(128)])
    check = 11 - values[matrix[:, 8:16]] @ np.array(ORG_WEIGHTS) % 11
    matrix[:, 16] = np.frombuffer(b"_123456789X0", dtype=np.uint8)[check]
    values = np.array([USCC_ALPHABET.find(chr(letter)) for letter in range(128)])
    total = values[matrix[:, :17]] @ np.array(USCC_WEIGHTS) % 31
    matrix[:, 17] = _USCC[(31 - total + credit_code.MARK) % 31]
    step_aside(matrix, np.arange(len(firms)), cycle(USCC_ALPHABET))
    return text_of(matrix)


def plates(seed: str, vehicles: Indices) -> pa.Array:
    """Seven places; the sign of no province stands in front."""
    signs = pa.array(list(plate.MARKS)).take(pa.array(below(seed, "plate sign", vehicles, len(plate.MARKS))))
    matrix = np.empty((len(vehicles), 6), dtype=np.uint8)
    matrix[:, 0] = np.frombuffer(plate.CITIES.encode(), np.uint8)[below(seed, "plate city", vehicles, 24)]
    _write(matrix, 1, below(seed, "plate", vehicles, 10**5), 5)
    return pc.binary_join_element_wise(signs, text_of(matrix), "")


def emails(persons: Indices) -> pa.Array:
    """Addresses under ``.invalid`` (RFC 2606)."""
    return pc.binary_join_element_wise("user", _padded(persons, 6), "@practice.invalid", "")


def others(kind: str, seed: str, at: Indices) -> pa.Array | None:
    """Numbers of kinds that have no check digit: ranges kept for documentation, or a beginning that none has."""
    match kind:
        case "IP":
            nets = pa.array(["192.0.2.", "198.51.100.", "203.0.113."]).take(pa.array(at // 254 % 3))
            return pc.binary_join_element_wise(nets, pa.array(at % 254 + 1).cast(pa.string()), "")
        case "MAC":
            texts = pa.array([f"00-00-5E-00-53-{number:02X}" for number in range(256)])
            return texts.take(pa.array(at % 256))
        case "VIN":
            return pc.binary_join_element_wise("LPRACTICE", _padded(below(seed, "vin", at, 10**8), 8), "")
        case _:
            start = _BEGINNINGS.get(kind)
            return None if start is None else pc.binary_join_element_wise(start[0], _padded(at, start[1]), "")


def patterned(pattern: str, at: Indices) -> pa.Array:
    """An index spelled in a pattern of the policy: ``#`` a digit of it, from the right; all else stands as it is."""
    width = pattern.count("#")
    digits = _padded(at % 10 ** min(width, 18), width) if width else None
    parts: list[Any] = []
    place = 0
    for letter in pattern:
        if letter == "#":
            parts.append(pc.utf8_slice_codeunits(digits, place, place + 1))
            place += 1
        else:
            parts.append(letter)
    if not width:
        return pa.repeat(pa.scalar(pattern), len(at))
    return pc.binary_join_element_wise(*parts, "")


def areas(seed: str, word: str, at: Indices) -> Indices:
    """Six-digit county codes (GB/T 2260) of firms or persons."""
    codes = _counties()
    return codes[below(seed, word, at, len(codes))]


_BEGINNINGS: Final[dict[str, tuple[str, int]]] = {
    "MEDICAL_RECORD": ("P", 9),
    "MEDICAL_INSURANCE": ("P", 11),
    "PASSPORT": ("X", 8),
    "TRAVEL_PERMIT": ("X", 8),
    "FOREIGN_PR": ("X", 14),
    "QQ": ("0", 8),
    "WECHAT": ("practice_", 6),
    "LANDLINE": ("0000-", 8),
    "MILITARY_ID": ("仿字第", 8),
    "ORG_CODE": ("PRACTICE-", 6),
    "DEVICE": ("00", 13),
}


@functools.cache
def _counties() -> Indices:
    return np.array(sorted(int(code) for code in names() if not code.endswith("00")), dtype=np.int64)


def _padded(given: Indices, width: int) -> pa.Array:
    return pc.utf8_lpad(pa.array(given).cast(pa.string()), width, padding="0")


def _write(matrix: Letters, start: int, given: Indices, width: int) -> None:
    for place in range(width):
        matrix[:, start + place] = given // 10 ** (width - 1 - place) % 10 + 48


def _written(days: npt.NDArray[Any]) -> Indices:
    """Days as numbers YYYYMMDD."""
    months = days.astype("datetime64[M]")
    years = days.astype("datetime64[Y]").astype(np.int64) + 1970
    of_month = (days - months).astype(np.int64) + 1
    return np.asarray((years * 100 + months.astype(np.int64) % 12 + 1) * 100 + of_month)
