"""What a policy generalizes by, as hierarchies: for measures that compare a masked table with the raw one.

A recoded attribute has its hierarchy. A technique that maps each value to a coarser one makes a hierarchy of two levels
out of the raw values: the value, what it becomes, ``*``. What draws, tokens or looks at other columns makes none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from masking.hierarchies import Hierarchy
    from masking.policy.model import MaskingPolicy

_COARSER = ("generalization.", "suppression.", "keep")


def trees_of(
    policy: MaskingPolicy, raw: pa.Table, masked: pa.Table, names: Sequence[str], files: Path
) -> dict[str, Hierarchy]:
    """The hierarchy of each of the attributes that has one which names every value of both tables.

    Raises:
        PolicyError: the policy does not fit the raw table.
    """
    from masking.engines.plan import compile as compile_policy
    from masking.keys import ThrowawayKeys

    plan = compile_policy(policy, raw.schema, ThrowawayKeys(), files=files)
    steps = {step.name: step for step in plan.steps}
    found = {name: _tree(steps[name], raw.column(name), masked.column(name)) for name in names}
    return {name: tree for name, tree in found.items() if tree is not None}


def _tree(step: Any, raw: pa.ChunkedArray, masked: pa.ChunkedArray) -> Hierarchy | None:
    from masking.errors import MaskingError
    from masking.measures.cells import cells_of

    try:
        tree = _made(step, raw)
        if tree is not None:
            for column in (raw, masked):
                cells_of(column, tree, step.name)
    except MaskingError:  # a value that the hierarchy does not name: this table was not made by this policy
        return None
    return tree


def _made(step: Any, raw: pa.ChunkedArray) -> Hierarchy | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    from masking.hierarchies import Hierarchy
    from masking.techniques.generalization.recoding import Recoding

    technique = step.technique
    coarser = technique.name.startswith(_COARSER) and not technique.context() and step.when is None
    if step.dropped or not coarser or raw.null_count == len(raw):
        return None
    if isinstance(technique, Recoding):
        return technique.hierarchy_of(raw)
    values = pc.unique(raw).drop_null()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    values = values.take(pc.sort_indices(values))
    after = technique.apply(values)
    if after.null_count:
        return None
    return Hierarchy.of_columns([values.cast(pa.string()), after.cast(pa.string())])
