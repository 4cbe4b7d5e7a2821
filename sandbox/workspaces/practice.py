"""Practice data (仿真数据): a table of the raw table's names and types to debug on; its results mean nothing.

Source: PRIVACY.md 19. Made only from what is published: the masking policy (code lists, practice hints, parameters of
its techniques) and the column types, with names and text from Faker and identifiers that are recognisably invalid.
No raw row, no statistic of the raw table and no rejection of rows that happen to equal raw ones. The columns are
drawn independently.

Practice hints of an attribute: ``values: [...]``, ``minimum``/``maximum`` (numbers or ISO dates), ``type`` (a
detection type such as PERSON), ``nulls`` (share in [0, 1)).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from masking.policy.model import AttributeRule, MaskingPolicy
from masking.taxonomy import Role

if TYPE_CHECKING:
    import numpy as np

NOTE: Final = {
    "zh": "仿真数据，仅供调试，结果没有意义",
    "en": "practice data, for debugging only; results mean nothing",
}
_ALIASES: Final[dict[str, pa.DataType]] = {
    "double": pa.float64(),
    "date32[day]": pa.date32(),
    "date": pa.date32(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "timestamp[us]": pa.timestamp("us"),
    "timestamp[ms]": pa.timestamp("ms"),
    "timestamp[ns]": pa.timestamp("ns"),
    "timestamp[s]": pa.timestamp("s"),
}
_EPOCH: Final = date(2000, 1, 1)
_LAST: Final = date(2025, 12, 31)


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type of a schema entry; anything unknown is text."""
    if name in _ALIASES:
        return _ALIASES[name]
    try:
        return pa.type_for_alias(name)
    except ValueError:
        return pa.string()


