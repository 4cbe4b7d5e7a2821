"""The masking policy: which role each attribute has and which technique changes it.

Roles follow ISO/IEC 20889 and GB/T 37964 (直接标识符, 准标识符, 敏感属性). A policy carries parameters and
key *names*, never keys. Plain values; reading, writing and checking stand in ``load``, ``dump`` and ``check``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final, Literal

from masking import techniques
from masking.disclosure.rules import Rules
from masking.keys import KeyUse, base_name
from masking.limits import Limits
from masking.policy.fixed_tables import FixedTables
from masking.taxonomy import DataLevel, Role
from masking.techniques.conditions import Condition

VERSION: Final = 1
DROP: Final = "suppression.drop"
KEEP: Final = "keep"
RECODING: Final = "generalization.recoding"
KEYED_TOKEN: Final = "pseudonymization.keyed"  # noqa: S105  (a name)
FREE_TEXT: Final = "text."
"""Family of techniques on free text; detection never finds everything, so they cap the effect."""

EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """What happens to one attribute. ``line`` is its line in the YAML, 0 when made in code."""

    name: str
    role: Role
    technique: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    level: DataLevel | None = None
    title: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    codes: tuple[Any, ...] | None = None
    practice: Mapping[str, Any] | None = None
    line: int = 0
    invented: bool = False
    """The column holds invented test data; shown wherever the attribute is."""
    when: Condition | None = None
    otherwise: AttributeRule | None = None
    """With ``when`` the technique applies to the records that meet it, and ``otherwise`` to all others."""

    @property
    def branches(self) -> tuple[AttributeRule, ...]:
        """The rule, and what holds where its condition does not."""
        return (self,) if self.otherwise is None else (self, self.otherwise)

    @property
    def dropped(self) -> bool:
        """True if the attribute does not appear in the masked table."""
        return self.technique == DROP

    @property
    def pseudonym(self) -> bool:
        """True if masked values are keyed pseudonyms: never anonymous while the key exists (个保法 Art. 73)."""
        return any(_known(rule.technique, "needs_key") and not rule.randomized for rule in self.branches)

    @property
    def randomized(self) -> bool:
        """True if the technique draws once for each record, under a key that undoes it."""
        return _known(self.technique, "randomized")

    @property
    def free_text(self) -> bool:
        """True if spans inside a text are replaced."""
        return any(rule.technique.startswith(FREE_TEXT) for rule in self.branches)

    @property
    def hides(self) -> bool:
        """True if no masked value tells the raw one: dropped, a token, or free text with its spans replaced."""
        return all(
            rule.technique.startswith(FREE_TEXT) or _known(rule.technique, "releases") in ("token", "nothing")
            for rule in self.branches
        )


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A fixed table instead of records: ``measures`` by ``by``, one grouping and no margins, or protected margins.

    ``measures`` maps an output name to ``{"count" | "sum" | "mean": column}``; ``{"count": "*"}`` counts persons.
    ``clamp`` maps a summed column to its (lower, upper) bounds; every summed or averaged column needs one.
    ``threshold`` is the least number of distinct persons in a shown cell; ``rounding`` the base counts are rounded to.
    ``dominance`` is (n, k): a sum is hidden when its n largest contributors hold more than the share k.

    ``protect`` gives the table its margins and says how they are protected (``masking.disclosure.protect``, which also
    takes ``{"records": "*"}``); ``threshold`` is then its threshold, and ``rounding``, ``clamp`` and ``dominance`` are
    not used. ``dimensions`` maps attributes of ``by`` to ``{"categories": list}`` or ``{"hierarchy": rows, mapping or
    file}``; of an attribute that it does not name, the values found are the categories.
    """

    by: tuple[str, ...]
    measures: Mapping[str, Mapping[str, str]]
    threshold: int = 10
    rounding: int = 5
    clamp: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    dominance: tuple[int, float] | None = (1, 0.5)
    dimensions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    protect: Rules | None = None

    def __post_init__(self) -> None:
        if self.protect is not None:
            object.__setattr__(self, "threshold", self.protect.threshold)

    @property
    def hides_small(self) -> bool:
        """True if no cell of fewer persons than the threshold is shown; rounding and noise show it, inexactly."""
        return self.protect is None or self.protect.method == "suppression"

    @property
    def rules(self) -> dict[str, Any]:
        """The words of ``protect`` beside its defaults, with method and threshold; ``read_rules`` reads them."""
        if self.protect is None:
            return {}
        words = {each.name: getattr(self.protect, each.name) for each in fields(Rules)}
        stated = {each.name for each in fields(Rules) if words[each.name] != each.default} | {"method", "threshold"}
        return {name: value for name, value in words.items() if name in stated}


