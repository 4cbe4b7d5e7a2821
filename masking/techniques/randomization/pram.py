"""Post-randomization of categories, drawn once for each record."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from masking.techniques.base import Context, Example, Technique, record_field, secret_field, technique
from masking.techniques.draws import draws, uniforms
from masking.techniques.fixed_width import as_text
from masking.techniques.randomization.columns import is_text


@technique("randomization.pram")
@dataclass(frozen=True)
class Pram(Technique):
    """
    Keep each category with probability ``keep``, else draw one from ``values``.

    Column: text or whole numbers; null stays null.
    ``values``: all categories, as the standard or the publication lists them. ``weights``: how often each is drawn, all
    alike by default; with the attribute's published distribution the expected frequencies do not change (invariant
    PRAM). ``on_invalid``: a value that is none of the values stops the run (reject) or becomes null; it never passes.
    Unit: ``keep`` in [0, 1). A kept value may also be drawn: see ``transition_matrix``.
    Loss: whether a category is true. Frequencies can be estimated, since the matrix is published with the data.
    Drawn once for each record and attribute; records that ``record`` does not tell apart have the same draws.
    Source: Gouweleeuw et al., 1998; ISO/IEC 20889:2018, randomization.

    Raises:
        InvalidParameter: ``keep`` outside [0, 1), no two different codes, weights that do not match.
        UnsupportedColumn: the column is neither text nor whole numbers.
        InvalidValue: ``on_invalid`` is reject and values are none of the values.

    """

    values: tuple[str | int, ...]
    keep: float
    weights: tuple[float, ...] | None = None
    on_invalid: Literal["reject", "null"] = "reject"
    record: tuple[str, ...] = record_field()
    secret: bytes = secret_field()

    needs_key: ClassVar[bool] = True
    randomized: ClassVar[bool] = True
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {"values": ["1", "2", "9"], "keep": 0.5},
            ("1", "2", None, "1", "2"),
            ("9", "2", None, "1", "2"),
            "kept or drawn; null stays null",
        ),
        Example(
            {"values": [1, 2], "keep": 0, "weights": [1, 0], "on_invalid": "null"},
            (2, 3, 1),
            (1, None, 1),
            "what is no code becomes null",
        ),
    )

    def __post_init__(self) -> None:
        if any(isinstance(code, bool) for code in self.values):
            raise InvalidParameter(
                "values are text or whole numbers; yes, no, on and off need quotes", parameter="values"
            )
        if len(self.values) < 2 or len({str(code) for code in self.values}) < len(self.values):
            raise InvalidParameter("values must be two or more, each once", parameter="values")
        if not 0 <= self.keep < 1:
            raise InvalidParameter("keep must be in [0, 1)", parameter="keep")
        if self.weights is not None and len(self.weights) != len(self.values):
            raise InvalidParameter("weights must be as many as values", parameter="weights")
        _check_weights(self.weights or (1.0,))

    def context(self) -> tuple[str, ...]:
        """The record columns."""
        return self.record

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """int64 for whole numbers, text for text."""
        if pa.types.is_integer(given):
            if not all(isinstance(code, int) for code in self.values):
                raise InvalidParameter("values must be whole numbers for a column of them", parameter="values")
            return pa.int64()
        if is_text(given) or pa.types.is_null(given):
            return pa.string()
        raise UnsupportedColumn(f"{self.name} works on text or whole numbers, not on {given}")

    @property
    def matrix(self) -> npt.NDArray[np.float64]:
        """The transition matrix over ``values``, for whoever analyses the masked column."""
        return transition_matrix(self.keep, self._weights)

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        spelled = pa.array([str(code) for code in self.values], pa.large_string())
        found = pc.index_in(as_text(column), spelled)
        strange = pc.and_(pc.is_null(found), pc.is_valid(column)).to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(strange)
        if len(rows) and self.on_invalid == "reject":
            raise InvalidValue("none of the values", count=len(rows), first_rows=rows[:5].tolist())
        drawn = draws(self.secret, [context[name] for name in self.record])
        places = pc.fill_null(found, 0).to_numpy(zero_copy_only=False)
        borders = list(itertools.accumulate(_shares(self._weights).tolist()))[:-1]
        chosen = np.searchsorted(borders, uniforms(drawn[:, 1]), side="right")
        masked = np.where(uniforms(drawn[:, 0]) < self.keep, places, chosen)
        missing = pc.is_null(found).to_numpy(zero_copy_only=False)
        codes = pa.array(self.values if pa.types.is_integer(column.type) else [str(code) for code in self.values])
        return codes.take(pa.array(masked, pa.int64(), mask=missing)), len(rows)

    def _nulls_kept(self, given: pa.Array, masked: pa.Array) -> bool:
        return masked.null_count >= given.null_count

    @property
    def _weights(self) -> tuple[float, ...]:
        return self.weights or (1.0,) * len(self.values)


def transition_matrix(keep: float, weights: Sequence[float]) -> npt.NDArray[np.float64]:
    """
    Return the probabilities of each published code (column) given the true one (row); rows add up to 1.

    With counts ``n`` of the published codes, ``n @ numpy.linalg.inv(matrix)`` estimates the true counts without bias.

    Raises:
        InvalidParameter: a weight is negative, or all are 0.

    >>> transition_matrix(0.8, [1, 1]).round(2).tolist()
    [[0.9, 0.1], [0.1, 0.9]]

    """
    _check_weights(weights)
    return keep * np.eye(len(weights)) + (1 - keep) * _shares(weights)


def _shares(weights: Sequence[float]) -> npt.NDArray[np.float64]:
    given = np.asarray(weights, dtype=np.float64)
    return given / given.sum()


def _check_weights(weights: Sequence[float]) -> None:
    if not all(weight >= 0 and math.isfinite(weight) for weight in weights) or not sum(weights) > 0:
        raise InvalidParameter("weights must be 0 or more, and not all 0", parameter="weights")
