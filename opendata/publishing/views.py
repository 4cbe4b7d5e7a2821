"""What an edition shows of its source table: the class of each record, kept so that later ones can be judged with it.

A view is written while the edition is masked, from the very records that come out, and sealed in the vault under the
intake's key: a search whose code changes later cannot change what was published, and erasing the intake erases it.
Source: PRIVACY.md 4 (composition), 29 (erasure).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from masking.engines.local import MaskedBatch, Plan, ready, seen
from masking.engines.local import compile as compile_plan
from masking.keys import Keys, ThrowawayKeys
from masking.limits import Limits
from masking.policy import MaskingPolicy, digest

NULL: Final = "\x00null"
PERSON: Final = "\x00person"
SHOWN: Final = "\x00shown"
VERSION: Final = 1
_ABOUT: Final = b"opendata.view"
_STORED: Final = {PERSON: "\x01person", SHOWN: "\x01shown"}
"""Arrow's C interface ends a name at its first zero."""
MakeReader = Callable[[], pa.RecordBatchReader]
Rows = np.typing.NDArray[np.integer]


@dataclass(frozen=True)
class View:
    """One row for each record of the intake's table, in its order.

    ``frame``: a text column for each quasi-identifier and each sensitive attribute (under its name), PERSON and SHOWN;
    of a record that is not SHOWN the others may be null.
    """

    intake_id: str
    policy_digest: str
    quasi_identifiers: tuple[str, ...]
    limits: Limits
    aggregate: bool
    linked: bool
    """True when PERSON identifies persons across intakes."""
    frame: pl.DataFrame = field(repr=False)
    sensitive: tuple[str, ...] = ()
    recoded: bool = False
    """True when a search generalized it: then the same policy on another table gives other classes."""

    @property
    def k(self) -> int | None:
        """Persons that each of its classes holds."""
        return self.limits.k

    def to_table(self) -> pa.Table:
        """For the vault; ``from_table`` reads it."""
        about = {
            "version": VERSION,
            "intake_id": self.intake_id,
            "policy_digest": self.policy_digest,
            "quasi_identifiers": list(self.quasi_identifiers),
            "sensitive": list(self.sensitive),
            "limits": self.limits.to_dict(),
            "aggregate": self.aggregate,
            "linked": self.linked,
            "recoded": self.recoded,
        }
        table = self.frame.rename(_STORED).to_arrow()
        return table.replace_schema_metadata({_ABOUT: json.dumps(about, ensure_ascii=False).encode()})

    @classmethod
    def from_table(cls, table: pa.Table) -> "View":
        """What ``to_table`` gave."""
        about: dict[str, Any] = json.loads(table.schema.metadata[_ABOUT])
        if about.pop("version") != VERSION:
            raise ValueError("unknown version of a view")
        frame = pl.from_arrow(table.replace_schema_metadata(None))
        assert isinstance(frame, pl.DataFrame)
        return cls(
            frame=frame.rename({stored: name for name, stored in _STORED.items()}),
            quasi_identifiers=tuple(about.pop("quasi_identifiers")),
            sensitive=tuple(about.pop("sensitive")),
            limits=Limits.of(about.pop("limits")),
            **about,
        )


