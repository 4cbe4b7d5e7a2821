"""What a masked table is still good for, and who can be found in it: the sections that need the raw table."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow as pa

    from masking.cli.measured import Given
    from masking.hierarchies import Hierarchy
    from masking.policy.model import MaskingPolicy

Attack = Literal["containment", "matching", "algorithm"]


def meant(policy: MaskingPolicy, raw: pa.Table) -> pa.Table:
    """The raw records that the policy means to release: those that it leaves out by its conditions are not lost."""
    import numpy as np
    import pyarrow as pa

    stay = np.ones(raw.num_rows, dtype=bool)
    for condition in policy.suppress:
        columns = {name: raw.column(name).combine_chunks() for name in condition.columns}
        stay &= ~condition.holds(columns)
    return raw if stay.all() else raw.filter(pa.array(stay))


def utility(
    given: Given, raw: pa.Table, trees: dict[str, Hierarchy], *, queries: int, train: str | None, model: str
) -> dict[str, Any]:
    """Loss, sizes of classes, changes of columns and of pairs, error of queries; a model on request.

    ``not_measured`` names attributes whose technique says not how far a value was generalized.
    """
    from masking.measures import (
        average_class_size,
        discernibility,
        granularity,
        loss,
        losses,
        non_uniform_entropy,
    )
    from masking.measures.utility import utility as compare

    table, rows = given.table, (raw.num_rows if given.policy.sample is None else None)
    names = list(trees)
    same = table.num_rows == raw.num_rows
    asked: dict[str, Any] | None = {"target": train, "model": model} if train is not None else None
    compared = compare(
        raw, table, _comparable(given, raw, trees, train), dict(trees), queries=queries, model=asked
    ).to_dict()
    k = given.policy.limits.least_class
    return {
        "attributes": names,
        "not_measured": [name for name in given.quasi if name not in trees],
        "granularity": granularity(table, names, trees, rows=rows),
        "loss": loss(table, names, trees, rows=rows),
        "losses": losses(table, names, trees, rows=rows),
        "discernibility": discernibility(table, given.quasi, rows=rows),
        "average_class_size": average_class_size(table, given.quasi),
        "average_class_size_over_k": average_class_size(table, given.quasi, k),
        "entropy": non_uniform_entropy(table, raw, names, trees) if same else None,
        **compared,
    }


def linkage(
    given: Given,
    raw: pa.Table,
    trees: dict[str, Hierarchy],
    *,
    link: str | None,
    attack: Attack | None,
    targets: int | None,
) -> dict[str, Any] | None:
    """The record-linkage drill; None where nothing says what became of whom.

    Without an ``attack`` the strongest that the edition is open to: who can run the algorithm again does so.
    """
    from masking.measures import Attacker, linkage_drill

    if (link is None and raw.num_rows != given.table.num_rows) or not trees:
        return None
    chosen: Attack = attack or ("matching" if given.policy.limits.needs_sensitive else "algorithm")
    unit = given.policy.unit if given.policy.unit in raw.column_names else None
    result = linkage_drill(
        raw,
        given.table,
        list(trees),
        dict(trees),
        link=link,
        sensitive=given.sensitive,
        attacker=Attacker(chosen, targets=targets),
        unit=unit,
    )
    plain = result.to_dict()
    plain["inference"] = {name: asdict(each) for name, each in result.inference.items()}
    return plain


def _comparable(given: Given, raw: pa.Table, trees: dict[str, Hierarchy], train: str | None) -> list[str]:
    """Columns of both tables that hold values: no tokens, no identifiers, no texts."""
    policy = given.policy
    hidden = {*policy.free_text, *([policy.unit] if policy.unit else [])}
    found = []
    for name in given.table.column_names:
        rule = policy.attributes.get(name)
        if rule is None or name not in raw.column_names or name in hidden or rule.hides or rule.pseudonym:
            continue
        if name in trees or name not in given.quasi or name == train:
            found.append(name)
    return found
