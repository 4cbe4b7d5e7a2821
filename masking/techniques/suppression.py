"""
Suppression family: leave out a column, single cells, or the middle of its values.

Source: ISO/IEC 20889:2018, suppression and masking.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, UnsupportedColumn
from masking.techniques.base import Example, Technique, technique
from masking.techniques.fixed_width import as_string, as_text, flat

_LONG = 1 << 10
"""Characters up to which how a length is hidden is looked up in a table."""


@technique("suppression.drop")
@dataclass(frozen=True)
class Drop(Technique):
    """
    Leave the column out: it does not appear in the masked table.

    Column: any. As a column by itself it is all null.
    Loss: everything.
    Source: ISO/IEC 20889:2018, suppression: attribute suppression.
    """

    releases: ClassVar[str] = "nothing"
    spec: ClassVar[tuple[Example, ...]] = (Example({}, ("张三", None), (None, None), "nothing is left"),)

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """No type: the column is gone."""
        del given
        return pa.null()

    def _apply(self, column: pa.Array) -> pa.Array:
        return pa.nulls(len(column))

    def _nulls_kept(self, given: pa.Array, masked: pa.Array) -> bool:
        return masked.null_count == len(given)


@technique("suppression.local")
@dataclass(frozen=True)
class Local(Technique):
    """
    Empty the cells that stand out: those equal to one of ``values``, of the form ``pattern``, or outside the bounds.

    Column: any for ``values`` and ``pattern``, which look at the value as text (5, 5.0 and "5" are one value, dates are
    2020-01-31); numbers for ``lower`` and ``upper``, in the attribute's own unit, both inside. The type stays, null
    stays null. ``pattern`` is a regular expression (RE2) of the whole value. Not a number is outside every bound.
    ``all: true`` empties every cell and stands alone: what becomes of the records of a conditional rule
    (``otherwise: {technique: suppression.local, all: true}``).
    Loss: the emptied cells. Which cells are empty tells that something stood out there.
    Source: ISO/IEC 20889:2018, suppression: local suppression.

    Raises:
        InvalidParameter: nothing to suppress is named, ``all`` stands beside something, a pattern that is none, bounds
            in the wrong order.
        UnsupportedColumn: bounds for a column that is not numeric, values or a pattern for a nested or binary one.

    """

    values: tuple[str | int | float, ...] = ()
    pattern: str | None = None
    lower: float | None = None
    upper: float | None = None
    all: bool = False

    spec: ClassVar[tuple[Example, ...]] = (
        Example({"values": ["O型Rh阴性", "其他"]}, ("A型", "其他", None), ("A型", None, None), "rare values"),
        Example({"lower": 0, "upper": 100}, (-1, 0, 100, 101), (None, 0, 100, None), "outside the bounds"),
        Example({"pattern": "C[0-9]{2}.*"}, ("C34.9", "J18.9"), (None, "J18.9"), "a sensitive chapter of codes"),
        Example({"all": True}, ("甲", None), (None, None), "every cell"),
    )

    def __post_init__(self) -> None:
        named = bool(self.values) or self.pattern is not None or self.lower is not None or self.upper is not None
        if named == self.all:
            raise InvalidParameter(
                "give values, pattern, lower or upper; or `all: true` by itself for every cell", parameter="values"
            )
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise InvalidParameter("lower must not be above upper", parameter="lower")
        if self.pattern is not None:
            try:
                pc.match_substring_regex(pa.array([""]), self.pattern)
            except pa.ArrowException:
                raise InvalidParameter("pattern must be a regular expression (RE2)", parameter="pattern") from None

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """The column's own type."""
        if (self.lower is not None or self.upper is not None) and not _is_number(given):
            raise UnsupportedColumn(f"{self.name}: lower and upper work on numbers, not on {given}")
        binary = pa.types.is_binary(given) or pa.types.is_large_binary(given)
        if (self.values or self.pattern is not None) and (pa.types.is_nested(given) or binary):
            raise UnsupportedColumn(f"{self.name}: values and pattern work on text, numbers or dates, not on {given}")
        return given

    def _apply(self, column: pa.Array) -> pa.Array:
        return pc.if_else(self._stands_out(column), pa.scalar(None, column.type), column)

    def _stands_out(self, column: pa.Array) -> pa.Array:
        out = pa.array(np.full(len(column), self.all))
        if self.values or self.pattern is not None:
            text = as_text(column)
            if self.values:
                wanted = pa.concat_arrays([as_text(pa.array([value])) for value in self.values])
                out = pc.or_(out, pc.is_in(text, wanted))
            if self.pattern is not None:
                out = pc.or_(out, pc.match_substring_regex(text, rf"\A(?s:{self.pattern})\z"))
        if self.lower is not None or self.upper is not None:
            number = column.cast(pa.float64(), safe=False)
            inside = pa.scalar(True)
            if self.lower is not None:
                inside = pc.and_(inside, pc.greater_equal(number, float(self.lower)))
            if self.upper is not None:
                inside = pc.and_(inside, pc.less_equal(number, float(self.upper)))
            out = pc.or_(out, pc.invert(inside))
        return pc.fill_null(out, True)

    def _nulls_kept(self, given: pa.Array, masked: pa.Array) -> bool:
        return masked.null_count >= given.null_count


