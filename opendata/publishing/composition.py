"""Composition: a new edition is judged together with everything of its population that was shown before.

Earlier editions are assumed to be still held by everyone, withdrawn ones included. For each, the persons of the source
table are grouped by the joint values of both editions' quasi-identifiers, where suppressed and absent persons carry a
mark of their own; no joint class may hold fewer persons than the smaller k of the two. Where one of the two is an
aggregate, only the attributes both tables use are joined, because cells, not records, were shown. Two intakes are
linked by the person column; without one, classes are counted and may differ by none or by at least k, which needs the
same generalization. First version: same population, joint k; l and t over joint classes come with the models.
Source: PRIVACY.md 4 (composition), 3 (suppressed records are a class too).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from masking.engines.local import MaskedBatch, Plan, ready, seen
from masking.engines.local import compile as compile_plan
from masking.keys import Keys, ThrowawayKeys
from masking.policy import MaskingPolicy
from opendata.catalog.texts import text
from opendata.publishing.errors import PublicationRefused

SUPPRESSED: Final = "\x00suppressed"
ABSENT: Final = "\x00absent"
NULL: Final = "\x00null"
PERSON: Final = "\x00person"
SHOWN: Final = "\x00shown"
MakeReader = Callable[[], pa.RecordBatchReader]


@dataclass(frozen=True)
class View:
    """What one edition shows of its source table: one row for each record.

    ``frame``: a text column for each quasi-identifier (under its attribute's name), and the columns PERSON and SHOWN.
    """

    intake_id: str
    policy_digest: str
    quasi_identifiers: tuple[str, ...]
    k: int | None
    aggregate: bool
    linked: bool
    """True when PERSON identifies persons across intakes."""
    frame: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Joint:
    """The smallest joint class of two editions, in persons, and how many persons are in classes below k."""

    k: int
    smallest: int
    persons_below: int


def view(
    policy: MaskingPolicy,
    make_reader: MakeReader,
    *,
    intake_id: str,
    keys: Keys | None = None,
    files: Path | None = None,
) -> View:
    """Mask the quasi-identifiers of a source table; classes do not depend on the keys of pseudonyms.

    ``keys`` gives the dataset's draws, so that a randomised value is the one that was published.
    """
    k = policy.aggregate.threshold if policy.aggregate is not None else policy.limits.k
    records = replace(policy, aggregate=None)
    reader = make_reader()
    plan = compile_plan(records, reader.schema, keys or ThrowawayKeys(), files=files)
    if plan.unfitted or plan.searches:
        plan, reader = ready(plan, lambda: reader, make_reader), make_reader()
    names = policy.aggregate.by if policy.aggregate is not None else (*policy.quasi_identifiers, *plan.derived_names)
    parts = [_classes(plan, plan.run(batch), batch, names, policy.unit) for batch in reader]
    frame = pl.concat(parts) if parts else _no_rows(names)
    if policy.unit is None:
        frame = frame.with_columns(pl.int_range(pl.len()).cast(pl.String).alias(PERSON))
    stays = pl.col(PERSON).filter(pl.col(SHOWN)).n_unique()
    sizes = stays.over(list(names)) if names else pl.lit(int(frame[SHOWN].sum()))
    shown = pl.col(SHOWN) & (sizes >= k) if k is not None else pl.col(SHOWN)
    return View(
        intake_id=intake_id,
        policy_digest=policy.digest,
        quasi_identifiers=tuple(names),
        k=k,
        aggregate=policy.aggregate is not None,
        linked=policy.unit is not None,
        frame=frame.with_columns(shown.alias(SHOWN)),
    )


def joint(new: View, earlier: View) -> Joint | None:
    """The joint classes of two editions; None when they cannot single anybody out together.

    Raises PublicationRefused when two intakes cannot be linked and their generalization differs.
    """
    limits = [each.k for each in (new, earlier) if each.k is not None]
    if not limits or not new.quasi_identifiers or not earlier.quasi_identifiers:
        return None
    if (new.intake_id, new.policy_digest) == (earlier.intake_id, earlier.policy_digest):
        return None  # the same classes again, under another key at most
    new_names, old_names = new.quasi_identifiers, earlier.quasi_identifiers
    if new.aggregate or earlier.aggregate:
        shared = tuple(name for name in new_names if name in old_names)
        if not shared:
            return None
        new_names = old_names = shared
    k = min(limits)
    if new.intake_id == earlier.intake_id:
        pairs = _side(new, new_names, "a").hstack(_side(earlier, old_names, "b").select("b"))
    elif new.linked and earlier.linked:
        one, other = _by_person(_side(new, new_names, "a"), "a"), _by_person(_side(earlier, old_names, "b"), "b")
        pairs = one.join(other, on=PERSON, how="full", coalesce=True).fill_null(ABSENT)
    else:
        return _unlinked(new, new_names, earlier, old_names, k)
    hidden = pl.col("a").is_in([SUPPRESSED, ABSENT]) & pl.col("b").is_in([SUPPRESSED, ABSENT])
    sizes = pairs.filter(~hidden).group_by("a", "b").agg(pl.col(PERSON).n_unique().alias("n"))["n"]
    return _judged(sizes, k)


def check(new: View, earlier: Sequence[tuple[str, View]]) -> list[dict[str, int | str]]:
    """Judge the new edition with each earlier one ``(edition id, view)``; returns what was found.

    Raises PublicationRefused when a joint class is below k.
    """
    found: list[dict[str, int | str]] = []
    for reference, view_ in earlier:
        result = joint(new, view_)
        if result is None:
            continue
        if result.persons_below:
            raise PublicationRefused(
                text(
                    f"与已发布的版本 {reference[:8]} 组合后，有 {result.persons_below} 人所在的共同群体不足 {result.k} 人"  # noqa: E501
                    f"（最小 {result.smallest} 人），不得发布。请沿用原有泛化方式，或等待新增人数足够。",
                    f"Together with the published edition {reference[:8]}, {result.persons_below} persons stand in "
                    f"joint classes of fewer than {result.k} (the smallest: {result.smallest}). Keep the earlier "
                    "generalization, or wait until enough persons have been added.",
                ),
                clause=text("GB/T 42460-2023；GB/T 37964-2019", "GB/T 42460-2023; GB/T 37964-2019"),
            )
        found.append({"edition": reference, "k": result.k, "smallest": result.smallest})
    return found


def _classes(
    plan: Plan, done: MaskedBatch, raw: pa.RecordBatch, names: Sequence[str], unit: str | None
) -> pl.DataFrame:
    """A row for each raw record, in its order; a record that the policy leaves out is there, but not SHOWN."""
    masked = seen(plan, done)
    columns = {name: pl.Series(name, _column(masked, name)).cast(pl.String).fill_null(NULL) for name in names}
    frame = pl.DataFrame({"\0row": np.zeros(done.kept.num_rows, dtype=np.int8), **columns})
    stay = np.ones(raw.num_rows, dtype=np.bool_) if done.stay is None else done.stay
    places = np.cumsum(stay) - 1
    if not stay.all():
        absent = frame.clear(1).with_columns(pl.lit(NULL).alias(name) for name in names)
        frame = pl.concat([frame, absent])[np.where(stay, places, frame.height)]
    person = pl.Series(PERSON, _column(raw, unit)).cast(pl.String).fill_null(NULL) if unit is not None else None
    frame = frame.with_columns((person if person is not None else pl.lit("")).alias(PERSON), pl.Series(SHOWN, stay))
    return frame.select(*names, PERSON, SHOWN)


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    return batch.column(batch.schema.get_field_index(name))


def _no_rows(names: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(schema={**dict.fromkeys((*names, PERSON), pl.String), SHOWN: pl.Boolean})


def _side(view_: View, names: Sequence[str], column: str) -> pl.DataFrame:
    joined = pl.concat_str([pl.col(name) for name in names], separator="\x1f")
    value = pl.when(pl.col(SHOWN)).then(joined).otherwise(pl.lit(SUPPRESSED)).alias(column)
    return view_.frame.select(PERSON, value)


def _by_person(side: pl.DataFrame, column: str) -> pl.DataFrame:
    """One row for each person: the set of their classes."""
    return side.group_by(PERSON).agg(pl.col(column).unique().sort().str.join("\x1e").alias(column))


def _unlinked(new: View, new_names: Sequence[str], earlier: View, old_names: Sequence[str], k: int) -> Joint:
    if new.policy_digest != earlier.policy_digest:
        raise PublicationRefused(
            text(
                "新批次没有可关联的个人列，且脱敏策略与已发布版本不同，无法检验组合风险；请沿用原策略。",
                "The new intake has no person column to link by and its masking policy differs from the published "
                "edition's, so composition cannot be judged; keep the earlier policy.",
            )
        )
    one = _side(new, new_names, "c").group_by("c").agg(pl.len().cast(pl.Int64).alias("n"))
    other = _side(earlier, old_names, "c").group_by("c").agg(pl.len().cast(pl.Int64).alias("m"))
    both = one.join(other, on="c", how="full", coalesce=True).fill_null(0).filter(pl.col("c") != SUPPRESSED)
    differences = both.select((pl.col("n") - pl.col("m")).abs().alias("d"))["d"]
    return _judged(differences.filter(differences > 0), k)


def _judged(sizes: pl.Series, k: int) -> Joint:
    below = sizes.filter(sizes < k)
    smallest = sizes.min()
    return Joint(
        k=k,
        smallest=int(smallest) if isinstance(smallest, int) else k,
        persons_below=int(below.sum()),
    )
