"""Composition: a new edition is judged together with everything of its population that was shown before.

Earlier editions are assumed to be still held by everyone, withdrawn ones included. The history of a person is the tuple
of their classes in all of them; whom an edition does not show is absent in it. No joint class (a history and a class of
the new edition, or none) may hold fewer persons than the smallest k of all editions, and the joint classes that the new
edition shows meet the weakest l and t of all. Where one of two is an aggregate, only the attributes both tables use are
joined, because cells, not records, were shown. Two intakes are linked by the person column; without one, classes are
counted and may differ by none or by at least k, which needs the same generalization, and so no search.
Source: PRIVACY.md 4 (composition), 3 (suppressed records are a class too).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl

from masking.measures.joint_classes import joint_classes
from masking.measures.proof import examine
from masking.policy import MaskingPolicy
from masking.recoding.history import Earlier, History, history_of, joint_limits
from opendata.catalog.texts import text
from opendata.publishing.errors import PublicationRefused
from opendata.publishing.views import PERSON, SHOWN, View, shown, view

__all__ = ["Joint", "View", "check", "check_same_hierarchies", "histories", "joint", "view"]

_HISTORY: Final = "\x01history"
_NOW: Final = "\x01now"
_NEVER: Final = "\x01never"
_ABSENT: Final = "\x00absent"
_CLAUSE: Final = text("GB/T 42460-2023；GB/T 37964-2019", "GB/T 42460-2023; GB/T 37964-2019")
_HOW: Final = ("lowest", "highest", "weight")
"""Parameters of a recoding that say how far it goes, not which hierarchy it goes up."""


@dataclass(frozen=True, slots=True)
class Joint:
    """The smallest joint class, in persons, and how many persons are in classes below k."""

    k: int
    smallest: int
    persons_below: int


def joint(new: View, earlier: View, k: int | None = None) -> Joint | None:
    """The joint classes of two editions; None when they cannot single anybody out together.

    ``k``: what they are held to, None for the smaller of the two. Raises PublicationRefused when two intakes cannot be
    linked and their generalization differs.
    """
    limits = [each.k for each in (new, earlier) if each.k is not None]
    if not limits or not new.quasi_identifiers or not earlier.quasi_identifiers or _same(new, earlier):
        return None
    new_names, old_names = new.quasi_identifiers, earlier.quasi_identifiers
    if new.aggregate or earlier.aggregate:
        shared = tuple(name for name in new_names if name in old_names)
        if not shared:
            return None
        new_names = old_names = shared
    k = min(limits) if k is None else k
    if not _linkable(new, earlier):
        return _unlinked(new, new_names, earlier, old_names, k)
    return _joined(new, new_names, [(earlier, old_names)], k)[0]


def check(
    new: View, earlier: Sequence[tuple[str, View]], *, hierarchies: Mapping[str, Any] | None = None
) -> list[dict[str, int | str]]:
    """Judge the new edition with each earlier one ``(edition id, view)`` and with all together; returns what is found.

    ``hierarchies``: of sensitive attributes, for the hierarchical distance. Raises PublicationRefused when a joint
    class is below k, or breaks a joint limit on sensitive values.
    """
    sizes = [each.k for each in (new, *(each for _, each in earlier)) if each.k is not None]
    found: list[dict[str, int | str]] = []
    for reference, each in earlier:
        result = joint(new, each, min(sizes, default=None))
        if result is None:
            continue
        if result.persons_below:
            raise _refused(f"已发布的版本 {reference[:8]} ", f"the published edition {reference[:8]}", result)
        found.append({"edition": reference, "k": result.k, "smallest": result.smallest})
    _check_together(new, [each for _, each in earlier], hierarchies or {})
    return found


def histories(
    persons: pl.Series | None, records: int, policy: MaskingPolicy, intake_id: str, earlier: Sequence[View]
) -> History | None:
    """What earlier editions showed of the records of an intake, for the search of a policy that recodes locally.

    ``persons``: the person column, None for a table without. None where no earlier edition can be linked to a record.
    """
    rows = pl.int_range(records, eager=True).cast(pl.String)
    names = rows if persons is None else persons.cast(pl.String)
    seen = [each for each in earlier if not each.aggregate and each.quasi_identifiers and each.k is not None]
    seen = [each for each in seen if each.intake_id == intake_id or (each.linked and persons is not None)]
    if not seen:
        return None
    by_records = names.n_unique() < records and all(each.intake_id == intake_id for each in seen)
    if by_records:
        names = rows
    held = []
    for each in seen:
        frame = each.frame.with_columns(names.alias(PERSON)) if each.intake_id == intake_id else each.frame
        held.append(Earlier.of_persons(frame.filter(pl.col(SHOWN)), each.quasi_identifiers, PERSON, each.limits))
    return replace(history_of(names, records, held, policy.limits, company=True), by_records=by_records)


def check_same_hierarchies(new: MaskingPolicy, earlier: Sequence[MaskingPolicy]) -> None:
    """One table has one lattice: an attribute that was recoded before is recoded up the same hierarchy."""
    for name in new.recoded:
        for each in earlier:
            if name in each.recoded and _hierarchy(new, name) != _hierarchy(each, name):
                raise PublicationRefused(
                    text(
                        f"属性 {name} 的泛化层级与已发布版本不同；同一数据集的每个属性只用一套泛化层级，请沿用原层级。",
                        f"Attribute {name} has another hierarchy than in a published edition; one dataset has one "
                        "hierarchy for each attribute. Keep the earlier one.",
                    ),
                    clause=_CLAUSE,
                )


def stands_out(persons: int, k: int) -> PublicationRefused:
    """The refusal of a search that found no edition which composes."""
    return PublicationRefused(
        text(
            f"与已发布的版本组合后，有 {persons} 人会被凸显（共同群体不足 {k} 人），抑制比例之内没有可行的方案。"
            "请提高策略允许的抑制比例、等待新增人数足够，或沿用原有版本。",
            f"Together with the published editions {persons} persons would stand out in joint classes of fewer than "
            f"{k}, and no plan hides them within the suppression that the policy allows. Allow more suppression, wait "
            "until enough persons have been added, or keep the earlier edition.",
        ),
        clause=_CLAUSE,
    )


def _hierarchy(policy: MaskingPolicy, name: str) -> dict[str, Any]:
    parameters = policy.attributes[name].parameters
    return {key: value for key, value in parameters.items() if key not in _HOW}


def _check_together(new: View, earlier: Sequence[View], hierarchies: Mapping[str, Any]) -> None:
    """All record editions at once: their joint classes are finer than those of any two."""
    held = [each for each in earlier if not each.aggregate and each.quasi_identifiers and each.limits.asked]
    held = [each for each in held if _linkable(new, each) and not _same(new, each)]
    if new.aggregate or not new.quasi_identifiers or not held:
        return
    asked = joint_limits(new.limits, [each.limits for each in held])
    names = list(new.quasi_identifiers)
    found, here = _joined(new, names, [(each, each.quasi_identifiers) for each in held], asked.least_class)
    if found.persons_below:
        raise _refused("全部已发布版本", "all published editions", found)
    if not asked.needs_sensitive or not here.height:
        return
    proof = examine(
        here,
        [_HISTORY, *names],
        replace(asked, k_anonymity=None, suppression=1.0),
        sensitive=new.sensitive,
        unit=PERSON,
        hierarchies=hierarchies,
    )
    if proof.broken:
        persons = max(each.persons for each in proof.broken)
        limits = "、".join(dict.fromkeys(each.limit for each in proof.broken))
        raise PublicationRefused(
            text(
                f"与全部已发布版本组合后，有 {persons} 人所在的共同群体不满足 {limits}，不得发布。请沿用原有泛化方式。",
                f"Together with all published editions, {persons} persons stand in joint classes that do not meet "
                f"{limits.replace('、', ', ')}. Keep the earlier generalization.",
            ),
            clause=_CLAUSE,
        )


def _joined(
    new: View, names: Sequence[str], earlier: Sequence[tuple[View, Sequence[str]]], k: int
) -> tuple[Joint, pl.DataFrame]:
    """The joint classes, and the records that the new edition shows with their history.

    Editions of one table are joined record by record, others person by person: a person of several records has the set
    of their classes there.
    """
    said = [
        each.frame[PERSON] for each in (new, *(each for each, _ in earlier)) if each.linked and _one_table(new, each)
    ]
    alone = "row " + pl.int_range(new.frame.height, eager=True).cast(pl.String)
    persons = pl.select(pl.coalesce(*said, alone)).to_series().alias(PERSON)
    if all(_one_table(new, each) for each, _ in earlier):
        return _by_record(new, names, earlier, persons, k)
    held = []
    for each, old_names in earlier:
        frame = each.frame.with_columns(persons) if _one_table(new, each) else each.frame
        held.append(Earlier.of_persons(frame.filter(pl.col(SHOWN)), old_names, PERSON, each.limits))
    here = new.frame.with_columns(persons).filter(pl.col(SHOWN))
    history = history_of(here[PERSON], here.height, held, new.limits)
    totals = history.present + history.away
    found = joint_classes(here.select(names), names, history.codes, k=k, totals=totals, unit=here[PERSON])
    smallest = found.smallest if found.classes else k
    return Joint(k, smallest, found.below), here.with_columns(pl.Series(_HISTORY, history.codes))


def _by_record(
    new: View, names: Sequence[str], earlier: Sequence[tuple[View, Sequence[str]]], persons: pl.Series, k: int
) -> tuple[Joint, pl.DataFrame]:
    before = [_side(each, old_names) for each, old_names in earlier]
    rows = pl.DataFrame({PERSON: persons, _NOW: _side(new, names)}).with_columns(
        pl.select(pl.concat_str([each.fill_null(_ABSENT) for each in before], separator="\x1e"))
        .to_series()
        .alias(_HISTORY),
        pl.select(pl.all_horizontal([each.is_null() for each in before])).to_series().alias(_NEVER),
    )
    seen = rows.filter(~(pl.col(_NEVER) & pl.col(_NOW).is_null()))
    sizes = seen.group_by(_HISTORY, _NOW).agg(pl.col(PERSON).n_unique().cast(pl.Int64).alias("n"))["n"]
    here = new.frame.with_columns(persons, rows[_HISTORY]).filter(pl.col(SHOWN))
    return _judged(sizes, k), here


def _side(view_: View, names: Sequence[str]) -> pl.Series:
    """The class of each record as one text, null where it is not shown."""
    joined = pl.concat_str([pl.col(name) for name in names], separator="\x1f")
    return view_.frame.select(pl.when(pl.col(SHOWN)).then(joined)).to_series()


def _judged(sizes: pl.Series, k: int) -> Joint:
    smallest = sizes.min()
    return Joint(k, int(smallest) if isinstance(smallest, int) else k, int(sizes.filter(sizes < k).sum()))


def _linkable(new: View, earlier: View) -> bool:
    return _one_table(new, earlier) or (new.linked and earlier.linked)


def _one_table(new: View, earlier: View) -> bool:
    return new.intake_id == earlier.intake_id


def _same(new: View, earlier: View) -> bool:
    """The same classes again, under another key at most."""
    if new.intake_id != earlier.intake_id or new.policy_digest != earlier.policy_digest:
        return False
    names = [*new.quasi_identifiers, SHOWN]
    return not new.recoded or (
        new.quasi_identifiers == earlier.quasi_identifiers
        and new.frame.select(names).equals(earlier.frame.select(names))
    )


def _unlinked(new: View, new_names: Sequence[str], earlier: View, old_names: Sequence[str], k: int) -> Joint:
    if new.policy_digest != earlier.policy_digest:
        raise PublicationRefused(
            text(
                "新批次没有可关联的个人列，且脱敏策略与已发布版本不同，无法检验组合风险；请沿用原策略。",
                "The new intake has no person column to link by and its masking policy differs from the published "
                "edition's, so composition cannot be judged; keep the earlier policy.",
            )
        )
    if new.recoded:
        raise PublicationRefused(
            text(
                "新批次没有可关联的个人列，而重编码使每个批次的分组不同，无法检验组合风险；请在策略中指明个人列（unit）。",
                "The new intake has no person column to link by, and recoding gives each intake other classes, so "
                "composition cannot be judged; name the person column (unit) in the policy.",
            )
        )
    one, other = (
        shown(each, names).group_by(names).agg(pl.len().cast(pl.Int64).alias(count))
        for each, names, count in ((new, new_names, "\x01n"), (earlier, old_names, "\x01m"))
    )
    both = one.join(other, on=list(new_names), how="full", coalesce=True).fill_null(0)
    differences = both.select((pl.col("\x01n") - pl.col("\x01m")).abs().alias("d"))["d"]
    return _judged(differences.filter(differences > 0), k)


def _refused(zh: str, en: str, result: Joint) -> PublicationRefused:
    return PublicationRefused(
        text(
            f"与{zh}组合后，有 {result.persons_below} 人所在的共同群体不足 {result.k} 人"
            f"（最小 {result.smallest} 人），不得发布。请沿用原有泛化方式，或等待新增人数足够。",
            f"Together with {en}, {result.persons_below} persons stand in joint classes of fewer than {result.k} (the "
            f"smallest: {result.smallest}). Keep the earlier generalization, or wait until enough persons have been "
            "added.",
        ),
        clause=_CLAUSE,
    )
