"""
Consistent surrogates: names, firms, addresses and jobs that stand for values under a key; and running numbers.

A surrogate is put together from Faker's word lists (zh_CN, en_US): the value's AES-CMAC is a number, its digits in a
mixed radix choose a word of each list. Whole columns at once, no generator is called for a record. The lists are those
of the installed Faker: another version may give other surrogates, so a line of editions stays with one.
"""

import dataclasses
import functools
import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from masking.techniques.base import Context, Example, Technique, WholeColumn, secret_field, technique
from masking.techniques.fixed_width import as_text, by_length
from masking.techniques.pseudonymization import ColumnCMAC

Kind = Literal["person", "company", "address", "street", "job"]
Locale = Literal["zh_CN", "en_US"]
Numbers = npt.NDArray[np.uint64]
MARKS = {"zh_CN": {"person": "（化名）"}, "en_US": {"person": " (alias)"}}
OTHER_MARKS = {"zh_CN": "（虚构）", "en_US": " (fictitious)"}
_IN_NAMES = "-.,'’·、"


@dataclass(frozen=True)
class Pool:
    """All that can be put together by one word of each list, in order; every combination is one surrogate."""

    lists: tuple[tuple[str, ...], ...] = field(repr=False)

    @property
    def size(self) -> int:
        """How many combinations there are, below 2^64."""
        return math.prod(len(words) for words in self.lists)

    def pick(self, numbers: Numbers) -> pa.Array:
        """The combination of each number, counted modulo ``size``: a text column."""
        rest = numbers % np.uint64(self.size)
        parts = []
        for words in self.lists:
            rest, place = np.divmod(rest, np.uint64(len(words)))
            parts.append(pa.array(words, pa.string()).take(pa.array(place.astype(np.int64))))
        return pc.binary_join_element_wise(*parts, "")


@functools.cache
def pool(kind: Kind, locale: Locale, mark: str) -> Pool:
    """The pool of a kind: the words of Faker's lists, each once, with ``mark`` behind."""
    return Pool((*_LISTS[locale](kind), (mark,)))


def check_mark(mark: str | None, kind: Kind, locale: Locale) -> str:
    """The mark that stands behind each surrogate, so that nobody takes it for a real one (PRIVACY 9).

    Raises:
        InvalidParameter: ``mark`` could be a part of a name.
    """
    if mark is None:
        return MARKS[locale].get(kind, OTHER_MARKS[locale])
    if all(c.isalnum() or c.isspace() or c in _IN_NAMES for c in mark):
        raise InvalidParameter(
            "mark must hold a character that no name has, such as （化名） or *: surrogates are recognisable",
            parameter="mark",
        )
    return mark


def keyed_numbers(secret: bytes, column: pa.Array) -> Numbers:
    """64 bits of each value's AES-CMAC, one number a value whatever type holds it; 0 for null."""
    numbers = np.zeros(len(column), dtype=np.uint64)
    cmac = ColumnCMAC(secret)
    for _, rows, matrix in by_length(as_text(column)):
        numbers[rows] = np.ascontiguousarray(cmac.macs(matrix)[:, :8]).view("<u8")[:, 0]
    return numbers


