"""The legal status of an edition (匿名化, 去标识化, 个人信息), decided from named conditions.

``anonymized`` needs all of: no retained key or mapping, the threshold for public release met, the linkage drill passed,
and a signed opinion of a named person. A table about nobody is not personal information once that opinion says so.
Everything else about persons is at most ``deidentified``. Source: PRIVACY.md 1; 个人信息保护法 Art. 4, 73.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from masking.report import MaskingReport
from masking.taxonomy import Effect, LegalStatus
from opendata.catalog.texts import Text, text

ACCEPTABLE: Final = Effect(3)
AGGREGATE: Final = Effect(4)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a status rests on. ``k``: smallest class in persons, None when nothing is about persons.

    ``draws_kept``: noise, swaps or a sample rest on the dataset's own key, which later editions need: it is retained.
    """

    about_persons: bool
    status_of_run: LegalStatus
    effect: Effect
    k: int | None
    keyed: bool
    key_destroyed: bool
    drill_passed: bool
    opinion: str
    draws_kept: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition and whether it holds."""

    name: str
    met: bool
    words: Text

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"name": self.name, "met": self.met, "text": dict(self.words)}


def conditions(facts: Facts, *, largest_risk: float) -> list[Condition]:
    """The conditions of ``anonymized``, in order. ``largest_risk`` in (0, 1]: the threshold of full publication."""
    return [
        Condition(
            "no_retained_key",
            (not facts.keyed or facts.key_destroyed) and not facts.draws_kept,
            text("不留存密钥或对照表", "no key or mapping is retained"),
        ),
        Condition(
            "public_threshold",
            _threshold_met(facts, largest_risk),
            text(
                f"每个人被认出的最高风险不超过 {largest_risk:g}，或为汇总数据",
                f"the largest risk of one person is at most {largest_risk:g}, or it is aggregate data",
            ),
        ),
        Condition("linkage_drill", facts.drill_passed, text("关联攻击演练通过", "the linkage drill is passed")),
        Condition(
            "signed_opinion", bool(facts.opinion.strip()), text("有具名审核意见", "a named person signed an opinion")
        ),
    ]


def status(facts: Facts, *, largest_risk: float) -> LegalStatus:
    """The status these facts give."""
    if facts.status_of_run is LegalStatus.PERSONAL:
        return LegalStatus.PERSONAL
    held: Sequence[Condition] = conditions(facts, largest_risk=largest_risk)
    return LegalStatus.ANONYMIZED if all(each.met for each in held) else LegalStatus.DEIDENTIFIED


def drill_passed(report: MaskingReport, *, about_persons: bool) -> bool:
    """Whether the linkage drill of this run says that nobody can be named in the edition.

    Records of persons: a drill was run, and no person is named with more than the threshold of full publication (see
    ``DrillReport.passes``). An aggregate shows no record to link; no cell of it may stand for one person. Who is not
    there cannot be found in a table about nobody.
    """
    if not about_persons:
        return True
    if report.kind == "aggregate":
        return report.after is None or report.after.k != 1
    return report.drill is not None and report.drill.passes("full_public")


def _threshold_met(facts: Facts, largest_risk: float) -> bool:
    if facts.effect >= AGGREGATE or not facts.about_persons:
        return True
    return facts.effect >= ACCEPTABLE and facts.k is not None and facts.k > 0 and 1 / facts.k <= largest_risk
