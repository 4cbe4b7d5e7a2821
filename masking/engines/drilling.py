"""
The linkage drill on a run: an attacker with all raw quasi-identifiers and names looks for each person in the edition.

The attacker knows who is in the edition, the policy, its hierarchies and the algorithm. How an attribute is read:

* ``hierarchy``: generalized by a search; a value may be any node above the raw one;
* ``pairs``: changed value by value; the attacker knows what each raw value becomes, or may become where a condition
  decides. This grants more than the policy tells of a keyed pseudonym: its code book, as if the key were known;
* ``distance``: changed by chance under a key; the attacker takes what is nearest.

The attack follows from it: ``distance`` where an attribute moved by chance; ``algorithm`` where the classes depend on
what the attacker holds, who then runs it again and knows the class of everybody; ``matching`` where they also depend on
sensitive values. Where the pairs of combination and class are more than ``MATCHED_PAIRS``, ``algorithm`` stands in as
a bound: no attack on classes says more of anybody. Sources: ``masking.measures.linkage``, ``distance_linkage`` and
``minimality``; PRIVACY 1 and 2.

Passing (``DrillReport.passes``) means: knowing all that, the attacker can name no released person with more than the
threshold's probability, and did not name more of them than that when each was guessed once. It says nothing of an
attacker who also knows attributes that the policy calls insensitive or sensitive, of a person's several records taken
together, or of other editions. It is asked beside k, since it is counted on what was written and not on what was meant.

A run is drilled while it is written: ``Held`` is told of each batch (``apply_stream(look=held.look)``) and keeps codes,
4 bytes for each cell that is looked at. Only figures come out. Draws come from the policy's digest, and the result does
not depend on the order of records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pyarrow as pa

from masking.engines.drill_attacks import Edition
from masking.engines.drill_attributes import Attribute, ranked
from masking.engines.local import IsCancelled, MakeReader, Progress, apply_stream
from masking.engines.measuring import Rows, seen
from masking.engines.plan import MaskedBatch, Plan
from masking.errors import Cancelled
from masking.keys import Keys
from masking.measures.coding import Codes
from masking.measures.effect import THRESHOLDS
from masking.policy.model import MaskingPolicy
from masking.report import DrillReport

_UNIT: Final = "\0person"


def drill(
    policy: MaskingPolicy,
    make_reader: MakeReader,
    keys: Keys | None,
    *,
    thresholds: Mapping[str, float] | None = None,
    files: Path | None = None,
    workers: int | None = 1,
    progress: Progress | None = None,
    cancelled: IsCancelled | None = None,
) -> DrillReport | None:
    """Mask a table as ``apply_stream`` would, write nothing, and drill it; None if it is not for records of persons.

    ``thresholds`` by sharing mode, each in (0, 1], beside ``masking.measures.effect.THRESHOLDS``.

    Raises:
        PolicyError, KeyMissing, DataError, LimitsNotMet, Cancelled: as ``apply_stream``.
    """
    held = Held(policy)
    apply_stream(
        policy,
        make_reader,
        keys,
        _read_to_the_end,
        workers=workers,
        progress=progress,
        cancelled=cancelled,
        files=files,
        look=held.look,
    )
    return held.drill(thresholds=thresholds, progress=progress, cancelled=cancelled)


@dataclass
class Held:
    """What became of each released record of a run: its quasi-identifiers raw and masked, and what hangs on them."""

    policy: MaskingPolicy
    plan: Plan | None = field(default=None, repr=False)
    records: int = 0
    _raw: dict[str, list[pa.Array]] = field(default_factory=dict, repr=False)
    _masked: dict[str, list[pa.Array]] = field(default_factory=dict, repr=False)

    @property
    def needed(self) -> bool:
        """False for an aggregate, and for a table about nobody: there is no record of a person to look for."""
        return self.policy.about_persons and not self.policy.is_aggregate

    def look(self, plan: Plan, done: MaskedBatch, rows: Rows | None) -> None:
        """Keep a batch: what ``apply_stream`` tells of each."""
        if not self.needed:
            return
        self.plan = plan
        masked, raw = seen(plan, done), done.kept
        self.records += done.masked.num_rows if rows is None else len(rows)
        for name in self.policy.quasi_identifiers:
            self._keep(self._raw, name, raw.column(name), rows)
            self._keep(self._masked, name, masked.column(name), rows)
        for name in plan.derived_names:  # legible as it is
            self._keep(self._raw, name, masked.column(name), rows)
            self._keep(self._masked, name, masked.column(name), rows)
        for name in self.policy.sensitive:
            self._keep(self._masked, name, masked.column(name), rows)
        if self.policy.unit is not None:
            self._keep(self._raw, _UNIT, raw.column(self.policy.unit), rows)

    def drill(
        self,
        *,
        thresholds: Mapping[str, float] | None = None,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> DrillReport | None:
        """Attack what was kept, and forget it; None if there is nothing to look for.

        ``thresholds`` as in the function ``drill``; ``progress`` is told the stage "drill".

        Raises:
            Cancelled: ``cancelled`` said so; it is asked between the steps of the attack.
        """
        if not self.needed:
            return None
        if self.plan is None or not self.records:  # nothing was released: nobody is found
            return DrillReport("algorithm", 0, 0, 0.0, 0.0, 0, 0.0, 1.0, 0.0, thresholds=_limits(thresholds))

        def step(share: float) -> None:
            if cancelled is not None and cancelled():
                raise Cancelled("the run was cancelled; nothing was written")
            if progress is not None:
                progress("drill", int(share * self.records))

        step(0.0)
        names = (*self.policy.quasi_identifiers, *self.plan.derived_names)
        attributes = [self._attribute(self.plan, name) for name in names]
        sensitive = {name: ranked(self._masked[name]) for name in self.policy.sensitive}
        edition = Edition(self.policy, self.plan, self.records, attributes, sensitive, self._persons())
        self._raw, self._masked = {}, {}  # raw values are held no longer than they are needed
        step(0.3)
        report = edition.attacked()
        step(0.8)
        report = replace(report, minimality=edition.minimality(), thresholds=_limits(thresholds))
        step(1.0)
        return report

    def _keep(self, held: dict[str, list[pa.Array]], name: str, column: pa.Array, rows: Rows | None) -> None:
        chosen = column if rows is None else column.take(pa.array(rows))
        plain = pa.types.is_dictionary(chosen.type) or pa.types.is_null(chosen.type)
        held.setdefault(name, []).append(chosen if plain else chosen.dictionary_encode())

    def _attribute(self, plan: Plan, name: str) -> Attribute:
        raw, masked = ranked(self._raw[name]), ranked(self._masked[name])
        if plan.joint is not None and plan.joint.found is not None and name in plan.joint.names:
            return Attribute(name, raw, masked, "hierarchy", plan.joint.found.hierarchies[name])
        step = next((step for step in plan.steps if step.name == name), None)
        moved = step is not None and any(each.randomized for each in step.techniques)
        return Attribute(name, raw, masked, "distance" if moved else "pairs")

    def _persons(self) -> Codes | None:
        return ranked(self._raw[_UNIT]) if self.policy.unit is not None else None


def _limits(thresholds: Mapping[str, float] | None) -> dict[str, float]:
    return {**THRESHOLDS, **(thresholds or {})}


def _read_to_the_end(reader: pa.RecordBatchReader) -> None:
    for _ in reader:
        pass
