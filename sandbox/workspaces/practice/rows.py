"""Who stands on each row of a practice table: persons or firms of the population, once or on several rows.

A policy whose ``record`` is not its ``unit``, or that has a column which numbers visits, tickets or trips, has several
rows a person. Where the policy's published figures tell of sex or age, the persons are taken so that they follow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.policy.model import AttributeRule, MaskingPolicy
from masking.taxonomy import Role
from sandbox.workspaces.practice.codes import SEXES
from sandbox.workspaces.practice.draws import Indices, Uniforms, below, uniforms
from sandbox.workspaces.practice.kinds import IDENTIFIERS, PERSONAL, kind_of, numbers_rows, somebody
from sandbox.workspaces.practice.marginals import Marginals, weights
from sandbox.workspaces.practice.population import ROWS_EACH, Population, size
from sandbox.workspaces.practice.types import fit, is_text

Typed = Sequence[tuple[str, pa.DataType]]
ELSEWHERE: Final = 2**40
"""Numbers of persons that no table has on its rows: doctors, guardians, legal representatives."""
STAFF: Final = 40
FIRMS_PER_ROW: Final = 20


@dataclass(frozen=True)
class Rows:
    """The rows of one practice table."""

    policy: MaskingPolicy
    types: Mapping[str, pa.DataType]
    kinds: Mapping[str, str]
    population: Population
    marginals: Marginals
    files: Path | None
    domains: Mapping[str, str]
    refers: frozenset[str]
    count: int
    _at: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        policy: MaskingPolicy,
        typed: Typed,
        *,
        seed: str,
        marginals: Marginals,
        files: Path | None,
        domains: Mapping[str, str],
        refers: Collection[str] = (),
    ) -> Rows:
        """The rows of a policy's table."""
        kinds = {name: kind_of(name, policy.attributes.get(name)) for name, _ in typed}
        count = max(0, policy.sandbox.practice_rows)
        return cls(policy, dict(typed), kinds, Population(seed), marginals, files, domains, frozenset(refers), count)

    def rule(self, name: str) -> AttributeRule | None:
        """What the policy says of a column."""
        return self.policy.attributes.get(name)

    def hints(self, name: str) -> Mapping[str, Any]:
        """The practice hints of a column."""
        rule = self.rule(name)
        return (rule.practice if rule else None) or {}

    def uniforms(self, word: str) -> Uniforms:
        """A number in [0, 1) for each row, its own for this table and word."""
        return uniforms(self.population.seed, f"{self.word} {word}", np.arange(self.count))

    @cached_property
    def word(self) -> str:
        """What tells this table from others of the seed."""
        return f"{self.policy.dataset}/{'/'.join(self.types)}"

    @cached_property
    def unit(self) -> str | None:
        """The column that says whose the row is."""
        if self.policy.unit in self.types:
            return self.policy.unit
        return next((name for name, kind in self.kinds.items() if kind in ("ID_CARD", "USCC")), None)

    @cached_property
    def about_firms(self) -> bool:
        """True if a row is a firm's."""
        return self.unit is not None and self.kinds[self.unit] in ("USCC", "ORG_CODE")

    @cached_property
    def several(self) -> bool:
        """True if a person stands on several rows."""
        if self.unit is None or self.policy.unit is None:
            return False
        if self.unit in self.refers or (self.policy.record and self.unit not in self.policy.record):
            return True
        others = (name for name in self.types if name != self.unit)
        return any(numbers_rows(name, self.rule(name)) for name in others)

    @cached_property
    def units(self) -> int:
        """How many persons or firms there are."""
        return -(-self.count // ROWS_EACH) if self.several else self.count

    @cached_property
    def owners(self) -> Indices:
        """The person, firm or thing of each row."""
        entity = "firm" if self.about_firms else "person"
        if self.unit is not None and not self.about_firms and self.kinds[self.unit] not in PERSONAL:
            entity = f"id {self.domain(self.unit)}"
        chosen = self.population.taken(entity, self.word, self.units, None if self.about_firms else self._chances)
        return self.population.repeated(self.word, chosen, self.count) if self.several else chosen

    @cached_property
    def persons(self) -> Indices:
        """The person of each row; of a firm, its legal representative."""
        if not self.about_firms:
            return self.owners
        return ELSEWHERE + below(self.population.seed, "legal", self.owners, 2**30)

    @cached_property
    def firms(self) -> Indices:
        """The firm of each row; of a person, the employer."""
        if self.about_firms:
            return self.owners
        several = self.population.taken("firm", "employers", max(1, self.count // FIRMS_PER_ROW))
        return several[below(self.population.seed, "employer", self.owners, len(several))]

    def owned(self, name: str) -> Indices:
        """The person whom a column of a personal kind speaks about, on each row."""
        if self.kinds[name] == "STAFF":
            staff = below(self.population.seed, f"{self.word} {name}", np.arange(self.count), STAFF)
            return ELSEWHERE + 2**32 + staff
        other = "" if name == self.unit else somebody(name, self.rule(name))
        if self.about_firms:
            return self.persons
        if not other and self.kinds[name] in IDENTIFIERS | {"PERSON"} and self._first(self.kinds[name]) != name:
            other = name.casefold()
        if not other:
            return self.persons
        return ELSEWHERE + below(self.population.seed, f"somebody {other}", self.owners, 2**30)

    def things(self, name: str) -> Indices:
        """The number of whatever a column numbers: events one by one, what others refer to again and again."""
        if name == self.unit:
            return self.owners
        entity = f"id {self.domain(name)}"
        rule = self.rule(name)
        refers = name in self.refers
        if refers or (rule is not None and rule.role is not Role.DIRECT_IDENTIFIER):
            each = ROWS_EACH if refers else FIRMS_PER_ROW
            chosen = self.population.taken(entity, self.word, max(1, self.count // each))
            return self.population.repeated(f"{self.word} {name}", chosen, self.count)
        return self.population.taken(entity, self.word, self.count)

    def domain(self, name: str) -> str:
        """What a column joins with: a foreign key, a key domain that joins, or the columns of its name."""
        if name in self.domains:
            return self.domains[name]
        rule = self.rule(name)
        if rule is not None and rule.key is not None:
            joins = self.policy.key_domains.get(rule.key)
            if joins is not None and joins.joins and name in joins.joins:
                return f"key {rule.key}"
        return name.casefold()

    def sexes(self, name: str) -> tuple[list[Any], list[Any]] | None:
        """How a column of sex spells men and women; None if its code list is of another kind."""
        type_ = self.types[name]
        words = name.casefold()
        if words.endswith("male") and not is_text(type_):
            man = int("female" not in words)
            return [man], [1 - man]
        rule = self.rule(name)
        listed = self.hints(name).get("values") or (rule.codes if rule else None)
        values = list(listed or (("男", "女") if is_text(type_) else (1, 2)))
        known = [SEXES.get(str(value).strip().casefold()) for value in values]
        both = tuple([value for value, sex in zip(values, known, strict=True) if sex == each] for each in (0, 1))
        return None if None in known or not all(both) else (both[0], both[1])

    def sex_of(self, name: str, persons: Indices) -> pa.Array | None:
        """A column of sex, or None."""
        spelled = self.sexes(name)
        if spelled is None:
            return None
        men, women = spelled
        places = self.population.women(persons)
        return fit(fit_list([men[0], women[0]]).take(pa.array(places)), self.types[name])

    def age_of(self, name: str, persons: Indices) -> pa.Array | None:
        """A column of days of birth or ages, or None if the type cannot hold them."""
        type_ = self.types[name]
        if self.kinds[name] == "AGE":
            high = self.hints(name).get("maximum")
            small = isinstance(high, int | float) and high < 15  # not in years
            ages = pa.array(self.population.ages(persons))
            return None if small or pa.types.is_temporal(type_) else fit(ages, type_)
        return dates(pa.array(self.population.born(persons)), type_, str(self.hints(name).get("format") or ""))

    @cached_property
    def ages_follow(self) -> bool:
        """False if too few persons are within the bounds of the policy: then age columns are drawn by themselves."""
        everyone = np.arange(size(self.units))
        return int(np.count_nonzero(self._within(everyone))) * 8 >= 10 * self.units

    def _first(self, kind: str) -> str | None:
        mine = [n for n, k in self.kinds.items() if k == kind and not somebody(n, self.rule(n))]
        return self.unit if self.unit in mine else next(iter(mine), None)

    def _aged(self) -> list[str]:
        return [name for name, kind in self.kinds.items() if kind in ("AGE", "BIRTH_DATE")]

    def _within(self, persons: Indices) -> npt.NDArray[np.bool_]:
        """Which persons have ages within the bounds that the policy names."""
        found = np.ones(len(persons), dtype=np.bool_)
        for name in self._aged():
            hints, made = self.hints(name), self.age_of(name, persons)
            if made is None:
                continue
            numbers = self.population.ages(persons) if self.kinds[name] == "AGE" else self.population.born(persons)
            for bound, least in ((hints.get("minimum"), True), (hints.get("maximum"), False)):
                edge = _edge(bound, day=self.kinds[name] == "BIRTH_DATE")
                if edge is not None:
                    found &= numbers >= edge if least else numbers <= edge
        return found

    def _chances(self, persons: Indices) -> npt.NDArray[np.float64]:
        """How likely each person is taken, so that published shares of sex and age are met."""
        chances = self._within(persons).astype(np.float64) if self.ages_follow else np.ones(len(persons))
        for name, kind in self.kinds.items():
            marginal = self.marginals.get(name)
            if marginal is None or kind not in ("GENDER", "AGE", "BIRTH_DATE"):
                continue
            made = self.sex_of(name, persons) if kind == "GENDER" else self.age_of(name, persons)
            found = None if made is None else weights(self.rule(name), marginal, made, self.files)
            if found is not None and np.count_nonzero(found * chances) >= self.units:
                chances = chances * found
        return chances


def dates(days: pa.Array, type_: pa.DataType, format_: str = "") -> pa.Array | None:
    """Days in a column's type: dates, times at midnight, ISO text (or ``format_``), whole numbers YYYYMMDD."""
    days = days.cast(pa.date32())
    if pa.types.is_date(type_) or pa.types.is_timestamp(type_):
        return fit(days, type_)
    stamps = days.cast(pa.timestamp("s"))
    if is_text(type_):
        return fit(pc.strftime(stamps, format=format_ or "%Y-%m-%d"), type_)
    if pa.types.is_integer(type_):
        return fit(pc.strftime(stamps, format="%Y%m%d"), type_)
    return None


def fit_list(values: Sequence[Any]) -> pa.Array:
    """A code list as an array; mixed ones as text."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _edge(bound: Any, *, day: bool) -> Any:
    if bound is None or isinstance(bound, bool):
        return None
    if not day:
        return float(bound) if isinstance(bound, int | float) else None
    try:
        given = bound if isinstance(bound, date) else date.fromisoformat(str(bound))
    except ValueError:
        return None
    return np.datetime64(given.date() if isinstance(given, datetime) else given, "D")
