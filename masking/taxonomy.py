"""
The standards' words as types: roles, levels, legal status, opening classes, effects.

Sources: GB/T 37964-2019 (roles of attributes), GB/T 42460-2023 (effect), GB/T 45574-2025 (sensitive personal
information), 个人信息保护法 Art. 73 (anonymized, de-identified). Every enum has ``title(language)`` ("zh" or "en") for
people and ``titles`` with both; a bare digit is never shown.
"""

from enum import IntEnum, StrEnum


class _Titled(StrEnum):
    """A word with a title in Chinese and English."""

    @property
    def titles(self) -> dict[str, str]:
        """Both titles: ``{"zh": …, "en": …}``."""
        chinese, english = _TITLES[type(self).__name__][self.value]
        return {"zh": chinese, "en": english}

    def title(self, language: str = "zh") -> str:
        """What people are shown; Chinese unless ``language`` is ``"en"``."""
        return self.titles["en" if language == "en" else "zh"]


class Role(_Titled):
    """What an attribute can do to a person (GB/T 37964)."""

    DIRECT_IDENTIFIER = "direct_identifier"
    QUASI_IDENTIFIER = "quasi_identifier"
    SENSITIVE = "sensitive"
    INSENSITIVE = "insensitive"


class DataLevel(_Titled):
    """Level of an attribute or dataset; ordered, the highest one counts (就高从严): ``max(levels)``."""

    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"
    IMPORTANT = "important"
    CORE = "core"

    @property
    def rank(self) -> int:
        """Place in the order, from 1."""
        return list(DataLevel).index(self) + 1

    def __lt__(self, other: object) -> bool:
        return self.rank < other.rank if isinstance(other, DataLevel) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self.rank <= other.rank if isinstance(other, DataLevel) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self.rank > other.rank if isinstance(other, DataLevel) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self.rank >= other.rank if isinstance(other, DataLevel) else NotImplemented


class LegalStatus(_Titled):
    """Legal status of an edition (PRIVACY 1). Computed figures are necessary for ``ANONYMIZED``, never sufficient."""

    ANONYMIZED = "anonymized"
    DEIDENTIFIED = "deidentified"
    PERSONAL = "personal"


class OpeningClass(_Titled):
    """How an edition is opened (开放属性)."""

    UNCONDITIONAL = "unconditional"
    CONDITIONAL = "conditional"
    CLOSED = "closed"


class Effect(IntEnum):
    """De-identification effect of GB/T 42460: from 1, persons directly identifiable, to 4, aggregate data."""

    IDENTIFIABLE = 1
    IDENTIFIERS_REMOVED = 2
    ACCEPTABLE_RISK = 3
    AGGREGATE = 4

    @property
    def titles(self) -> dict[str, str]:
        """Both titles: ``{"zh": …, "en": …}``."""
        chinese, english = _EFFECTS[self.value]
        return {
            "zh": f"去标识化效果 {self.value} 级：{chinese}",
            "en": f"de-identification effect {self.value}: {english}",
        }

    def title(self, language: str = "zh") -> str:
        """What people are shown; Chinese unless ``language`` is ``"en"``."""
        return self.titles["en" if language == "en" else "zh"]


_TITLES = {
    "Role": {
        "direct_identifier": ("直接标识符", "direct identifier"),
        "quasi_identifier": ("准标识符", "quasi-identifier"),
        "sensitive": ("敏感属性", "sensitive attribute"),
        "insensitive": ("非敏感属性", "insensitive attribute"),
    },
    "DataLevel": {
        "L1": ("L1 不敏感", "L1 not sensitive"),
        "L2": ("L2 低敏感", "L2 slightly sensitive"),
        "L3": ("L3 较敏感", "L3 rather sensitive"),
        "L4": ("L4 敏感", "L4 sensitive"),
        "important": ("重要数据", "important data"),
        "core": ("核心数据", "core data"),
    },
    "LegalStatus": {
        "anonymized": ("匿名化", "anonymized"),
        "deidentified": ("去标识化", "de-identified"),
        "personal": ("个人信息", "personal information"),
    },
    "OpeningClass": {
        "unconditional": ("无条件开放", "unconditional opening"),
        "conditional": ("有条件开放", "conditional opening"),
        "closed": ("不予开放", "not opened"),
    },
}
_EFFECTS = {
    1: ("可直接识别个人", "persons are directly identifiable"),
    2: ("已消除直接标识符", "direct identifiers removed"),
    3: ("风险可接受", "risk acceptable"),
    4: ("不含标识符（聚合数据或非个人数据）", "no identifiers (aggregate or non-personal data)"),
}
