"""A masking policy out of the options of ``masking anonymize``: written first and then run, so that it is the plan.

Hierarchy files that do not stand below the policy's folder are copied beside it: a policy reads files of its own folder
only, and what it does must not change when somebody edits a file elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from masking.cli import files

if TYPE_CHECKING:
    from masking.limits import Limits
    from masking.policy.model import AttributeRule, MaskingPolicy

PROPOSE: Final = "propose"
"""Instead of a file: the hierarchy is proposed from the column."""
CODES: Final = "codes"
"""The same, where numbers are codes (divisions, industries) and not amounts."""
_ODD: Final = re.compile(r"[^\w-]")
"""What a column's name may hold and a file's name should not."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked on the command line. ``hierarchies``: {quasi-identifier: file, ``propose`` or ``codes``}."""

    hierarchies: Mapping[str, str]
    limits: Limits
    sensitive: Sequence[str] = ()
    recoding: Literal["local", "global"] = "local"
    unit: str | None = None
    drop: Sequence[str] = ()
    keep: Sequence[str] = ()
    weights: Mapping[str, float] = field(default_factory=dict)


@contextmanager
def written(options: Options, table: Path, path: Path) -> Iterator[MaskingPolicy]:
    """The policy, written to ``path`` with the hierarchies that it reads; all gone again if the block raises.

    Raises:
        UnknownAttribute: an option names a column that the table lacks.
        BadFile: a file would be overwritten.
    """
    from masking.errors import BadFile
    from masking.policy.dump import dump
    from masking.policy.load import load

    if path.exists():
        raise BadFile(f"{path.name!r} exists; nothing is overwritten")
    made: list[Path] = []
    try:
        text = dump(_policy(options, table, path, made))
        made.append(path)
        files.write_text(path, text)
        yield load(path)
    except BaseException:
        for each in made:
            each.unlink(missing_ok=True)
        for folder in {each.parent for each in made} - {path.parent}:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        raise


def _policy(options: Options, table: Path, path: Path, made: list[Path]) -> MaskingPolicy:
    from masking.errors import UnknownAttribute
    from masking.policy.model import MaskingPolicy

    names = files.open_table(table).schema.names
    unit = [options.unit] if options.unit else []
    asked = {*options.hierarchies, *options.sensitive, *options.drop, *options.keep, *options.weights, *unit}
    if asked - set(names):
        raise UnknownAttribute.from_missing(asked - set(names), names)
    proposed = _proposed(
        table, {name: given == CODES for name, given in options.hierarchies.items() if given in (PROPOSE, CODES)}
    )
    rules = {}
    for name in names:
        parameters = proposed.get(name, {})
        if name in options.hierarchies and name not in proposed:
            parameters = {"file": _beside(Path(options.hierarchies[name]), name, path, made)}
        rules[name] = _rule(options, name, parameters)
    return MaskingPolicy(
        files.dataset_name(table), rules, unit=options.unit, limits=options.limits, recoding=options.recoding
    )


def _rule(options: Options, name: str, parameters: dict[str, Any]) -> AttributeRule:
    from masking.policy.model import DROP, KEEP, RECODING, AttributeRule
    from masking.taxonomy import Role

    if name in options.hierarchies:
        kept = {"highest": 0} if name in options.keep else {}
        weight = {"weight": options.weights[name]} if name in options.weights else {}
        return AttributeRule(name, Role.QUASI_IDENTIFIER, RECODING, {**parameters, **kept, **weight})
    if name == options.unit or name in options.drop:
        return AttributeRule(name, Role.DIRECT_IDENTIFIER, DROP)
    return AttributeRule(name, Role.SENSITIVE if name in options.sensitive else Role.INSENSITIVE, KEEP)


def _proposed(table: Path, names: Mapping[str, bool]) -> dict[str, dict[str, Any]]:
    """What the policy says of hierarchies that are proposed from the values of their columns; ``names``: are codes."""
    from masking.hierarchies import proposal

    if not names:
        return {}
    columns = values_of(table, list(names))
    return {
        name: proposal(as_codes(column) if names[name] else column) if len(column) else {}
        for name, column in columns.items()
    }


def as_codes(column: Any) -> Any:
    """Numbers as the text that they are written with."""
    import pyarrow as pa

    return column.cast(pa.string())


def values_of(table: Path, names: Sequence[str]) -> dict[str, Any]:
    """The different values of some columns of a file, without null; the table is read batch by batch."""
    import pyarrow as pa
    import pyarrow.compute as pc

    reader = files.open_table(table)
    seen = {name: pa.array([], _plain(reader.schema.field(name).type)) for name in names}
    for batch in reader:
        for name in names:
            column = batch.column(name)
            if pa.types.is_dictionary(column.type):
                column = column.dictionary_decode()
            seen[name] = pc.unique(pa.concat_arrays([seen[name], pc.unique(column).drop_null()]))
    return seen


def _plain(kind: Any) -> Any:
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _beside(hierarchy: Path, name: str, policy: Path, made: list[Path]) -> str:
    """How the policy names a hierarchy file; it is read before it is copied, so only a hierarchy is."""
    from masking.errors import BadFile, InvalidParameter
    from masking.hierarchies import as_hierarchy

    folder = policy.parent.resolve()
    try:
        as_hierarchy(hierarchy)
    except InvalidParameter as error:
        raise error.of(name) from None
    found = hierarchy.resolve()
    if found.is_relative_to(folder):
        return found.relative_to(folder).as_posix()
    suffix = ".csv.gz" if hierarchy.name.endswith(".gz") else ".csv"
    copy = folder / f"{policy.stem}-hierarchies" / (_ODD.sub("_", name) + suffix)
    if copy.exists():
        raise BadFile(f"{copy.name!r} exists; nothing is overwritten")
    copy.parent.mkdir(exist_ok=True)
    made.append(copy)
    copy.write_bytes(found.read_bytes())
    return copy.relative_to(folder).as_posix()
