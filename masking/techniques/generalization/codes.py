"""Codes whose first characters are the coarser code: ICD-10, industries, goods."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl
import pyarrow as pa

from masking.errors import InvalidParameter, UnsupportedColumn
from masking.techniques.base import Context, Example, Technique, technique
from masking.techniques.generalization.formats import OnInvalid, is_text, replaced

_CODE = r"^[0-9A-Za-z./\-]+$"


@technique("generalization.code_prefix")
@dataclass(frozen=True)
class CodePrefix(Technique):
    """
    Keep the first ``keep_first`` characters of each code; the rest is cut, or each character of it replaced.

    Column: text or whole numbers; null stays null. Output: text. A code is ASCII letters, digits and ``. / -``.
    Unit: ``keep_first`` in characters, 1 or more: 3 of J18.901 is the ICD-10 category J18, 1 of C3911 the section C of
    GB/T 4754. ``character``: one character that stands for each one that is hidden, so that lengths stay; none: cut.
    ``on_invalid``: what becomes of a value that is shorter than ``keep_first`` or no code: the run stops (reject) or it
    becomes ``*`` and is counted (suppress). A code of exactly ``keep_first`` characters is of that level and stays.
    Loss: what the shorter code merges.
    Source: ISO/IEC 20889:2018, generalization; hierarchical codes such as GB/T 14396 (ICD-10) and GB/T 4754.

    Raises:
        InvalidParameter: ``keep_first`` is below 1 or ``character`` is not one character.
        UnsupportedColumn: the column is neither text nor whole numbers.
        InvalidValue: ``on_invalid`` is reject and there are such values.

    """

    keep_first: int
    character: str | None = None
    on_invalid: OnInvalid = "suppress"

    spec: ClassVar[tuple[Example, ...]] = (
        Example({"keep_first": 3}, ("J18.901", "J18", None), ("J18", "J18", None), "ICD-10 categories"),
        Example({"keep_first": 2, "character": "*"}, (3911, 61), ("39**", "61"), "lengths stay"),
        Example({"keep_first": 3}, ("J1", "肺炎，未特指"), ("*", "*"), "too short, and no code at all"),
    )

    def __post_init__(self) -> None:
        if self.keep_first < 1:
            raise InvalidParameter("keep_first must be 1 or more", parameter="keep_first")
        if self.character is not None and len(self.character) != 1:
            raise InvalidParameter("character must be one character", parameter="character")

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text."""
        if not (is_text(given) or pa.types.is_integer(given) or pa.types.is_null(given)):
            raise UnsupportedColumn(f"{self.name} works on text or whole numbers, not on {given}")
        return pa.string()

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        del context
        code = pl.Series("code", column.cast(pa.large_string()), dtype=pl.String)
        kept = code.str.slice(0, self.keep_first)
        if self.character is not None:
            rest = code.str.slice(self.keep_first)
            kept = kept + rest.str.replace_all(".", self.character.replace("$", "$$"))
        fits = code.str.contains(_CODE) & (code.str.len_bytes() >= self.keep_first)
        masked = pl.select(pl.when(fits).then(kept)).to_series()
        return replaced(column, masked.to_arrow().cast(pa.string()), self.on_invalid, "not a code of that length")
