"""What a masking run did and what risk is left: one report for the officer, one for everybody.

The public report is computed from the policy and the masked table alone, plus risk figures rounded to two digits, so
two raw tables that mask to the same table give the same public report. Neither holds a key, a token, a direct
identifier or free text. Distributions name a value, or the edge of a bin, only where at least ``least`` persons stand
behind it; those of the raw table are in the internal report only.
Source: GB/T 42460-2023 (effect), ISO/IEC 20889:2018 (measures), 个人信息保护法 Art. 73 (legal status).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, Self

from masking.taxonomy import Effect, LegalStatus, Role

VERSION: Final = 3
READABLE: Final = (1, 2, 3)
"""Versions that this code reads: version 2 added what is said of each attribute beyond its nulls and rejects, version 3
the limits that were proved, how a search generalized and how a table with margins was protected."""
Kind = Literal["microdata", "aggregate"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One bar: a value's ``label``, or the half-open bin from ``lower`` to ``upper`` (None: open end)."""

    count: int
    label: str = field(default="", repr=False)
    lower: float | None = field(default=None, repr=False)
    upper: float | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Distribution:
    """
    How often which values occur; nulls are counted elsewhere.

    Every cell holds at least ``least`` persons; ``pooled`` counts the records of all others together, None if they are
    fewer persons than that. Bins are multiples of ``step``; in the scale "month" they count months from year 0. Counts
    are rounded to multiples of ``rounding``; ``sampled``: counted in a sample of the records.
    """

    kind: Literal["categories", "histogram"]
    cells: tuple[Cell, ...]
    pooled: int | None = 0
    step: float | None = None
    scale: Literal["number", "month"] = "number"
    least: int = 1
    rounding: int = 1
    sampled: bool = False


@dataclass(frozen=True, slots=True)
class AttributeReport:
    """
    One attribute of a run.

    ``nulls``, ``distinct`` and ``after`` tell of the masked column, ``nulls_before``, ``distinct_before``, ``before``
    and ``rejects`` (values outside the format) of the raw one: those are None or 0 in the public report. ``withheld``
    says why ``after`` is missing. ``loss`` is in [0, 1], of a kind that ``masking.measures.profile`` defines; in the
    public report it is there only where the technique alone decides it. ``parameters`` are those of the policy.
    ``condition`` with ``otherwise`` (technique, parameters, key): where a condition decides.
    """

    name: str
    technique: str
    role: Role
    nulls: int = 0
    rejects: int = 0
    dropped: bool = False
    invented: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    condition: Mapping[str, Any] | None = None
    otherwise: Mapping[str, Any] | None = None
    title: Mapping[str, str] = field(default_factory=dict)
    sentence: Mapping[str, str] = field(default_factory=dict)
    level: str | None = None
    loss: float | None = None
    loss_kind: str = ""
    nulls_before: int | None = None
    distinct_before: int | None = None
    distinct: int | None = None
    before: Distribution | None = None
    after: Distribution | None = None
    withheld: str = ""


@dataclass(frozen=True, slots=True)
class KeyReport:
    """A key by name: the version of its domain, the datasets that may use it, the attributes that join under it."""

    name: str
    version: int = 1
    datasets: tuple[str, ...] = ()
    joins: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class RiskFigures:
    """Classes over the quasi-identifiers, counted in persons. Without quasi-identifiers all persons are one class."""

    persons: int
    classes: int
    k: int
    unique_persons: int
    prosecutor_max: float
    prosecutor_average: float
    distinct_l: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """A limit that the table was proved to meet: what was ``asked`` and what was ``found`` (None: not told here)."""

    limit: str
    asked: Any
    found: float | None = None


@dataclass(frozen=True, slots=True)
class RecodingReport:
    """
    How a search generalized the quasi-identifiers.

    ``granularity`` in [0, 1], 1 for the untouched table; ``suppressed_records`` hold ``*`` in every quasi-identifier,
    ``left_records`` left because even so they would break a limit; ``levels``: for each attribute the share of the
    released records at each level of its hierarchy.
    """

    kind: str
    granularity: float
    suppressed_records: int = 0
    left_records: int = 0
    optimal: bool = False
    levels: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Protection:
    """
    How a table with margins was protected, as everybody may know.

    ``method``: "suppression", "rounding", "random_rounding" or "cell_key"; ``threshold``: persons below which a cell is
    not shown, or not exactly; ``base``: counts are multiples of it (None: not rounded); ``additive``: what is shown
    adds up. Further parameters would help who wants to undo it.
    """

    method: str
    threshold: int
    base: int | None = None
    additive: bool = True


