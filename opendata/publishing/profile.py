"""What an intake's table looks like, in numbers about columns: never a value of a cell.

Detection looks at all values; its findings propose roles, the level of the table and a first masking policy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import pyarrow as pa

from masking.detection import ColumnFinding, detect_columns, propose_level
from masking.policy import ColumnStatistics, MaskingPolicy, dump, propose
from opendata.catalog.models import Dataset, InformationItem

SHARE_DIGITS: Final = 4


def describe(reader: pa.RecordBatchReader, *, rows: int, dataset: Dataset) -> dict[str, Any]:
    """Profile, findings, proposed level and proposed policy of a table, as plain values for the intake row."""
    types = {field.name: type_name(field.type) for field in reader.schema}
    findings = detect_columns(reader)
    level, reasons, clause = propose_level(findings)
    proposal = propose(
        findings,
        dataset=dataset.name,
        title={"zh": dataset.title_zh, "en": dataset.title_en},
        statistics=statistics_of(findings),
    )
    return {
        "profile": [
            {
                "name": finding.column,
                "type": types[finding.column],
                "count": rows,
                "nulls": rows - finding.checked,
                "distinct": finding.distinct,
                "top_share": finding.top_share,  # exact: whether a value stands in two records rests on it
            }
            for finding in findings
        ],
        "findings": [_plain(finding) for finding in findings],
        "level": str(level),
        "level_reasons": [dict(reason) for reason in reasons],
        "clause": clause,
        "proposal": dump(proposal),
    }


def statistics_of(findings: Sequence[ColumnFinding]) -> dict[str, ColumnStatistics]:
    """What the policy check needs to know of each column."""
    return {each.column: ColumnStatistics(each.distinct, each.top_share, each.checked) for each in findings}


def stored_statistics(profile: Sequence[Mapping[str, Any]]) -> dict[str, ColumnStatistics]:
    """The same from a stored profile."""
    return {
        each["name"]: ColumnStatistics(each["distinct"], each["top_share"], each["count"] - each["nulls"])
        for each in profile
    }


def schema_of(stored: Sequence[Mapping[str, Any]]) -> pa.Schema:
    """The Arrow schema of a stored [{name, type}] list."""
    return pa.schema([pa.field(each["name"], _TYPES[each["type"]]) for each in stored])


def stored_schema(schema: pa.Schema) -> list[dict[str, str]]:
    """A schema as [{name, type}], in column order."""
    return [{"name": field.name, "type": type_name(field.type)} for field in schema]


def type_name(type_: pa.DataType) -> str:
    """string, integer, number, date, datetime or boolean."""
    checks = {
        "integer": pa.types.is_integer,
        "number": lambda t: pa.types.is_floating(t) or pa.types.is_decimal(t),
        "date": pa.types.is_date,
        "datetime": pa.types.is_timestamp,
        "boolean": pa.types.is_boolean,
    }
    return next((name for name, check in checks.items() if check(type_)), "string")


def items_from_findings(
    dataset: Dataset, findings: Sequence[Mapping[str, Any]], proposal: MaskingPolicy, types: Mapping[str, str]
) -> list[InformationItem]:
    """Information items of a dataset that has none yet, as detection sees its columns."""
    items = []
    for position, finding in enumerate(findings):
        rule = proposal.attributes.get(finding["column"])
        title = rule.title if rule is not None else {}
        items.append(
            InformationItem(
                dataset_id=dataset.id,
                position=position,
                name=finding["column"],
                title_zh=title.get("zh", ""),
                title_en=title.get("en", ""),
                data_type=types.get(finding["column"], "string"),
                role=finding["role"],
                level=finding["level"],
                reason_zh=finding["reason"]["zh"],
                reason_en=finding["reason"]["en"],
                clause=finding["clause"],
                invented=bool(rule is not None and rule.invented),
            )
        )
    return items


def items_from_policy(
    dataset: Dataset, policy: MaskingPolicy, released: pa.Schema, findings: Sequence[Mapping[str, Any]]
) -> list[InformationItem]:
    """Information items of a published edition: its own columns, with the reviewed roles."""
    found = {finding["column"]: finding for finding in findings}
    items = []
    for position, field in enumerate(released):
        rule = policy.attributes.get(field.name)
        finding = found.get(field.name, {})
        reason = finding.get("reason", {})
        items.append(
            InformationItem(
                dataset_id=dataset.id,
                position=position,
                name=field.name,
                title_zh=rule.title.get("zh", "") if rule else "",
                title_en=rule.title.get("en", "") if rule else "",
                data_type=type_name(field.type),
                role=str(rule.role) if rule else "insensitive",
                level=str(rule.level) if rule and rule.level else finding.get("level"),
                reason_zh=(rule.reason if rule and rule.reason else reason.get("zh", "")),
                reason_en=reason.get("en", ""),
                clause=finding.get("clause", ""),
                invented=bool(rule is not None and rule.invented),
            )
        )
    return items


def _plain(finding: ColumnFinding) -> dict[str, Any]:
    plain = asdict(finding)
    plain.update(role=str(finding.role), level=str(finding.level), reason=dict(finding.reason))
    plain["top_share"] = round(finding.top_share, SHARE_DIGITS)
    return plain


_TYPES: Final = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us"),
    "boolean": pa.bool_(),
}