def make_practice(policy: MaskingPolicy, schema: Sequence[tuple[str, str]], *, seed: str) -> pa.Table:
    """A practice table of ``policy.sandbox.practice_rows`` rows with the given column names and types, in order.

    The same policy, schema and ``seed`` give the same table. Columns the policy does not name are an error upstream
    (a policy names every column), here they are filled by type.
    """
    import numpy as np
    from faker import Faker

    rows = policy.sandbox.practice_rows
    faker = Faker("zh_CN")
    arrays, fields = [], []
    for name, type_name in schema:
        type_ = arrow_type(type_name)
        digest = hashlib.sha256(f"practice v1\0{seed}\0{name}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        faker.seed_instance(int.from_bytes(digest[8:12], "big"))
        rule = policy.attributes.get(name)
        arrays.append(_column(rule, type_, rows, rng, faker))
        fields.append(pa.field(name, type_))
    marked = {b"practice": NOTE["en"].encode()}
    return pa.table(arrays, schema=pa.schema(fields, metadata=marked))


def _column(
    rule: AttributeRule | None, type_: pa.DataType, rows: int, rng: np.random.Generator, faker: Any
) -> pa.Array:
    hints = dict((rule.practice if rule else None) or {})
    values = hints.get("values") or (rule.codes if rule and rule.codes else None) or _leaves(rule)
    made = _cast([values[i] for i in rng.integers(0, len(values), rows)], type_) if values else None
    if made is None:
        made = _by_type(rule, hints, type_, rows, rng=rng, faker=faker)
    nulls = float(hints.get("nulls", 0))
    if nulls:
        empty = pa.array(rng.random(rows) < nulls)
        made = pc.if_else(empty, pa.scalar(None, made.type), made)
    return made


def _by_type(
    rule: AttributeRule | None,
    hints: Mapping[str, Any],
    type_: pa.DataType,
    rows: int,
    *,
    rng: np.random.Generator,
    faker: Any,
) -> pa.Array:
    low, high = _bounds(rule, hints)
    if pa.types.is_boolean(type_):
        return pa.array(rng.random(rows) < 0.5)
    if pa.types.is_date(type_) or pa.types.is_timestamp(type_):
        first, last = _date(low, _EPOCH), _date(high, _LAST)
        days = rng.integers(0, max(1, (last - first).days + 1), rows)
        return pa.array([first + timedelta(days=int(d)) for d in days], pa.date32()).cast(type_)
    if pa.types.is_integer(type_):
        if rule is not None and rule.role is Role.DIRECT_IDENTIFIER and low is None:
            return pa.array(range(1, rows + 1)).cast(type_)
        least, most = int(_number(low, 0)), int(_number(high, 99))
        return pa.array(rng.integers(least, max(least, most) + 1, rows)).cast(type_, safe=False)
    if pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        bottom, top = _number(low, 0.0), _number(high, 100.0)
        return pa.array((bottom + (top - bottom) * rng.random(rows)).round(2)).cast(type_)
    made = _cast(_texts(rule, hints, rows, rng, faker), type_)
    return pa.nulls(rows, type_) if made is None else made


def _texts(
    rule: AttributeRule | None,
    hints: Mapping[str, Any],
    rows: int,
    rng: np.random.Generator,
    faker: Any,
) -> list[str]:
    kind = str(hints.get("type") or "") or _guess(rule)
    make: Callable[[int], str] | None = {
        "PERSON": lambda _: faker.name(),
        "ADDRESS": lambda _: f"仿真市示例区练习路{rng.integers(1, 999)}号",
        "ORG": lambda _: f"仿真{faker.company_prefix() if hasattr(faker, 'company_prefix') else ''}有限公司",
        # Recognisably invalid: region 99, prefix 100, reserved domain. None of them is anybody's.
        "ID_CARD": lambda i: f"99{rng.integers(0, 10_000):04d}19{rng.integers(0, 100):02d}0229{i % 1000:03d}*",
        "PHONE": lambda _: f"100{rng.integers(0, 10**8):08d}",
        "EMAIL": lambda i: f"practice{i}@example.invalid",
        "FREE_TEXT": lambda _: faker.sentence(nb_words=8),
    }.get(kind)
    if make is not None:
        return [make(i) for i in range(rows)]
    if rule is not None and rule.role is Role.DIRECT_IDENTIFIER:
        return [f"PRACTICE-{i + 1:07d}" for i in range(rows)]
    if rule is not None and rule.technique == "text.redact":
        return [faker.sentence(nb_words=8) for _ in range(rows)]
    return [f"类别{'ABCDE'[i]}" for i in rng.integers(0, 5, rows)]


def _guess(rule: AttributeRule | None) -> str:
    """The kind of a direct identifier by its published name or title."""
    if rule is None or rule.role is not Role.DIRECT_IDENTIFIER:
        return ""
    words = " ".join([rule.name, *rule.title.values()]).casefold()
    for kind, marks in {
        "ID_CARD": ("身份证", "id_card", "national_id", "identity"),
        "PHONE": ("手机", "电话", "phone", "mobile"),
        "EMAIL": ("邮箱", "邮件", "mail"),
        "ADDRESS": ("住址", "地址", "address"),
        "PERSON": ("姓名", "name"),
    }.items():
        if any(mark in words for mark in marks):
            return kind
    return ""


def _leaves(rule: AttributeRule | None) -> list[Any] | None:
    """The leaves of a hierarchy written into the policy."""
    mapping = rule.parameters.get("mapping") if rule else None
    return list(mapping) if isinstance(mapping, Mapping) and mapping else None


def _bounds(rule: AttributeRule | None, hints: Mapping[str, Any]) -> tuple[Any, Any]:
    """Lowest and highest value from hints, else from the technique's published parameters."""
    parameters = rule.parameters if rule else {}
    edges = parameters.get("edges")
    low = hints.get("minimum", parameters.get("lower"))
    high = hints.get("maximum", parameters.get("upper"))
    if isinstance(edges, Sequence) and edges and not isinstance(edges, str):
        low = edges[0] if low is None else low
        high = edges[-1] if high is None else high
    return low, high


def _number(value: Any, default: float) -> float:
    return default if value is None or isinstance(value, str | date) else float(value)


def _date(value: Any, default: date) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        return date.fromisoformat(value)
    return default


def _cast(values: Sequence[Any], type_: pa.DataType) -> pa.Array | None:
    """Values of a code list in the column's type; YAML's numbers may stand for texts and the other way round.

    None when the list does not fit the column: then the column is filled by its type.
    """
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return pa.array([None if v is None else str(v) for v in values], type_)
    texts = [None if value is None else str(value) for value in values]
    for given in (values, texts):
        try:
            return pa.array(given).cast(type_)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            continue
    return None