@dataclass
class Recorder:
    """Notes what becomes of each record while a policy's table is masked; ``look`` is given to ``apply_stream``."""

    policy: MaskingPolicy
    _parts: list[pl.DataFrame] = field(default_factory=list)
    _names: tuple[str, ...] | None = None

    def look(self, plan: Plan, done: MaskedBatch, rows: Rows | None) -> None:
        """One batch; ``rows``: the places of those of its masked records that come out (None: all)."""
        policy = self.policy
        by = policy.aggregate.by if policy.aggregate is not None else (*policy.quasi_identifiers, *plan.derived_names)
        self._names = tuple(by)
        masked = seen(plan, done)
        text = {name: text_of(masked, name) for name in dict.fromkeys((*by, *self._sensitive))}
        person = text_of(done.kept, policy.unit) if policy.unit is not None else pl.Series([""] * done.kept.num_rows)
        frame = pl.DataFrame({**text, PERSON: person}, schema={**dict.fromkeys((*text, PERSON), pl.String)})
        came = np.flatnonzero(np.ones(done.records, dtype=np.bool_) if done.stay is None else done.stay)
        place = np.full(done.records, -1, dtype=np.int64)
        if rows is None:
            place[came] = np.arange(len(came))
        else:
            place[came[rows]] = rows
        shown = pl.Series(place).set(pl.Series(place < 0), None)
        self._parts.append(frame.select(pl.all().gather(shown)).with_columns(pl.Series(SHOWN, place >= 0)))

    def view(self, intake_id: str) -> View:
        """What all batches together show."""
        policy = self.policy
        by = policy.aggregate.by if policy.aggregate is not None else policy.quasi_identifiers
        names = self._names if self._names is not None else tuple(by)
        kinds = {**dict.fromkeys((*names, *self._sensitive, PERSON), pl.String), SHOWN: pl.Boolean}
        frame = pl.concat(self._parts) if self._parts else pl.DataFrame(schema=kinds)
        if policy.unit is None:
            frame = frame.with_columns(pl.int_range(pl.len()).cast(pl.String).alias(PERSON))
        aggregate = policy.aggregate
        limits = policy.limits if aggregate is None else Limits(k_anonymity=aggregate.threshold)
        return View(
            intake_id=intake_id,
            policy_digest=digest(policy),
            quasi_identifiers=names,
            limits=limits,
            aggregate=aggregate is not None,
            linked=policy.unit is not None,
            frame=frame,
            sensitive=self._sensitive,
            recoded=bool(policy.recoded),
        )

    @property
    def _sensitive(self) -> tuple[str, ...]:
        return () if self.policy.aggregate is not None else tuple(self.policy.sensitive)


def view(
    policy: MaskingPolicy,
    make_reader: MakeReader,
    *,
    intake_id: str,
    keys: Keys | None = None,
) -> View:
    """The view of a policy's table, by masking it again: of an aggregate, or where an edition's own was not kept.

    A class below k is not shown. Classes do not depend on the keys of pseudonyms; ``keys`` gives the dataset's draws,
    so that a randomised value is the one that was published.
    """
    records = policy if policy.aggregate is None else replace(policy, aggregate=None, limits=Limits())
    reader = make_reader()
    plan = compile_plan(records, reader.schema, keys or ThrowawayKeys())
    if plan.unfitted or plan.searches:
        plan, reader = ready(plan, lambda: reader, make_reader), make_reader()
    recorder = Recorder(policy)
    for batch in reader:
        recorder.look(plan, plan.run(batch), None)
    made = recorder.view(intake_id)
    return made if made.k is None else replace(made, frame=_without_small(made, made.k))


def shown(made: View, names: Sequence[str] | None = None) -> pl.DataFrame:
    """The records that it shows, with some of its columns (None: all)."""
    frame = made.frame.filter(pl.col(SHOWN))
    return frame if names is None else frame.select(*names, PERSON)


def text_of(batch: pa.RecordBatch, name: str) -> pl.Series:
    """A column as text; null is a value of its own."""
    column = pl.Series(name, batch.column(batch.schema.get_field_index(name)))
    return column.cast(pl.String).fill_null(NULL)


def _without_small(made: View, k: int) -> pl.DataFrame:
    names = list(made.quasi_identifiers)
    stays = pl.col(PERSON).filter(pl.col(SHOWN)).n_unique()
    sizes = stays.over(names) if names else pl.lit(int(made.frame[SHOWN].sum()))
    return made.frame.with_columns((pl.col(SHOWN) & (sizes >= k)).alias(SHOWN))