@dataclass(frozen=True, slots=True)
class AuditReport:
    """
    What protecting a table with margins cost, and how the audit answered the attackers it asked for.

    ``parameters``: all of them. ``cells`` of the table, ``empty`` ones among them, ``primary`` ones that may not be
    shown and ``complementary`` ones hidden to protect these. ``optimal``: no cheaper pattern protects. ``furthest``:
    how far a count moved. ``asked`` pairs of attacker and cell, answered ``by_witness`` or ``by_program``.
    ``narrowest``: for each figure the least width of the interval that an attacker finds for a cell that may not be
    shown, as a share of its larger end; a figure that it was not computed for is missing.
    """

    parameters: Mapping[str, Any]
    cells: int
    empty: int
    primary: int
    complementary: int
    persons: int
    optimal: bool
    furthest: int
    asked: int
    by_witness: int
    by_program: int
    narrowest: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DrillReport:
    """
    What an attacker found who knows every raw quasi-identifier, the policy and the algorithm: figures, never a value.

    ``attack``: "algorithm", "matching" or "distance" (see ``masking.engines.drilling``); ``bound``: it is more than
    such an attacker can do. ``knowledge``: how the attacker reads each attribute ("hierarchy", "pairs", "distance").
    ``expected`` and ``max_probability`` are the mean and the greatest probability given to a true record, in [0, 1]
    (None: such an attack gives none). ``successes`` were counted among ``attacked`` records; their rate lies above
    ``lower_95``, and below ``upper_95``, with 95 % confidence each. ``baseline``: blind guessing. ``posterior``: the
    greatest probability of any value of a sensitive attribute; ``minimality``: how much knowing the limits adds to one,
    where it was looked at. ``thresholds`` by sharing mode.
    """

    attack: str
    attacked: int
    released: int
    expected: float
    max_probability: float | None
    successes: int
    lower_95: float
    upper_95: float
    baseline: float
    bound: bool = False
    knowledge: Mapping[str, str] = field(default_factory=dict)
    posterior: Mapping[str, float] = field(default_factory=dict)
    minimality: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def passes(self, sharing: str) -> bool:
        """
        True if nobody is named with more than the threshold of this sharing mode.

        Where every probability is known exactly, the greatest must keep to the threshold, and the count may not show
        that more were named than that. Where successes can only be counted, the count must show that fewer were.
        """
        limit = self.thresholds[sharing] * (1 + 1e-9)  # one person in k is within 1/k, however it was rounded
        if self.max_probability is None:
            return max(self.expected, self.upper_95) <= limit
        return max(self.max_probability, self.lower_95) <= limit


