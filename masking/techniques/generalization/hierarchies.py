"""Hierarchies that the policy gives: in its text or as a file beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from masking.hierarchies import read_rows
from masking.techniques.base import Context, Example, Technique, technique
from masking.techniques.generalization.formats import is_text


@technique("generalization.hierarchy")
@dataclass(frozen=True)
class Hierarchy(Technique):
    """
    Replace each value by its ancestor ``level`` steps up a hierarchy.

    Column: text or whole numbers; null stays null. Output: text.
    ``mapping`` gives for each value its ancestors, nearest first (a single one may stand without a list); ``file`` is a
    CSV in the policy's folder, leaf first, coarsest last, without a header, delimited by ``;`` or ``,``. Exactly one of
    them.
    ``level``: 1 is the nearest ancestor. ``on_missing``: what becomes of a value that the hierarchy does not name: the
    run stops (reject) or it becomes ``*`` (suppress); it never passes in clear.
    Loss: what the level merges.
    Source: ISO/IEC 20889:2018, generalization; PRIVACY: a level counts only if it merges populated leaves.

    Raises:
        InvalidParameter: no hierarchy, a level that it does not have, a value with two different ancestors.
        UnsupportedColumn: the column is neither text nor whole numbers.
        InvalidValue: ``on_missing`` is reject and values are missing.

    """

    level: int = 1
    mapping: Mapping[str, Any] | None = None
    file: str | None = None
    on_missing: Literal["reject", "suppress"] = "reject"
    table: Mapping[str, str] = field(default_factory=dict, repr=False, metadata={"internal": True})

    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {"mapping": {"长沙市": ["湖南省", "华中"], "武汉市": ["湖北省", "华中"]}, "level": 2},
            ("长沙市", "武汉市", None),
            ("华中", "华中", None),
            "two steps up",
        ),
        Example({"mapping": {"A": "大写"}, "on_missing": "suppress"}, ("A", "z"), ("大写", "*"), "missing ones hidden"),
    )

    def __post_init__(self) -> None:
        if self.level < 1:
            raise InvalidParameter("level must be 1 or more", parameter="level")
        if (self.mapping is None) == (self.file is None):
            raise InvalidParameter("give either mapping or file", parameter="mapping")
        if self.mapping is not None:
            object.__setattr__(self, "table", _ancestors(self.mapping, self.level))

    @classmethod
    def _made(cls, values: dict[str, Any], files: Path | None) -> "Hierarchy":
        if values.get("file") is None:
            return cls(**values)
        made = cls(**values)
        object.__setattr__(made, "table", _ancestors(_read_hierarchy(values["file"], files), made.level))
        return made

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text."""
        if not (is_text(given) or pa.types.is_integer(given) or pa.types.is_null(given)):
            raise UnsupportedColumn(f"{self.name} works on text or whole numbers, not on {given}")
        return pa.string()

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        del context
        encoded = column.cast(pa.string()).dictionary_encode()
        up = pa.array([self.table.get(leaf) for leaf in encoded.dictionary.to_pylist()], pa.string())
        masked = up.take(encoded.indices)
        missing = pc.and_(pc.is_null(masked), pc.is_valid(column))
        count = pc.sum(missing).as_py() or 0
        if count and self.on_missing == "reject":
            rows = np.flatnonzero(missing.to_numpy(zero_copy_only=False))
            raise InvalidValue("the hierarchy does not name them", count=len(rows), first_rows=rows[:5].tolist())
        return pc.if_else(missing, pa.scalar("*"), masked) if count else masked, count


def _ancestors(hierarchy: Mapping[str, Any], level: int) -> dict[str, str]:
    table = {}
    for leaf, given in hierarchy.items():
        line = [given] if isinstance(given, str | int | float) else given
        if not isinstance(line, list | tuple) or not line or not all(isinstance(up, str | int | float) for up in line):
            raise InvalidParameter("each value of a hierarchy needs its ancestors, nearest first", parameter="mapping")
        if len(line) < level:
            raise InvalidParameter(f"the hierarchy has values with fewer than {level} levels", parameter="level")
        table[str(leaf)] = str(line[level - 1])
    if not table:
        raise InvalidParameter("the hierarchy is empty", parameter="mapping")
    return table


def file_beside(name: str, folder: Path | None) -> Path:
    """
    A file below the policy's ``folder`` and nowhere else: a policy must not be able to publish a server's files.

    Raises:
        InvalidParameter: there is no folder, or no such file in it.

    """
    if folder is None:
        raise InvalidParameter("hierarchy files can be read only next to a policy file", parameter="file")
    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        raise InvalidParameter(f"there is no hierarchy file {name!r} in the policy's folder", parameter="file")
    return path


def _read_hierarchy(name: str, folder: Path | None) -> dict[str, list[str]]:
    hierarchy: dict[str, list[str]] = {}
    for row in read_rows(file_beside(name, folder)):
        if hierarchy.setdefault(row[0], row[1:]) != row[1:]:
            raise InvalidParameter(f"the hierarchy file {name!r} names a value twice, differently", parameter="file")
    return hierarchy
