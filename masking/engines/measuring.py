"""
What is counted while a table is masked, and which records may stay.

Looking at a batch changes nothing and may be done by any thread; counting what was found is done in the batches' order.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from masking.engines.classes import COUNT, BatchHashes, ClassCounter, ClassSample, class_sizes, figures, found, within
from masking.engines.plan import MaskedBatch, Plan
from masking.engines.tally import Hashes, Tally
from masking.errors import LimitsNotMet
from masking.limits import Limits
from masking.measures.profile import ColumnProfiles
from masking.policy.model import MaskingPolicy
from masking.policy.reporting import watch
from masking.recoding.find import table_meets
from masking.report import RiskFigures

Rows = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Classes:
    """What was found of the classes of one batch, for ``Measured.count``."""

    before: Any
    after: Any


@dataclass
class Measured:
    """
    The classes of the raw and of the masked table.

    Memory: half a million classes at most, unless persons have several records (``unit``) or limits are asked: then
    every combination of class, person and sensitive values is held.
    """

    unit: str | None
    plan: Plan
    before: ClassCounter | ClassSample | None  # None: not about persons
    after: ClassCounter | ClassSample

    @classmethod
    def of(cls, policy: MaskingPolicy, plan: Plan) -> "Measured":
        """Nothing counted so far."""
        counted = (*policy.quasi_identifiers, *plan.derived_names)
        before: ClassCounter | ClassSample | None = None
        if policy.about_persons and policy.unit is not None:
            before = ClassCounter(policy.person_columns, units=True)
        elif policy.about_persons:
            before = ClassSample(policy.person_columns)
        after: ClassCounter | ClassSample = ClassSample(counted, policy.sensitive)
        if has_limits(policy) or policy.unit is not None:
            after = ClassCounter(counted, policy.sensitive, units=policy.unit is not None)
        return cls(policy.unit, plan, before, after)

    def look(self, done: MaskedBatch, masked: BatchHashes | None = None) -> Classes:
        """Find the classes of a batch, whose masked columns may be hashed already."""
        persons = None if self.unit is None else done.kept.column(self.unit)
        before = None
        if self.before is not None:
            before = self.before.counted(BatchHashes(done.kept, self.before.quasi_identifiers), persons)
        return Classes(before, self.after.counted(masked or self.hashes(done), persons))

    def hashes(self, done: MaskedBatch) -> BatchHashes:
        """The masked columns that tell classes apart."""
        return BatchHashes(seen(self.plan, done), [*self.after.quasi_identifiers, *self.after.sensitive])

    def count(self, found: Classes) -> None:
        """Count what ``look`` found."""
        if self.before is not None:
            self.before.merge(found.before)
        self.after.merge(found.after)

    def before_figures(self) -> RiskFigures | None:
        """The raw table; None if it is not about persons."""
        return None if self.before is None else self.before.figures()

    def found(self, stays: pl.DataFrame | None, limits: Limits) -> dict[str, float]:
        """What the released classes have of each limit that is asked."""
        return found(self.after, stays, limits) if stays is not None and isinstance(self.after, ClassCounter) else {}

    def after_figures(self, stays: pl.DataFrame | None) -> RiskFigures | None:
        """The masked table, of which only the combinations ``stays`` are left."""
        if self.before is None:
            return None
        if stays is None:
            return self.after.figures()
        assert isinstance(self.after, ClassCounter)
        return figures(self.after, stays)


@dataclass(frozen=True)
class Looked:
    """A masked batch on its way out: ``left`` is what leaves, ``rows`` their places in ``done`` (None: all)."""

    done: MaskedBatch
    left: pa.RecordBatch
    rows: Rows | None
    whole: Hashes  # of each record that leaves
    classes: Classes | None


@dataclass
class Written:
    """The last pass: leaves out what may not stay and counts what is written."""

    measured: Measured
    stays: pl.DataFrame | None  # the combinations that limits leave; None: no limits, and no pass before this one
    profiles: ColumnProfiles
    rows_in: int = 0
    rows_kept: int = 0
    rows_out: int = 0
    nulls: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    _alone: Tally = field(default_factory=Tally)

    @classmethod
    def of(cls, policy: MaskingPolicy, measured: Measured, stays: pl.DataFrame | None) -> "Written":
        """Nothing written so far."""
        kept = None
        if stays is not None:
            assert isinstance(measured.after, ClassCounter)
            kept = stays.select([name for name in measured.after.keys if name != "u"]).unique()
        return cls(measured, kept, watch(policy, measured.plan.output_schema))

    def look(self, done: MaskedBatch) -> Looked:
        """Find what of a batch leaves, and hash it."""
        names = done.masked.schema.names
        if self.stays is None:
            hashes = BatchHashes(seen(self.measured.plan, done))
            return Looked(done, done.masked, None, hashes.over(names), self.measured.look(done, hashes))
        rows = self._staying(done, self.stays)
        left = done.masked if rows is None else done.masked.take(pa.array(rows))
        return Looked(done, left, rows, BatchHashes(left).over(names), None)

    def count(self, looked: Looked) -> pa.RecordBatch:
        """Count a batch and give what leaves of it."""
        done, left = looked.done, looked.left
        if looked.classes is not None:
            self.measured.count(looked.classes)
        self.rows_in += done.records
        self.rows_kept += done.kept.num_rows + done.suppressed
        self.rows_out += left.num_rows
        self.rejects.update(done.rejects)
        self.nulls.update({name: left.column(name).null_count for name in left.schema.names})
        self.profiles.see(done.kept, done.masked, looked.rows)
        self.profiles.write(left)
        self._alone.add(looked.whole)
        return left

    @property
    def share_alone(self) -> float:
        """
        Share of written records that no other equals, in [0, 1]; 0 for an empty table.

        Exact up to half a million different records, above that with a standard error of at most 0.002.
        """
        return min(1.0, self._alone.alone / self.rows_out) if self.rows_out else 0.0

    def _staying(self, done: MaskedBatch, stays: pl.DataFrame) -> Rows | None:
        assert isinstance(self.measured.after, ClassCounter)
        hashed = self.measured.after.hashed(self.measured.hashes(done)).with_row_index("row")
        rows = hashed.join(stays, on=stays.columns, how="semi")["row"].sort()
        return None if len(rows) == done.masked.num_rows else rows.to_numpy()


def seen(plan: Plan, done: MaskedBatch) -> pa.RecordBatch:
    """The masked batch as its readers see it: with the parts that pseudonyms keep legible as columns of their own."""
    if not plan.derived_names:
        return done.masked
    parts = plan.derived(done.kept)
    columns, names = list(done.masked.columns), list(done.masked.schema.names)
    return pa.RecordBatch.from_arrays([*columns, *parts.values()], names=[*names, *parts])


def has_limits(policy: MaskingPolicy) -> bool:
    """True if classes have to be known before a record is written."""
    return bool(policy.limits.asked)


def enforced(policy: MaskingPolicy, measured: Measured, *, searched: bool = False) -> pl.DataFrame:
    """Return the combinations that stay, or raise ``LimitsNotMet`` when too many records would leave.

    ``searched``: a search has claimed that every class meets the limits. Here its claim is checked by other code, on
    the masked table; nothing may have to leave then.
    """
    counter = measured.after
    assert isinstance(counter, ClassCounter)
    everything = counter.combinations()
    stays = within(counter, policy.limits)
    total, left = int(everything[COUNT].sum()), int(stays[COUNT].sum())
    share = (total - left) / total if total else 0.0
    if searched and left < total:
        raise LimitsNotMet(
            f"{limits_in_words(policy.limits)}: the search left {total - left} of {total} records in classes that do "
            "not meet them; nothing was written",
            limits=numbers(policy.limits),
            measured={"suppression": share, "records": float(total)},
        )
    if share > policy.limits.suppression:
        left_now = figures(counter)
        raise LimitsNotMet(
            f"{limits_in_words(policy.limits)}: {total - left} of {total} records ({share:.2%}) would have to leave, "
            f"the policy allows {policy.limits.suppression:.2%}; generalize {list(policy.quasi_identifiers)} further",
            limits=numbers(policy.limits),
            measured={"suppression": share, "k_anonymity": float(left_now.k), "records": float(total)},
        )
    sizes = class_sizes(counter, stays)
    average = figures(counter, stays).prosecutor_average
    if not table_meets(sizes, average, policy.limits):
        raise LimitsNotMet(
            f"{limits_in_words(policy.limits)}: what is left does not meet a limit of the whole table; "
            f"generalize {list(policy.quasi_identifiers)} further",
            limits=numbers(policy.limits),
            measured={"classes": float(len(sizes)), "persons": float(sizes.sum()), "records": float(left)},
        )
    return stays


def limits_in_words(limits: Limits) -> str:
    """The limits that are asked, as a message names them."""
    return ", ".join(f"{name} {_told(value)}" for name, value in limits.to_dict().items() if name != "suppression")


def numbers(limits: Limits) -> dict[str, float]:
    """The limits that are single numbers."""
    found = {name: float(value) for name, value in limits.to_dict().items() if isinstance(value, int | float)}
    return {**found, "suppression": limits.suppression}


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name} {_told(part)}" for name, part in value.items() if not isinstance(part, dict))
    if isinstance(value, list):
        return "/".join(_told(part) for part in value)
    return f"{value:g}" if isinstance(value, int | float) else str(value)