@technique("pseudonymization.surrogate")
@dataclass(frozen=True)
class Surrogate(Technique):
    """
    Replace each value by an invented person, company, address, street or job that depends on value and key only.

    Column: text, numbers or dates; a value has one surrogate whatever type holds it. Null stays null. Output: text.
    ``kind``: person, company, address, street or job. ``locale``: zh_CN or en_US. ``mark`` stands behind each surrogate
    so that nobody takes it for a real person: 王芳（化名）, Mary A. Smith (alias); another mark must hold a character
    that no name has.
    Equal values have equal surrogates under one key, different ones mostly different: it is **no bijection**. Of n
    values about n^2 / 2N pairs share a surrogate, where N is the size of the pool: in Chinese 2.9 million persons, 1.9
    million companies, 10^11 addresses, 931,000 streets, 948 jobs; in English 18 million, 6 million, 10^15, 195 million
    and 639. So 1,000 Chinese names have 0.2 such pairs, 10,000 have 17. Where records are counted or joined, use
    pseudonymization.keyed.
    Loss: everything but equality. Whoever holds the key can try values: de-identified, never anonymized.
    Source: ISO/IEC 20889:2018, pseudonymization; word lists of Faker (MIT), so the installed version is a part of the
    result.

    Raises:
        InvalidParameter: ``mark`` could be a part of a name.
        UnsupportedColumn: the column is nested or binary.

    """

    kind: Kind
    locale: Locale = "zh_CN"
    mark: str | None = None
    secret: bytes = secret_field()

    needs_key: ClassVar[bool] = True
    releases: ClassVar[str] = "token"
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {"kind": "person"},
            ("张三", "李四", None, "张三"),
            ("宣荣梅（化名）", "阎慧柳（化名）", None, "宣荣梅（化名）"),
            "equal values have equal surrogates",
        ),
        Example({"kind": "company", "mark": "※"}, ("甲公司",), ("嘉禾兵萍信息有限公司※",), "own mark"),
        Example({"kind": "address"}, ("人民路3号",), ("福建省宜都市梁平区林街191号（虚构）",), "Chinese address"),
        Example({"kind": "person", "locale": "en_US"}, ("John Doe",), ("Amber G. Austin (alias)",), "English names"),
    )

    def __post_init__(self) -> None:
        check_mark(self.mark, self.kind, self.locale)

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text, whatever came in."""
        return _text_of_anything(self.name, given)

    def _apply(self, column: pa.Array) -> pa.Array:
        picked = pool(self.kind, self.locale, check_mark(self.mark, self.kind, self.locale)).pick(
            keyed_numbers(self.secret, column)
        )
        return pc.if_else(pc.is_valid(column), picked, pa.scalar(None, pa.string()))


@dataclass(frozen=True, eq=False)
class Ranks:
    """The keyed hashes of all distinct values, increasing: a value's number is its place. Shows none."""

    hashes: Numbers = field(repr=False)

    def find(self, wanted: Numbers) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Numbers from 1, and which of them are there at all."""
        places = np.searchsorted(self.hashes, wanted)
        known = places < len(self.hashes)
        known[known] = self.hashes[places[known]] == wanted[known]
        return places + 1, known


@technique("pseudonymization.sequence")
@dataclass(frozen=True)
class RunningNumbers(WholeColumn):
    """
    Replace each value by a running number such as ``P0000001``; numbers follow the order of keyed hashes.

    Column: text, numbers or dates; a value has one number whatever type holds it. Null stays null. Output: text.
    Unit: ``width`` is the number of digits, 1 to 18; a column with more distinct values is refused. ``prefix`` stands
    in front.
    The order of the numbers tells nothing about values or records. The numbers are the same for the same **set** of
    values under one key, in whatever order records come; one value more or less shifts the numbers of the others, so
    editions and tables with other values do not join (pseudonymization.keyed does). The highest number is the count of
    distinct values.
    Loss: everything but equality. Two values share a number with probability n^2 / 2^65 for n values.
    Source: ISO/IEC 20889:2018, pseudonymization; order: AES-CMAC, RFC 4493.

    Raises:
        InvalidParameter: ``width`` is outside its interval or too small for the column, or ``fit`` was not called.
        UnsupportedColumn: the column is nested or binary.
        InvalidValue: values that were not there when the column was read as a whole.

    """

    prefix: str = "P"
    width: int = 7
    secret: bytes = secret_field()
    ranks: Ranks | None = field(default=None, repr=False, compare=False, metadata={"internal": True}, kw_only=True)

    needs_key: ClassVar[bool] = True
    releases: ClassVar[str] = "token"
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {},
            ("张三", "李四", "王五", "赵六", "钱七", None, "张三"),
            ("P0000001", "P0000004", "P0000003", "P0000005", "P0000002", None, "P0000001"),
            "equal values have equal numbers",
        ),
        Example(
            {"prefix": "户", "width": 3},
            (30, 10, 20, 50, 40, 60),
            ("户001", "户005", "户004", "户003", "户006", "户002"),
            "the order of values does not show",
        ),
    )

    def __post_init__(self) -> None:
        if not 1 <= self.width <= 18:
            raise InvalidParameter("width must be in [1, 18]", parameter="width")

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text, whatever came in."""
        return _text_of_anything(self.name, given)

    def _fitted(self, column: pa.Array, context: Context) -> "WholeColumn":
        del context
        hashes = np.unique(keyed_numbers(self.secret, column.drop_null()))
        if len(hashes) >= 10**self.width:
            raise InvalidParameter(f"width {self.width} is too small for {len(hashes)} values", parameter="width")
        return dataclasses.replace(self, ranks=Ranks(hashes))

    def _apply(self, column: pa.Array) -> pa.Array:
        if self.ranks is None:
            raise InvalidParameter(f"{self.name} has to see the whole column first: call fit")
        valid = pc.is_valid(column).to_numpy(zero_copy_only=False)
        numbers, known = self.ranks.find(keyed_numbers(self.secret, column))
        strange = np.flatnonzero(valid & ~known)
        if len(strange):
            raise InvalidValue(
                "not in the column when it was read as a whole", count=len(strange), first_rows=strange[:5].tolist()
            )
        digits = pa.array(numbers, mask=~valid).cast(pa.string())
        return pc.binary_join_element_wise(self.prefix, pc.utf8_lpad(digits, self.width, padding="0"), "")


