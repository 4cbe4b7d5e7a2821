"""A protected table with margins stands alone: of its population nothing else comes out, before it or after it.

What hides its cells is an audit of its own sums. Another edition of the same persons, a table over other dimensions or
of a later intake, or records, adds equations that this audit did not know: a total less the rest, or a cell that is
hidden in one table and unchanged and shown in the other. The joint classes of ``composition`` see none of that, so it
is refused; the very same table again says nothing new. Tables that belong together are protected together (``tables``).
Source: PRIVACY.md 4, 17, 20 (differencing; no second version of a fixed table); Hundepool et al., Statistical
Disclosure Control, 2012, 4.4 (linked tables).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from masking.policy import MaskingPolicy
from opendata.catalog.texts import text
from opendata.publishing.errors import PublicationRefused

_CLAUSE: Final = text("GB/T 42460-2023；GB/T 37964-2019", "GB/T 42460-2023; GB/T 37964-2019")


@dataclass(frozen=True, slots=True)
class Shown:
    """An edition that is made, or that came out: its policy and the digest of its table, whatever the file format."""

    edition_id: str
    policy: MaskingPolicy
    table_digest: str | None

    @property
    def has_margins(self) -> bool:
        """True for a protected table with margins."""
        return self.policy.aggregate is not None and self.policy.aggregate.protect is not None


def check_alone(new: Shown, earlier: Sequence[Shown]) -> None:
    """Raise PublicationRefused where a table with margins meets another edition of its population.

    ``earlier``: everything that came out, withdrawn editions included: they are assumed to be still held.
    """
    for each in earlier:
        if not (new.has_margins or each.has_margins) or _same_table(new, each):
            continue
        number = each.edition_id[:8]
        raise PublicationRefused(
            text(
                f"同一人群已发布过版本 {number}，两者之一是带合计的统计表；"
                "两张表相减可能推出其中隐藏的单元格，无法证明不会，故不予发布。"
                "需要几张表时，请在同一策略中用 aggregate.protect.tables 一起保护、一起发布。",
                f"Edition {number} of the same population came out before, and one of the two is a table with margins: "
                "the difference between them may give its hidden cells away, and nothing proves that it does not. "
                "Where several tables are wanted, protect and publish them together: aggregate.protect.tables.",
            ),
            clause=_CLAUSE,
        )


def _same_table(new: Shown, earlier: Shown) -> bool:
    return (
        new.has_margins
        and earlier.has_margins
        and new.table_digest is not None
        and new.table_digest == earlier.table_digest
    )
