"""The scan before publication: no valid direct identifier leaves in records, without exceptions.

Surrogates are recognisably invalid by design, so whatever still passes a checksum is a mistake of the policy. Keyed
tokens are held to their own form instead (16 hex characters), because a random token may look like a number by chance.
Messages name columns, types and counts, never a value. Source: PRIVACY.md 9.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from masking.policy.model import KEYED_TOKEN, MaskingPolicy
from opendata.catalog.texts import text
from opendata.publishing.embedded import embedded
from opendata.publishing.errors import PublicationRefused

TOKEN: Final = r"^[0-9a-f]{16}$"  # noqa: S105 (a form, not a secret)
LEAST_DIGITS: Final = 10**9
"""Integers below are shorter than any identifier that has a checksum."""


def check_file(path: Path, policy: MaskingPolicy) -> None:
    """Raise PublicationRefused if a column of the Parquet file holds a valid direct identifier."""
    tokens = {name for name in policy.kept if policy.attributes[name].technique == KEYED_TOKEN}
    columns = None if policy.aggregate is None else policy.aggregate.by  # a measure is a number by right
    found = scan(path, tokens=tokens, columns=columns)
    if not found:
        return
    zh = "；".join(f"列 {name}：{_counts(counts)}" for name, counts in found.items())
    en = "; ".join(f"column {name}: {_counts(counts)}" for name, counts in found.items())
    raise PublicationRefused(
        text(
            f"发布前扫描发现有效的直接标识符，不得发布——{zh}。请修改脱敏策略。",
            f"The scan before publication found valid direct identifiers: {en}. Change the masking policy.",
        ),
        clause=text("《个人信息保护法》第五十一条、第七十三条", "Personal Information Protection Law, Art. 51 and 73"),
    )


def scan(
    path: Path, *, tokens: Collection[str] = (), columns: Collection[str] | None = None
) -> Mapping[str, Mapping[str, int]]:
    """Counts of distinct values that hold a direct identifier, by column and type. Nothing found: empty.

    ``columns``: look at these only.
    """
    import polars as pl

    from masking.detection import Detector
    from masking.detection.sieve import DIRECT_TYPES, may_hold_direct_identifier

    detector = Detector()
    found: dict[str, Mapping[str, int]] = {}
    for name in pq.read_schema(path).names if columns is None else columns:
        values = _distinct(path, name)
        if name in tokens:
            wrong = pc.sum(pc.invert(pc.match_substring_regex(values, TOKEN))).as_py() or 0
            if wrong:
                found[name] = {"NOT_A_TOKEN": wrong}
            continue
        texts = pl.Series(values, dtype=pl.String)
        counts: Counter[str] = Counter()
        for findings in detector.find_many(texts.filter(may_hold_direct_identifier(texts)).to_list()):
            counts.update({finding.type for finding in findings if finding.type in DIRECT_TYPES})
        counts |= Counter(embedded(values))  # the larger of both
        if counts:
            found[name] = dict(counts)
    return found


def _distinct(path: Path, name: str) -> pa.Array:
    """Distinct values of a column as text; numbers too small to be an identifier are left out.

    Whatever the type: a number that passed through a spreadsheet is a float, a category a dictionary.
    """
    column = pq.read_table(path, columns=[name]).column(0).combine_chunks()
    if not pa.types.is_nested(column.type):
        column = pc.unique(column)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        numbers = pc.cast(column, pa.float64(), safe=False)
        whole = pc.and_(pc.equal(numbers, pc.trunc(numbers)), pc.less(pc.abs(numbers), 2.0**63))
        column = pc.cast(numbers.filter(pc.fill_null(whole, False)), pa.int64())
    if pa.types.is_integer(column.type):
        column = pc.cast(column.filter(pc.greater_equal(pc.abs(column), LEAST_DIGITS)), pa.string())
    elif pa.types.is_temporal(column.type) or pa.types.is_boolean(column.type):
        return pa.array([], pa.string())
    elif not pa.types.is_string(column.type):
        column = pa.array([None if value is None else _text(value) for value in column.to_pylist()], pa.string())
    return pc.drop_null(pc.unique(column))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{type_} × {count}" for type_, count in sorted(counts.items()))