@dataclass(frozen=True, slots=True)
class SandboxRules:
    """What a sealed job on the raw table may release: least persons in a cell, rounding base, kinds, cells."""

    threshold: int = 10
    rounding: int = 5
    kinds: tuple[str, ...] = ("frequency", "magnitude", "model")
    max_cells: int = 500
    practice_rows: int = 1000
    tables: FixedTables | None = None
    """What fixed tables (固定口径统计) are computed once for each intake; None: none."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Only a share of the records leaves, drawn under a key once for each record. ``share`` in (0, 1)."""

    share: float
    key: str


@dataclass(frozen=True, slots=True)
class KeyDomain:
    """What a key joins (PRIVACY 11). ``datasets`` that may use it, empty: any; ``version`` rises at a renewal.

    ``joins``: attributes that share one pseudonym space; every other attribute under the key has its own. None: all
    attributes under the key join.
    ``period``: the time that the table covers, such as 2026-03. Pseudonyms of another period are others, so that
    records of a person join within the period only (PRIVACY 12).
    """

    datasets: tuple[str, ...] = ()
    version: int = 1
    joins: tuple[str, ...] | None = None
    period: str = ""


@dataclass(frozen=True, slots=True)
class MaskingPolicy:
    """One dataset's masking policy. ``unit`` names the column that identifies the person; None: one row, one person."""

    dataset: str
    attributes: Mapping[str, AttributeRule]
    version: int = VERSION
    title: Mapping[str, str] = field(default_factory=dict)
    unit: str | None = None
    limits: Limits = field(default_factory=Limits)
    recoding: Literal["local", "global"] = "local"
    """How attributes under ``generalization.recoding`` are generalized: each class by itself, or the whole column."""
    aggregate: Aggregate | None = None
    sandbox: SandboxRules = field(default_factory=SandboxRules)
    level: DataLevel | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
    record: tuple[str, ...] = ()
    """Columns that tell records apart: randomness is drawn once for each of their values (PRIVACY 13)."""
    suppress: tuple[Condition, ...] = ()
    sample: Sample | None = None
    key_domains: Mapping[str, KeyDomain] = field(default_factory=dict)
    test_data: bool = False
    """Surrogates look valid; such a table is for tests only and never becomes an edition (PRIVACY 9)."""
    source_text: str = field(default="", repr=False, compare=False)

    def key_use(self, rule: AttributeRule) -> KeyUse | None:
        """How a rule uses its key."""
        if rule.key is None:
            return None
        domain = self.key_domains.get(rule.key, KeyDomain())
        parts = [base_name(rule.key)]
        if domain.period:
            parts += ["period", domain.period]
        if domain.joins is not None and rule.name not in domain.joins:
            parts += [self.dataset, rule.name]
        return KeyUse(rule.key, "/".join(parts) if parts[1:] else "", domain.version)

    def with_role(self, role: Role) -> tuple[str, ...]:
        """Names of the attributes of this role, dropped ones included."""
        return tuple(name for name, rule in self.attributes.items() if rule.role is role)

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the attributes that appear in a masked table of records, in the policy's order."""
        return tuple(name for name, rule in self.attributes.items() if not rule.dropped)

    @property
    def quasi_identifiers(self) -> tuple[str, ...]:
        """Kept attributes that k-anonymity counts, derived ones (tokens declared as quasi-identifiers) included."""
        return tuple(n for n in self.with_role(Role.QUASI_IDENTIFIER) if not self.attributes[n].dropped)

    @property
    def derived_quasi_identifiers(self) -> tuple[str, ...]:
        """Quasi-identifiers that leave as keyed pseudonyms: they still single a person out by their frequency."""
        return tuple(n for n in self.quasi_identifiers if self.attributes[n].pseudonym)

    @property
    def sensitive(self) -> tuple[str, ...]:
        """Kept sensitive attributes, which l-diversity looks at; free text is none of them."""
        kept = (n for n in self.with_role(Role.SENSITIVE) if not self.attributes[n].dropped)
        return tuple(n for n in kept if not self.attributes[n].free_text)

    @property
    def free_text(self) -> tuple[str, ...]:
        """Kept free-text attributes; any of them caps the effect at 2."""
        return tuple(n for n in self.kept if self.attributes[n].free_text)

    @property
    def bare_identifiers(self) -> tuple[str, ...]:
        """Direct identifiers that would appear in clear: effect 1. Redacted text is capped at effect 2 elsewhere."""
        return tuple(n for n in self.with_role(Role.DIRECT_IDENTIFIER) if not self.attributes[n].hides)

    @property
    def recoded(self) -> tuple[str, ...]:
        """Attributes whose levels a search decides together, so that the limits are met."""
        if not self.limits.asked or self.is_aggregate:
            return ()
        return tuple(name for name, rule in self.attributes.items() if rule.technique == RECODING)

    @property
    def key_names(self) -> tuple[str, ...]:
        """Names of the keys a run needs, each once."""
        rules = [branch for rule in self.attributes.values() for branch in rule.branches]
        sample = [self.sample.key] if self.sample else []
        noise = [self.noise_key] if self.noise_key else []
        return tuple(dict.fromkeys([*(rule.key for rule in rules if rule.key), *sample, *noise]))

    @property
    def noise_key(self) -> str | None:
        """The name of the key that noise or rounding of an aggregate's counts is drawn under."""
        protect = self.aggregate.protect if self.aggregate is not None else None
        return None if protect is None else protect.key

    @property
    def draws(self) -> bool:
        """True if something is drawn once for each record under a key: noise, swaps, a sample, noise of counts."""
        branches = [branch for rule in self.attributes.values() for branch in rule.branches]
        return bool(self.sample or self.noise_key) or any(branch.randomized for branch in branches)

    @property
    def is_aggregate(self) -> bool:
        """True if the output is a table of cells and not of records."""
        return self.aggregate is not None

    @property
    def about_persons(self) -> bool:
        """False if every attribute is declared and reviewed as insensitive: then nothing in the table is personal."""
        return any(rule.role is not Role.INSENSITIVE for rule in self.attributes.values())

    @property
    def person_columns(self) -> tuple[str, ...]:
        """All declared quasi-identifiers, dropped ones included: what risk *before* masking is measured over."""
        return self.with_role(Role.QUASI_IDENTIFIER)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """``table.column`` refers to ``to_table.to_column``; ``line`` is its line in the YAML, 0 when made in code."""

    table: str
    column: str
    to_table: str
    to_column: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.table}.{self.column} → {self.to_table}.{self.to_column}"


@dataclass(frozen=True, slots=True)
class PolicySet:
    """The policies of several tables of one dataset, by table, and the keys that join them.

    Each table's policy stands for itself: its limits count the persons of that table. Who holds two tables holds their
    join, so a quasi-identifier belongs into the table whose limit counts it.
    """

    dataset: str
    tables: Mapping[str, MaskingPolicy]
    foreign_keys: tuple[ForeignKey, ...] = ()
    version: int = VERSION
    title: Mapping[str, str] = field(default_factory=dict)
    level: DataLevel | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
    key_domains: Mapping[str, KeyDomain] = field(default_factory=dict)
    test_data: bool = False
    source_text: str = field(default="", repr=False, compare=False)

    @property
    def key_names(self) -> tuple[str, ...]:
        """Names of the keys a run needs, each once."""
        return tuple(dict.fromkeys(name for policy in self.tables.values() for name in policy.key_names))


def _known(technique: str, word: str) -> Any:
    """A class attribute of a technique; of one that is not registered, what is safest to assume."""
    if technique not in techniques.names():
        return {"needs_key": False, "randomized": False, "releases": "value"}[word]
    return getattr(techniques.get(technique), word)
