"""The practice population of a workspace: persons and firms that exist only by their number.

All tables of a workspace take their rows from it, so that tables with the same identifier join, and one person has one
sex, one day of birth and one resident ID that agree. Ages follow the census of 2020 in four broad bands (国家统计局,
第七次全国人口普查公报第五号); nothing else is known of anybody.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.techniques.generalization.divisions import full_names
from masking.techniques.surrogates import pool
from sandbox.workspaces.practice import identifiers
from sandbox.workspaces.practice.codes import SENTENCES
from sandbox.workspaces.practice.draws import Indices, Uniforms, below, numbers, shuffled, uniforms

DAY: Final = np.datetime64("2025-12-31", "D")
AGES: Final = (0.0, 15.0, 60.0, 65.0, 95.0)
SHARES: Final = (0.0, 0.1795, 0.8130, 0.8650, 1.0)
"""Cumulated share of persons below each age."""
WIDTH: Final = 16
"""How many persons the population holds for each that a table takes: room for tables that must follow figures."""
LARGEST: Final = 800_000
ABSENT: Final = 10
"""One in so many persons is left out of each table, another one of each: joins have rows without a match."""
ROWS_EACH: Final = 3


@dataclass(frozen=True, slots=True)
class Population:
    """Everything about the persons and firms of one seed."""

    seed: str

    def women(self, persons: Indices) -> Indices:
        """1 for a woman, 0 for a man."""
        return (uniforms(self.seed, "sex", persons) < 0.5).astype(np.int64)

    def born(self, persons: Indices) -> npt.NDArray[Any]:
        """Days of birth."""
        years = np.interp(uniforms(self.seed, "age", persons), SHARES, AGES)
        return np.asarray(DAY - (years * 365.25).astype("timedelta64[D]"))

    def ages(self, persons: Indices) -> Indices:
        """Completed years on the last day of 2025."""
        born = self.born(persons)
        years = born.astype("datetime64[Y]").astype(np.int64) + 1970
        return np.asarray(2025 - years)

    def areas(self, persons: Indices) -> Indices:
        """Six-digit county codes."""
        return identifiers.areas(self.seed, "area", persons)

    def resident_ids(self, persons: Indices) -> pa.Array:
        """Invalid resident IDs that agree with area, day of birth and sex."""
        parts = self.areas(persons), self.born(persons), self.women(persons)
        return identifiers.resident_ids(self.seed, persons, *parts)

    def names(self, persons: Indices) -> pa.Array:
        """Names put together from Faker's lists."""
        return pool("person", "zh_CN", "").pick(numbers(self.seed, "name", persons))

    def firm_names(self, firms: Indices) -> pa.Array:
        """Names of firms that say that they are made."""
        made = pool("company", "zh_CN", "").pick(numbers(self.seed, "firm name", firms))
        return pc.binary_join_element_wise("仿真", made, "")

    def addresses(self, at: Indices, areas: Indices) -> pa.Array:
        """A county by its full name, a road that no city has, a number."""
        known, places = np.unique(areas, return_inverse=True)
        counties = pa.array([full_names()[str(code)] for code in known.tolist()], pa.string()).take(pa.array(places))
        roads = pa.array(["练习路", "示例大道", "仿真街", "调试巷"]).take(pa.array(below(self.seed, "road", at, 4)))
        doors = pa.array(below(self.seed, "door", at, 300) + 1).cast(pa.string())
        return pc.binary_join_element_wise(counties, roads, doors, "号", "")

    def sentences(self, sector: str, word: str, persons: Indices, rows: Indices) -> pa.Array:
        """Free text of a sector that names the person of the row as such texts do."""
        templates = SENTENCES[sector]
        which = below(self.seed, f"{word} sentence", rows, len(templates))
        fields = {
            "name": self.names(persons),
            "phone": identifiers.mobiles(self.seed, persons),
            "days": pa.array(below(self.seed, f"{word} days", rows, 28) + 2).cast(pa.string()),
            "few": pa.array(below(self.seed, f"{word} few", rows, 5) + 1).cast(pa.string()),
            "temperature": pa.array((below(self.seed, f"{word} heat", rows, 25) + 370) / 10).cast(pa.string()),
        }
        made = [_filled(template, fields, len(rows)) for template in templates]
        return pc.choose(pa.array(which), *made)

    def taken(self, entity: str, word: str, count: int, weights: Any = None) -> Indices:
        """``count`` different persons or firms, the same ones for every table of this length but for one in ten.

        ``weights`` (from indices to positive numbers) makes some likelier (Efraimidis and Spirakis, 2006).
        """
        everyone = np.arange(size(count))
        drawn: Uniforms = uniforms(self.seed, f"{entity} taken", everyone)
        if weights is not None:
            given = np.asarray(weights(everyone), dtype=np.float64)
            drawn = np.where(given > 0, -np.log1p(-drawn) / np.where(given > 0, given, 1.0), np.inf)
        absent = below(self.seed, f"{entity} absent {word}", everyone, ABSENT) == 0
        keys = np.where(absent, np.inf, drawn)
        first = np.argpartition(keys, min(count, len(keys) - 1))[:count] if count else everyone[:0]
        first = first[np.isfinite(keys[first])]
        first = first[np.argsort(keys[first], kind="stable")]
        if len(first) < count:  # too few of them have any weight
            first = np.resize(first if len(first) else everyone, count)
        return np.asarray(first[shuffled(self.seed, f"{entity} order {word}", count)])

    def repeated(self, word: str, chosen: Indices, rows: int) -> Indices:
        """Each of ``chosen`` on one row at least, some on many."""
        if not len(chosen):
            return np.zeros(rows, dtype=np.int64)
        more = uniforms(self.seed, f"more {word}", np.arange(max(0, rows - len(chosen))))
        places = np.concatenate([np.arange(min(rows, len(chosen))), (more**2 * len(chosen)).astype(np.int64)])
        return np.asarray(chosen[places][shuffled(self.seed, f"rows {word}", rows)])


def size(count: int) -> int:
    """How many persons there are for a table of ``count``; tables of any length share the first ones."""
    return max(min(WIDTH * count, LARGEST), 2 * count)


def _filled(template: str, fields: dict[str, pa.Array], rows: int) -> pa.Array:
    parts = [fields.get(part, part) for part in _pieces(template)]
    if all(isinstance(part, str) for part in parts):
        return pa.repeat(pa.scalar("".join(parts)), rows)
    return pc.binary_join_element_wise(*parts, "")


@functools.cache
def _pieces(template: str) -> tuple[str, ...]:
    return tuple(piece for part in template.split("{") for piece in part.split("}") if piece)