@dataclass(frozen=True, slots=True)
class PublicReport:
    """What anyone may read about an edition: facts of the masked table only.

    ``k`` is measured on the masked table; where persons can be told apart only in the raw table, it is the limit the
    run enforced (``k_is_limit``). Risks are rounded to two digits. ``records``: the techniques on whole records
    (suppression, sampling) with their parameters. ``test_data``: surrogates look valid, so this is never an edition.
    ``claims`` are the limits that were asked and proved, without what was found; ``recoding``: "local", "global" or "".
    """

    dataset: str
    kind: Kind
    rows: int
    attributes: tuple[AttributeReport, ...]
    quasi_identifiers: tuple[str, ...]
    derived_quasi_identifiers: tuple[str, ...]
    k: int | None
    k_is_limit: bool
    distinct_l: Mapping[str, int]
    risk_max: float
    risk_average: float
    uniqueness_all_columns: float
    effect: Effect
    legal_status: LegalStatus
    title: Mapping[str, str] = field(default_factory=dict)
    level: str | None = None
    keys: tuple[KeyReport, ...] = ()
    records: tuple[Mapping[str, Any], ...] = ()
    test_data: bool = False
    claims: tuple[Claim, ...] = ()
    recoding: str = ""
    protection: Protection | None = None
    """Of an aggregate with margins."""
    version: int = VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return _plain(asdict(self))

    def to_json(self, indent: int | None = None) -> str:
        """JSON with sorted keys: equal reports give equal text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, sort_keys=True, indent=indent)


@dataclass(frozen=True, slots=True)
class MaskingReport:
    """What the officer and the reviewer see. ``before`` and ``after`` are None for tables not about persons.

    ``unique_before`` and ``unique_after`` are shares of persons alone in their class, in [0, 1].
    ``left_out`` counts records that the policy itself leaves out, ``suppressed`` those below the limits.
    ``anonymizable``: no key is kept and the public threshold is met, so a named person *may* sign that the edition is
    anonymous; the run alone never says so of personal data.
    """

    dataset: str
    kind: Kind
    rows_in: int
    rows_out: int
    suppressed: int
    attributes: tuple[AttributeReport, ...]
    quasi_identifiers: tuple[str, ...]
    derived_quasi_identifiers: tuple[str, ...]
    before: RiskFigures | None
    after: RiskFigures | None
    uniqueness_all_columns: float
    effect: Effect
    legal_status: LegalStatus
    anonymizable: bool
    released: PublicReport
    policy_digest: str = ""
    left_out: int = 0
    title: Mapping[str, str] = field(default_factory=dict)
    level: str | None = None
    keys: tuple[KeyReport, ...] = ()
    records: tuple[Mapping[str, Any], ...] = ()
    test_data: bool = False
    claims: tuple[Claim, ...] = ()
    recoding: RecodingReport | None = None
    drill: DrillReport | None = None
    """Where one was run: it costs more than the run itself tells, and belongs to the internal report alone."""
    audit: AuditReport | None = None
    """Of an aggregate with margins; what everybody may know of its protection is in ``released``."""
    version: int = VERSION

    @property
    def k_before(self) -> int | None:
        """Smallest class of persons in the raw table over the same attributes."""
        return self.before.k if self.before else None

    @property
    def k_after(self) -> int | None:
        """Smallest class of persons in the masked table."""
        return self.after.k if self.after else None

    @property
    def unique_before(self) -> float:
        """Share of persons who stand alone in the raw table."""
        return _share(self.before)

    @property
    def unique_after(self) -> float:
        """Share of persons who stand alone in the masked table."""
        return _share(self.after)

    @property
    def suppression(self) -> float:
        """Share of rows that were left out to meet the limits."""
        return self.suppressed / self.rows_in if self.rows_in else 0.0

    def public(self) -> PublicReport:
        """The report for everybody."""
        return self.released

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the derived figures included."""
        plain = _plain(asdict(self))
        plain.update(
            k_before=self.k_before,
            k_after=self.k_after,
            unique_before=self.unique_before,
            unique_after=self.unique_after,
            suppression=self.suppression,
        )
        return plain

    def to_json(self, indent: int | None = None) -> str:
        """JSON with sorted keys."""
        return json.dumps(self.to_dict(), ensure_ascii=False, sort_keys=True, indent=indent)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The report that ``to_dict`` wrote.

        Raises:
            ValueError: the version is not one this code reads.
        """
        _check_version(plain)
        known = {name: plain[name] for name in cls.__slots__ if name in plain}
        known.update(
            attributes=tuple(_attribute(item) for item in plain["attributes"]),
            quasi_identifiers=tuple(plain["quasi_identifiers"]),
            derived_quasi_identifiers=tuple(plain["derived_quasi_identifiers"]),
            before=RiskFigures(**plain["before"]) if plain["before"] else None,
            after=RiskFigures(**plain["after"]) if plain["after"] else None,
            effect=Effect(plain["effect"]),
            legal_status=LegalStatus(plain["legal_status"]),
            released=public_from_dict(plain["released"]),
            keys=_keys(plain),
            records=tuple(plain.get("records", ())),
            claims=_claims(plain),
            recoding=_recoding(plain.get("recoding")),
            drill=DrillReport(**plain["drill"]) if plain.get("drill") else None,
            audit=AuditReport(**plain["audit"]) if plain.get("audit") else None,
        )
        return cls(**known)


def public_from_dict(plain: Mapping[str, Any]) -> PublicReport:
    """The public report that ``PublicReport.to_dict`` wrote.

    Raises:
        ValueError: the version is not one this code reads.
    """
    _check_version(plain)
    known = dict(plain)
    known.update(
        attributes=tuple(_attribute(item) for item in plain["attributes"]),
        quasi_identifiers=tuple(plain["quasi_identifiers"]),
        derived_quasi_identifiers=tuple(plain["derived_quasi_identifiers"]),
        effect=Effect(plain["effect"]),
        legal_status=LegalStatus(plain["legal_status"]),
        keys=_keys(plain),
        records=tuple(plain.get("records", ())),
        claims=_claims(plain),
        protection=Protection(**plain["protection"]) if plain.get("protection") else None,
    )
    return PublicReport(**known)


def two_digits(share: float) -> float:
    """A risk rounded to two significant digits: exact figures would tell one record's presence."""
    return float(f"{share:.2g}")


def _share(figures: RiskFigures | None) -> float:
    return figures.unique_persons / figures.persons if figures and figures.persons else 0.0


def _attribute(plain: Mapping[str, Any]) -> AttributeReport:
    known = {
        **plain,
        "role": Role(plain["role"]),
        "before": _distribution(plain.get("before")),
        "after": _distribution(plain.get("after")),
    }
    return AttributeReport(**known)


def _distribution(plain: Mapping[str, Any] | None) -> Distribution | None:
    return Distribution(**{**plain, "cells": tuple(Cell(**cell) for cell in plain["cells"])}) if plain else None


def _keys(plain: Mapping[str, Any]) -> tuple[KeyReport, ...]:
    return tuple(
        KeyReport(
            key["name"],
            key["version"],
            tuple(key["datasets"]),
            None if key["joins"] is None else tuple(key["joins"]),
        )
        for key in plain.get("keys", ())
    )


def _claims(plain: Mapping[str, Any]) -> tuple[Claim, ...]:
    return tuple(Claim(**claim) for claim in plain.get("claims", ()))


def _recoding(plain: Mapping[str, Any] | None) -> RecodingReport | None:
    if plain is None:
        return None
    levels = {name: tuple(shares) for name, shares in plain["levels"].items()}
    return RecodingReport(**{**plain, "levels": levels})


def _check_version(plain: Mapping[str, Any]) -> None:
    if plain.get("version") not in READABLE:
        raise ValueError(f"report version {plain.get('version')!r} is none of {READABLE}")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Effect):
        return int(value)
    if isinstance(value, Role | LegalStatus):
        return value.value
    return value
