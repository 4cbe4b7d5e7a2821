"""The columns of a practice table: from a code list, from the persons on its rows, or by type within published bounds.

Source: PRIVACY.md 19 (what a value may come from), 9 (identifiers are recognisably invalid).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import MaskingError
from masking.hierarchies import read_rows
from masking.policy.model import KEEP
from masking.taxonomy import Role
from masking.techniques.generalization.divisions import names as division_names
from masking.techniques.generalization.hierarchies import file_beside
from sandbox.workspaces.practice import identifiers
from sandbox.workspaces.practice.codes import LISTS, NAMED_GROUPS
from sandbox.workspaces.practice.draws import Indices, Uniforms, below, numbers, uniforms, weighted
from sandbox.workspaces.practice.kinds import IDENTIFIERS, PERSONAL, sector_of
from sandbox.workspaces.practice.marginals import weights
from sandbox.workspaces.practice.measured import days, measured
from sandbox.workspaces.practice.rows import Rows, dates, fit_list
from sandbox.workspaces.practice.types import filler, fit, is_text

CANDIDATES: Final = 4096
"""Values that a column with published shares is drawn from."""


@dataclass(frozen=True)
class Columns:
    """Makes the columns of one table."""

    rows: Rows

    def make(self, name: str, type_: pa.DataType) -> pa.Array:
        """A column of exactly that type, without nulls where the type has a maker."""
        steps: tuple[Callable[[str, pa.DataType], pa.Array | None], ...] = (
            self._personal,
            self._listed,
            self._spelled,
            self._measured,
        )
        for step in steps:
            made = step(name, type_)
            if made is not None:
                return made
        return filler(type_, self.rows.count, numbers(self.rows.population.seed, name, np.arange(self.rows.count)))

    def _personal(self, name: str, type_: pa.DataType) -> pa.Array | None:
        """Sex and age, which agree with the resident ID."""
        del type_
        kind = self.rows.kinds[name]
        if "values" in self.rows.hints(name) and kind != "GENDER":
            return None
        if kind == "GENDER":
            return self.rows.sex_of(name, self.rows.owned(name))
        if kind in ("AGE", "BIRTH_DATE") and self.rows.ages_follow:
            return self.rows.age_of(name, self.rows.owned(name))
        return None

    def _listed(self, name: str, type_: pa.DataType) -> pa.Array | None:
        """A value of a code list, the same on all rows of a person if it is her attribute."""
        values = self._values(name, type_)
        pool = fit(fit_list(values), type_) if values else None
        if pool is None:
            return None
        return pool.take(pa.array(weighted(self._shares(name, pool), self._keys(name))))

    def _spelled(self, name: str, type_: pa.DataType) -> pa.Array | None:
        """Names, identifiers, places and text."""
        if not (is_text(type_) or pa.types.is_integer(type_)):
            return None
        hints = self.rows.hints(name)
        if pa.types.is_integer(type_) and "type" not in hints and ("minimum" in hints or "maximum" in hints):
            return None  # a range that the policy names goes before what the name suggests
        made = self._text(name, type_)
        if made is None:
            return None
        if pa.types.is_integer(type_):
            made = pc.replace_substring(made, "X", "0")  # an ID that is held as a number has no X
        return fit(made, type_)

    def _text(self, name: str, type_: pa.DataType) -> pa.Array | None:
        rows, people, kind = self.rows, self.rows.population, self.rows.kinds[name]
        pattern = rows.hints(name).get("pattern")
        if pattern:
            return identifiers.patterned(str(pattern), self._numbered(name))
        match kind:
            case "PERSON" | "STAFF":
                return people.names(rows.owned(name))
            case "ID_CARD" | "SOCIAL_SECURITY":
                return people.resident_ids(rows.owned(name))
            case "STUDENT_ID":
                return pc.binary_join_element_wise("G", people.resident_ids(rows.owned(name)), "")
            case "PHONE":
                return identifiers.mobiles(people.seed, rows.owned(name))
            case "BANK_CARD":
                return identifiers.bank_cards(people.seed, rows.owned(name))
            case "EMAIL":
                return identifiers.emails(rows.owned(name))
            case "USCC":
                return identifiers.credit_codes(people.seed, rows.firms)
            case "ORG":
                return people.firm_names(rows.firms)
            case "LICENSE_PLATE":
                return identifiers.plates(people.seed, rows.things(name))
            case "ADDRESS" | "DIVISION" | "REGION" | "POSTCODE":
                return self._place(name, kind, type_)
            case "DATE" | "BIRTH_DATE":
                return self._date_text(name, type_)
            case "FREE_TEXT":
                words = " ".join([name, rows.policy.dataset, *rows.policy.title.values()])
                at = np.arange(rows.count)
                return people.sentences(sector_of(words), f"{rows.word} {name}", rows.persons, at)
        if kind in IDENTIFIERS and (made := identifiers.others(kind, people.seed, self._numbered(name))) is not None:
            return made
        rule = rows.rule(name)
        direct = rule is not None and (rule.role is Role.DIRECT_IDENTIFIER or rule.pseudonym or name in rows.domains)
        if direct or kind in IDENTIFIERS:
            at = pa.array(self._numbered(name) + 1).cast(pa.string())
            if pa.types.is_integer(type_):
                return at
            return pc.binary_join_element_wise("PRACTICE-", pc.utf8_lpad(at, 7, padding="0"), "")
        if not is_text(type_):
            return None
        groups = pa.array([f"类别{letter}" for letter in "ABCDE"])
        return groups.take(pa.array(weighted(self._shares(name, groups), self._keys(name))))

    def _numbered(self, name: str) -> Indices:
        """The number that an identifier spells: the person's if it is hers, else that of a thing or an event."""
        kind = self.rows.kinds[name]
        if kind == "HOUSEHOLD_NO":
            return self.rows.persons // 3
        if kind in PERSONAL:
            return self.rows.owned(name) % 10**9
        return self.rows.things(name)

    def _place(self, name: str, kind: str, type_: pa.DataType) -> pa.Array | None:
        rows, people = self.rows, self.rows.population
        if rows.about_firms:
            areas = identifiers.areas(people.seed, "firm area", rows.firms)
        else:
            areas = people.areas(rows.persons)
        words = " ".join([name, *(rule.title.values() if (rule := rows.rule(name)) else ())]).casefold()
        if kind == "DIVISION":
            texts = pa.array(areas).cast(pa.string())
            if "12" not in words:
                return texts
            street = below(people.seed, "street", rows.persons, 20) * 1000 + 1_001
            return pc.binary_join_element_wise(texts, pc.utf8_lpad(pa.array(street).cast(pa.string()), 6, "0"), "")
        if kind == "POSTCODE":
            return pa.array(areas // 10_000 * 10_000 + below(people.seed, "post", rows.persons, 10_000)).cast(
                pa.string()
            )
        if not is_text(type_):
            return None
        if kind == "ADDRESS":
            return people.addresses(rows.owners, areas)
        codes = areas // 10_000 * 10_000 if any(word in words for word in ("省", "province")) else areas
        known, places = np.unique(codes, return_inverse=True)
        return pa.array([division_names()[str(code)] for code in known.tolist()]).take(pa.array(places))

    def _date_text(self, name: str, type_: pa.DataType) -> pa.Array | None:
        rule = self.rows.rule(name)
        months = "年月" in "".join(rule.title.values()) if rule else False
        format_ = str(self.rows.hints(name).get("format") or ("%Y-%m" if months else ""))
        return dates(days(self.rows, name, self.rows.uniforms(name)), type_, format_)

    def _measured(self, name: str, type_: pa.DataType) -> pa.Array | None:
        """A number, day or truth value within published bounds; by published shares where there are some."""
        if name in self.rows.marginals:
            at = (np.arange(CANDIDATES) + 0.5) / CANDIDATES
            pool = measured(self.rows, name, type_, at)
            shares = None if pool is None else self._weights(name, pool)
            if pool is not None and shares is not None:
                return pool.take(pa.array(weighted(shares, self._keys(name))))
        return measured(self.rows, name, type_, self.rows.uniforms(name))

    def _values(self, name: str, type_: pa.DataType) -> Sequence[Any]:
        """The code list of a column: the hint's, the policy's, its hierarchy's leaves, or a standard's."""
        rule, hints = self.rows.rule(name), self.rows.hints(name)
        found = hints.get("values") or (rule.codes if rule and rule.codes else None) or self._leaves(name)
        if found:
            return list(found)
        if "type" not in hints and any(word in hints for word in ("minimum", "maximum")):
            return ()
        kind = self.rows.kinds[name]
        if not is_text(type_) and kind not in ("ETHNICITY", "MARITAL", "EDUCATION"):
            return ()
        titles = " ".join(rule.title.values()) if rule else ""
        named = NAMED_GROUPS.get(kind) if is_text(type_) and "GB/T" not in titles else None
        return named or LISTS.get(kind, ())

    def _leaves(self, name: str) -> list[Any] | None:
        """The leaves of a hierarchy in the policy, in a file beside it, or of the fixed table's dimension."""
        rule, aggregate = self.rows.rule(name), self.rows.policy.aggregate
        parameters = rule.parameters if rule else {}
        if isinstance(parameters.get("mapping"), Mapping) and parameters["mapping"]:
            return list(parameters["mapping"])
        dimension = (aggregate.dimensions.get(name) if aggregate else None) or {}
        if rule is None or rule.technique != KEEP:
            dimension = {}
        tables = self.rows.policy.sandbox.tables
        for each in tables.dimensions if tables else ():
            if each.column == name and each.codes and each.characters is None:
                return list(each.codes)
        given = parameters.get("file") or dimension.get("hierarchy") or dimension.get("categories")
        if isinstance(given, str):
            try:
                return list(dict.fromkeys(row[0] for row in read_rows(file_beside(given, self.rows.files))))
            except (MaskingError, OSError, IndexError):
                return None
        if isinstance(given, Mapping):
            return list(given)
        if isinstance(given, Sequence):
            return [line[0] if isinstance(line, Sequence) and not isinstance(line, str) else line for line in given]
        return None

    def _keys(self, name: str) -> Uniforms:
        """A number in [0, 1) for each row: the person's own for what belongs to her."""
        kind = self.rows.kinds[name]
        if kind in PERSONAL and self.rows.unit is not None:
            return uniforms(self.rows.population.seed, f"attribute {kind}", self.rows.owned(name))
        return self.rows.uniforms(name)

    def _shares(self, name: str, pool: pa.Array) -> npt.NDArray[np.float64]:
        found = self._weights(name, pool)
        return np.ones(len(pool)) if found is None else found

    def _weights(self, name: str, pool: pa.Array) -> npt.NDArray[np.float64] | None:
        marginal = self.rows.marginals.get(name)
        return weights(self.rows.rule(name), marginal, pool, self.rows.files) if marginal else None