@technique("suppression.mask")
@dataclass(frozen=True)
class Mask(Technique):
    """
    Show the first and last characters of each value, replace every other by ``character``.

    Column: text or integers; null stays null. A value with no more than ``keep_first + keep_last`` characters is
    replaced whole, for nothing of it would be hidden. A mask for screens: what it shows still tells about the person,
    so it is no release technique by itself.
    Unit: ``keep_first`` and ``keep_last`` in characters, 0 or more. ``character`` is one character.
    Loss: the hidden characters; length is kept.
    Source: ISO/IEC 20889:2018, suppression: masking.

    Raises:
        InvalidParameter: a count is negative or ``character`` is not one character.
        UnsupportedColumn: the column is neither text nor integers.

    """

    keep_first: int = 0
    keep_last: int = 0
    character: str = "*"

    spec: ClassVar[tuple[Example, ...]] = (
        Example({"keep_first": 3, "keep_last": 4}, ("13800001234", None), ("138****1234", None), "a mobile number"),
        Example({"keep_first": 1}, ("张三丰", "李"), ("张**", "*"), "too short to hide anything: replaced whole"),
        Example({"keep_last": 2, "character": "#"}, ("", "abc"), ("", "#bc"), "empty stays empty"),
    )

    def __post_init__(self) -> None:
        for name in ("keep_first", "keep_last"):
            if getattr(self, name) < 0:
                raise InvalidParameter(f"{name} must be 0 or more", parameter=name)
        if len(self.character) != 1:
            raise InvalidParameter("character must be one character", parameter="character")

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text, whatever came in."""
        text = pa.types.is_string(given) or pa.types.is_large_string(given) or pa.types.is_string_view(given)
        if not (text or pa.types.is_integer(given) or pa.types.is_null(given)):
            raise UnsupportedColumn(f"{self.name} works on text or integers, not on {given}")
        return pa.string()

    def _apply(self, column: pa.Array) -> pa.Array:
        text = as_string(column)
        offsets, data = flat(text)
        if self.character.isascii() and len(text) and (not len(data) or data.max() < 0x80):
            return self._by_bytes(text, offsets, data)
        lengths = pc.utf8_length(text)
        longest = pc.max(lengths).as_py() or 0
        if longest > _LONG:
            return self._long(text)
        shown = self.keep_first + self.keep_last
        hidden = pa.array([self.character * (n if n <= shown else n - shown) for n in range(longest + 1)], text.type)
        nothing = pa.scalar("", text.type)
        short = pc.less_equal(lengths, shown)
        some_short = pc.any(short).as_py()

        def kept(start: int, stop: int | None = None) -> pa.Array:
            part = pc.utf8_slice_codeunits(text, start, stop)
            return pc.if_else(short, nothing, part) if some_short else part

        head = [kept(0, self.keep_first)] if self.keep_first else []
        tail = [kept(-self.keep_last)] if self.keep_last else []
        return pc.binary_join_element_wise(*head, hidden.take(lengths), *tail, nothing).cast(pa.string())

    def _by_bytes(self, text: pa.Array, offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]) -> pa.Array:
        """All values at once, where a character is a byte."""
        lengths = np.diff(offsets)
        shown = self.keep_first + self.keep_last
        masked = np.full(int(offsets[-1]), ord(self.character), dtype=np.uint8)
        if lengths[0] > shown and (lengths == lengths[0]).all():
            one, other = data.reshape(len(text), -1), masked.reshape(len(text), -1)
            first, last = self.keep_first, int(lengths[0]) - self.keep_last
            other[:, :first], other[:, last:] = one[:, :first], one[:, last:]
            return _column(masked, offsets, text)
        long = lengths > shown
        starts, ends = offsets[:-1][long], offsets[1:][long]
        kept = [starts + place for place in range(self.keep_first)]
        kept += [ends - place for place in range(1, self.keep_last + 1)]
        for places in kept:
            masked[places] = data[places]
        return _column(masked, offsets, text)

    def _long(self, text: pa.Array) -> pa.Array:
        """Values of any length, without a table of how each length is hidden."""
        value = pl.col("v")
        length = value.str.len_chars()
        hidden = pl.lit(self.character)
        frame = pl.DataFrame({"v": pl.Series(text, dtype=pl.String)})
        shown = self.keep_first + self.keep_last
        middle = value.str.slice(self.keep_first, pl.max_horizontal(length.cast(pl.Int64) - shown, 0))
        stars = _repeated(hidden, middle)
        tail = value.str.tail(self.keep_last) if self.keep_last else pl.lit("")
        masked = (
            pl.when(value.is_null())
            .then(None)
            .when(length > shown)
            .then(value.str.head(self.keep_first) + stars + tail)
            .otherwise(_repeated(hidden, value))
        )
        return _arrow(frame.select(masked.alias("v"))["v"])


def _is_number(kind: pa.DataType) -> bool:
    return (
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)
    )


def _column(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], like: pa.Array) -> pa.Array:
    """A string column of these bytes, null where ``like`` is null."""
    valid = pc.is_valid(like).buffers()[1] if like.null_count else None
    if len(data) < 2**31:
        return pa.StringArray.from_buffers(
            len(like), pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data), null_bitmap=valid
        )
    return pa.LargeStringArray.from_buffers(
        len(like), pa.py_buffer(offsets), pa.py_buffer(data), null_bitmap=valid
    ).cast(pa.string())


def _repeated(character: pl.Expr, text: pl.Expr) -> pl.Expr:
    """``character`` as often as ``text`` has characters; (?s) makes the dot match line breaks too."""
    return text.str.replace_all("(?s).", character, literal=False)


def _arrow(series: pl.Series) -> pa.Array:
    array = series.to_arrow()
    return array.cast(pa.string())
