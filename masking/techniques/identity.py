"""No technique at all, said out loud: an attribute passes only if the policy says ``keep``."""

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from masking.techniques.base import Example, Technique, technique


@technique("keep")
@dataclass(frozen=True)
class Keep(Technique):
    """
    Leave every value as it is.

    Column: any; a dictionary column comes out as its values.
    Loss: none; nothing is protected either.
    Source: no technique of any standard; a policy says for each attribute that it stays, so that none stays by mistake.
    """

    family: ClassVar[str] = "none"
    spec: ClassVar[tuple[Example, ...]] = (Example({}, ("a", None), ("a", None), "unchanged"),)

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """The column's own type."""
        return given.value_type if pa.types.is_dictionary(given) else given

    def _apply(self, column: pa.Array) -> pa.Array:
        return column
