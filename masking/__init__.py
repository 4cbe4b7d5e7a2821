"""
Masking: a table and a policy in, a masked table and a report out.

A pure library: no web, database, network, clock or environment. Tables, keys and randomness come in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from masking.report import MaskingReport


@dataclass(frozen=True, slots=True)
class Masked:
    """What ``apply`` returns: ``table`` is of the caller's kind (pandas, polars, pyarrow)."""

    table: Any
    report: "MaskingReport"

    def __repr__(self) -> str:
        return f"Masked({type(self.table).__name__}, report=<{type(self.report).__name__}>)"


def apply(
    policy: Any, table: Any, keys: Any = None, *, files: str | Path | None = None, workers: int | None = None
) -> Any:
    """
    Mask ``table`` by ``policy`` and report what it did: a ``Masked``; the table is not changed.

    With the policies of several tables (``tables:``) ``table`` is a mapping of names to tables, and a mapping of names
    to ``Masked`` comes back: all of them or none.

    ``policy`` is a ``MaskingPolicy``, its YAML text or a path; ``keys`` a mapping of names to bytes, a keys file or a
    provider; ``files`` the folder that hierarchies are read from (a policy's own folder when it is a path); ``workers``
    how many threads or processes mask (None: one for each core), which changes nothing in the result.

    ``table``: a pandas or polars frame (a lazy one is collected), a pyarrow table, batch or reader, or the path of a
    file; for a path a pyarrow table comes back. Everything is held in memory: for files larger than that see
    ``masking.engines.local.apply_stream``.

    Raises:
        PolicyError: the policy is wrong or does not name exactly the table's columns; no record was read.
        KeyMissing: the policy names a key that was not given; no record was read.
        DataError: values are not as the policy declares them.
        LimitsNotMet: more records than ``limits.suppression`` allows would have to leave.

    """
    if isinstance(table, Mapping):
        from masking.engines.tables import apply as run_all

        return run_all(policy, table, keys, files=files)
    from masking.engines.local import apply as run

    return run(policy, table, keys, files=files, workers=workers)


def anonymize(
    table: Any,
    hierarchies: Mapping[str, Any],
    limits: Mapping[str, Any],
    sensitive: Any = (),
    recoding: Literal["local", "global"] = "local",
    suppression: float | None = None,
    **more: Any,
) -> Masked:
    """
    Generalize a table as little as its ``limits`` allow and prove that it meets them: a ``Masked``.

    ``hierarchies``: {quasi-identifier: hierarchy}: a path (CSV, leaf first, coarsest last, ``;`` or ``,``), a frame
    with one column a level, rows, a mapping of values to their ancestors, or None for one proposed from the data. A
    missing top ``*`` is added. Other columns pass through. The generalized columns are text; a suppressed record holds
    ``*`` in every quasi-identifier; null is a value of its own.

    ``limits``: ``k_anonymity``, ``distinct_l_diversity``, ``entropy_l_diversity``, ``recursive_cl_diversity: [c, l]``,
    ``t_closeness: {t, distance: equal | ordered | hierarchical}``, ``max_risk``, ``average_risk``,
    ``population_uniqueness: {share, population}``, and, with ``population=`` (a table of everyone) and global recoding,
    ``k_map`` and ``delta_presence``. Every class is held to them, that of the suppressed records too: if it fails, they
    leave. ``sensitive``: the attributes that l and t look at, each with the others known to the attacker; a mapping
    gives hierarchies for the hierarchical distance. ``recoding``: "global" has one level a column and is optimal,
    "local" one a class and loses less. ``suppression``: greatest share of records, in [0, 1], that may be suppressed or
    leave (None: as ``limits`` says, else any).

    Further: ``unit`` (the column that tells persons apart; limits count persons), ``weights`` {attribute: how much its
    loss counts}, ``levels`` {attribute: highest level, or (lowest, highest)}, ``keep`` (attributes that stay as they
    are), ``progress(stage, share)``, ``stop()`` (true: the best so far), ``cancelled()`` (true: nothing).

    ``earlier``: editions of the same persons that were shown before, each a released table or a mapping of ``table``,
    ``limits`` (those that it met; None: its k is measured, and the others count as these), ``quasi_identifiers`` (None:
    those of this table that it has) and ``shown``. They are linked by ``unit``; without it an edition is aligned with
    the records, and who was not in it is false in ``shown``, or null in all its quasi-identifiers. The joint classes of
    all editions then hold the smallest k of them and their weakest l and t; local recoding only (PRIVACY 4).

    Deterministic, and independent of the order of records. Sources: ``masking.limits``, ``masking.recoding``.

    Raises:
        InvalidParameter, UnknownAttribute: what was asked is wrong or does not fit the table.
        DataError: a hierarchy does not name every value.
        LimitsNotMet: no recoding that was found meets the limits; says by how much.
        Cancelled: ``cancelled`` said so.

    """
    from masking.engines.anonymizing import anonymize as run

    return run(table, hierarchies, limits, sensitive, recoding, suppression, **more)