def _text_of_anything(name: str, given: pa.DataType) -> pa.DataType:
    if pa.types.is_nested(given) or pa.types.is_binary(given) or pa.types.is_large_binary(given):
        raise UnsupportedColumn(f"{name} works on text, numbers or dates, not on {given}")
    return pa.string()


def _chinese(kind: Kind) -> tuple[tuple[str, ...], ...]:
    person, places, firms = (_provider(part, "zh_CN") for part in ("person", "address", "company"))
    surnames = _once(person.last_names)
    given = _once(name for name in person.first_names if len(name) == 1)
    ways = ("街", "路")
    if kind == "person":
        return surnames, given, ("", *given)
    if kind == "company":
        return _once(places.cities), given, given, _once(firms.company_suffixes)
    if kind == "street":
        return _once((*places.cities, *surnames)), ways, _numbers(999, "号")
    if kind == "address":
        towns, districts = _ending(places.cities, "市"), _ending(places.districts, "区")
        return _once(places.provinces), towns, districts, surnames, ways, _numbers(999, "号")
    return (_once(_provider("job", "zh_CN").jobs),)


def _english(kind: Kind) -> tuple[tuple[str, ...], ...]:
    person, places, firms = (_provider(part, "en_US") for part in ("person", "address", "company"))
    first, last = _once(person.first_names), _once(person.last_names)
    ways = _ending(places.street_suffixes, "", " ")
    if kind == "person":
        return first, tuple(f" {chr(letter)}. " for letter in range(ord("A"), ord("Z") + 1)), last
    if kind == "company":
        return last, _ending(last, "", "-"), _ending(firms.company_suffixes, "", " ")
    if kind == "street":
        return _numbers(999, " "), last, ways
    if kind == "address":
        towns = _ending(last, "", ", ")
        return (
            _numbers(9999, " "),
            last,
            ways,
            towns,
            _once(places.city_suffixes),
            _ending(places.states_abbr, "", ", "),
        )
    return (_once(_provider("job", "en_US").jobs),)


_LISTS = {"zh_CN": _chinese, "en_US": _english}


def _provider(part: str, locale: str) -> Any:
    return importlib.import_module(f"faker.providers.{part}.{locale}").Provider


def _once(words: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _ending(words: Sequence[str], end: str, start: str = "") -> tuple[str, ...]:
    return tuple(f"{start}{word}{end}" for word in _once(words))


def _numbers(last: int, end: str) -> tuple[str, ...]:
    return tuple(f"{number}{end}" for number in range(1, last + 1))
