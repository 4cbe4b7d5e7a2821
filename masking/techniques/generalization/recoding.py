"""Generalization as far as the limits ask: the policy gives the hierarchy, a search finds the levels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from masking import hierarchies
from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from masking.hierarchies import Hierarchy
from masking.hierarchies.build import check_prefixes, check_steps
from masking.techniques.base import Context, Example, Technique, technique
from masking.techniques.generalization.formats import is_text
from masking.techniques.generalization.hierarchies import file_beside

_HIGHEST_WEIGHT = 1e6


@technique("generalization.recoding")
@dataclass(frozen=True)
class Recoding(Technique):
    """
    Generalize up a hierarchy, no further than the policy's limits ask: all such attributes are decided together.

    Column: text, numbers, dates; a null is a value of its own that only ``*`` merges. Output: text; a record that no
    class has room for holds ``*`` in every quasi-identifier.
    The hierarchy is one of: ``mapping`` (for each value its ancestors, nearest first), ``file`` (a CSV in the policy's
    folder, leaf first, coarsest last, without a header), ``intervals`` (steps, each a multiple of the one before,
    counted from ``origin``), ``prefixes`` (falling lengths; the rest becomes ``fill``), ``calendar`` (month, quarter,
    year, decade). None of them: the value, then ``*``.
    ``lowest`` and ``highest`` bound the level (0 is the value itself, null: up to ``*``); ``weight``: how much a loss
    of this attribute counts against the others. ``recoding:`` beside the limits says whether one level holds for the
    whole column (global) or each class has its own (local). Without limits every value is at its lowest level.
    Loss: the least that the search finds; the report says how much.
    Source: ISO/IEC 20889:2018, generalization; Samarati and Sweeney, 1998; El Emam et al., 2009 (lattice search).

    Raises:
        InvalidParameter: more than one hierarchy, levels that it does not have, a weight that is not above 0.
        UnsupportedColumn: intervals of a column that is not numeric, a calendar of one that holds no dates.
        InvalidValue: values that the hierarchy does not name.

    """

    mapping: Mapping[str, Any] | None = None
    file: str | None = None
    intervals: tuple[float, ...] | None = None
    origin: float = 0.0
    prefixes: tuple[int, ...] | None = None
    fill: str = "*"
    calendar: bool = False
    lowest: int = 0
    highest: int | None = None
    weight: float = 1.0
    given: Hierarchy | None = field(default=None, repr=False, compare=False, metadata={"internal": True})

    spec: ClassVar[tuple[Example, ...]] = (
        Example({"intervals": [5, 10], "lowest": 1}, (23, 7, None), ("20-24", "5-9", None), "five years at least"),
        Example({"prefixes": [4, 2], "fill": "0", "lowest": 2}, ("430102",), ("430000",), "the province"),
        Example({"mapping": {"长沙": ["湖南"], "武汉": ["湖北"]}}, ("长沙", None), ("长沙", None), "no limit, no loss"),
    )

    def __post_init__(self) -> None:
        kinds = ("mapping", "file", "intervals", "prefixes", "calendar")
        chosen = [name for name in kinds if getattr(self, name) not in (None, False)]
        if len(chosen) > 1:
            raise InvalidParameter(f"give one hierarchy, not {chosen}", parameter=chosen[1])
        if not 0 < self.weight <= _HIGHEST_WEIGHT:
            raise InvalidParameter("weight must be above 0 and at most 1,000,000", parameter="weight")
        if self.lowest < 0 or (self.highest is not None and self.highest < self.lowest):
            raise InvalidParameter("levels must be 0 <= lowest <= highest", parameter="lowest")
        if self.intervals is not None:
            check_steps(self.intervals)
        if self.prefixes is not None:
            check_prefixes(self.prefixes, self.fill)
        if self.mapping is not None:
            object.__setattr__(self, "given", hierarchies.as_hierarchy(self.mapping))
        self._levels_exist()

    @classmethod
    def _made(cls, values: dict[str, Any], files: Path | None) -> "Recoding":
        made = cls(**values)
        if made.file is not None:
            object.__setattr__(made, "given", hierarchies.as_hierarchy(file_beside(made.file, files)))
            made._levels_exist()
        return made

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text."""
        number = pa.types.is_integer(given) or pa.types.is_floating(given) or pa.types.is_decimal(given)
        date = pa.types.is_date(given) or pa.types.is_timestamp(given)
        if self.intervals is not None and not number and not pa.types.is_null(given):
            raise UnsupportedColumn(f"intervals need numbers, not {given}")
        if self.calendar and not date and not pa.types.is_null(given):
            raise UnsupportedColumn(f"calendar levels need dates, not {given}")
        if not (is_text(given) or number or date or pa.types.is_boolean(given) or pa.types.is_null(given)):
            raise UnsupportedColumn(f"{self.name} does not work on {given}")
        return pa.string()

    def hierarchy_of(self, column: pa.Array | pa.ChunkedArray) -> Hierarchy:
        """The hierarchy of a column's values; built ones hold these values only, and no bound depends on them."""
        if self.given is not None:
            return self.given
        if self.intervals is not None:
            return hierarchies.by_interval(column, self.intervals, origin=self.origin)
        if self.prefixes is not None:
            return hierarchies.by_prefix(column, self.prefixes, fill=self.fill)
        return hierarchies.by_date(column) if self.calendar else hierarchies.flat(column)

    def range_of(self, hierarchy: Hierarchy) -> tuple[int, int]:
        """The lowest and highest level that the search may use."""
        highest = hierarchy.height if self.highest is None else self.highest
        return self.lowest, highest

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        del context
        if column.null_count == len(column):
            return pa.nulls(len(column), pa.string()), 0
        hierarchy = self.hierarchy_of(column)
        leaves, _ = hierarchy.find(column)
        known = leaves >= 0
        wrong = np.flatnonzero(~known & np.asarray(column.is_valid().to_numpy(zero_copy_only=False)))
        if len(wrong):
            raise InvalidValue("the hierarchy does not name them", count=len(wrong), first_rows=wrong[:5].tolist())
        masked = hierarchy.written(np.where(known, leaves, 0), self.lowest)
        return pc.if_else(pa.array(known), masked, pa.scalar(None, pa.string())), 0

    def _levels_exist(self) -> None:
        height = self._height()
        if height is not None and max(self.lowest, self.highest or 0) > height:
            raise InvalidParameter(f"the hierarchy has the levels 0 to {height}", parameter="highest")

    def _height(self) -> int | None:
        """The level of ``*``; None while the file has not been read."""
        if self.given is not None:
            return self.given.height
        if self.file is not None:
            return None
        steps = self.intervals if self.intervals is not None else self.prefixes
        if steps is not None:
            return len(steps) + 1
        return 5 if self.calendar else 1
