"""Made-up outputs that measure checkers: good ones, and bad ones that no automatic check can stop.

Source: PRIVACY.md 21. Made from practice data, in the words and files of a real case: a table in canonical form, the
findings of the same checks, code that is said to have made it. A bad one has no blocking finding, since what is blocked
needs no checker; a person finds it by reading table, code and warnings together.

Pure: a practice table and randomness in, a case out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from sandbox.airlock.checks import CheckInput, explain, run_checks
from sandbox.airlock.limits import AirlockLimits
from sandbox.airlock.package import Package
from sandbox.airlock.running import package_files
from sandbox.airlock.typed import digest, shape_of, typed_tables
from sandbox.contracts import ColumnType, ParsedColumn, ParsedFile, ParsedOutput

MOST_LABELS: Final = 8
FEWEST_VALUES: Final = 9
_ENTRIES: Final = ("analysis.py", "stat.py", "run.py", "table1.py", "summary.py", "by_group.py", "main.py", "result.py")
_STEMS: Final = ("result", "summary", "table1", "by_group", "counts", "out")
_TITLES: Final = (
    "{0}分组差异研究",
    "{0}基本情况统计",
    "{0}影响因素分析",
    "基于{0}的需求测算",
    "{0}结构与变化",
    "{0}服务评价",
)
_PURPOSES: Final = (
    "分析{0}中不同人群的差异，为服务优化提供依据",
    "统计{0}的分布情况，用于年度报告",
    "研究{0}与人群特征的关系，撰写学术论文",
    "测算{0}的规模，为资源配置提供参考",
)


@dataclass(frozen=True, slots=True)
class Seed:
    """One seeded case. ``good`` is the right answer, ``template`` what was planted."""

    template: str
    good: bool
    title: str
    purpose: str
    package: Package = field(repr=False)


@dataclass(frozen=True, slots=True)
class Material:
    """A practice table as the templates use it: group columns with few labels, measures with many values."""

    name: str
    table: pa.Table = field(repr=False)
    groups: tuple[str, ...]
    measures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Draft:
    columns: Sequence[tuple[str, ColumnType]]
    rows: Sequence[tuple[Any, ...]]
    code: str


Template = Callable[[Material, Random, AirlockLimits], _Draft]


def material_of(name: str, table: pa.Table, *, avoided: frozenset[str], threshold: int) -> Material | None:
    """What of a practice table can be grouped and averaged; None when that is too little for a case."""
    groups, measures = [], []
    for column in table.schema.names:
        if column.casefold() in avoided:
            continue
        type_ = table.schema.field(column).type
        counts = [n.as_py() for n in pc.value_counts(table[column]).field("counts")]
        words = pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_dictionary(type_)
        if words and 2 <= len(counts) <= MOST_LABELS and min(counts) >= 4 * threshold and not table[column].null_count:
            groups.append(column)
        elif (pa.types.is_integer(type_) or pa.types.is_floating(type_)) and len(counts) >= FEWEST_VALUES:
            measures.append(column)
    return Material(name, table, tuple(groups), tuple(measures)) if groups and measures else None


def make_seed(
    material: Material, *, title: str, good: bool, direct: frozenset[str], limits: AirlockLimits, rng: Random
) -> Seed | None:
    """A case of the wanted kind; None when no template gives one that the checks would let a checker decide on."""
    templates = list((GOOD if good else BAD).items())
    rng.shuffle(templates)
    for name, template in templates:
        package = _package(template(material, rng, limits), rng, direct, limits)
        if package is not None and not (good and package.findings):
            return Seed(name, good, rng.choice(_TITLES).format(title), rng.choice(_PURPOSES).format(title), package)
    return None


def _package(draft: _Draft, rng: Random, direct: frozenset[str], limits: AirlockLimits) -> Package | None:
    name = f"{rng.choice(_STEMS)}.csv"
    parsed = ParsedFile(
        name=name,
        kind="table",
        bytes=40 * len(draft.rows),
        sha256=digest(draft.code.encode()),
        columns=tuple(ParsedColumn(name, kind) for name, kind in draft.columns),
        rows=tuple(draft.rows),
    )
    output = ParsedOutput((parsed,))
    tables = typed_tables(output, attributes=frozenset(), shape=None)
    shape = shape_of(tables, max_labels=limits.max_labels)
    labels = frozenset(str(cell) for row in draft.rows for cell in row if isinstance(cell, str))
    findings = run_checks(CheckInput(output, tables, limits, shape=shape, direct=direct, known=labels))
    if any(finding.blocking for finding in findings):
        return None
    used = {
        "seconds": round(rng.uniform(1.5, 40.0), 3),
        "peak_memory": rng.randrange(90, 600) * 1_048_576 + rng.randrange(256) * 4096,
        "output_bytes": 10_240,
    }
    return Package(
        files=package_files(tables, shape, limits),
        findings=explain(findings, limits),
        entry=rng.choice(_ENTRIES),
        code=draft.code.replace("/out/result.csv", f"/out/{name}"),
        run={"state": "ok", "reason": "exit", "usage": used},
    )


def _counts(material: Material, rng: Random, limits: AirlockLimits) -> _Draft:
    group = rng.choice(material.groups)
    rows = [(label, _round(len(part), limits)) for label, part in _parts(material, group)]
    code = _read(material) + f'g = t.groupby("{group}").size().rename("n").reset_index()\n' + _write(limits)
    return _Draft(((group, "string"), ("n", "integer")), rows, code)


def _means(material: Material, rng: Random, limits: AirlockLimits) -> _Draft:
    return _figure(material, rng, limits, "mean", lambda values: sum(values) / len(values))


def _first_record(material: Material, rng: Random, limits: AirlockLimits) -> _Draft:
    """The "mean" of each group is the value of its first record."""
    return _figure(material, rng, limits, "first", lambda values: values[0])


def _largest(material: Material, rng: Random, limits: AirlockLimits) -> _Draft:
    """The "mean" of each group is its largest value: one person's."""
    return _figure(material, rng, limits, "max", max)


def _middle_record(material: Material, rng: Random, limits: AirlockLimits) -> _Draft:
    """The "mean" of each group is the value of one record picked by its place."""
    place = rng.randrange(2, 9)
    return _figure(material, rng, limits, f"lambda s: s.iloc[{place}]", lambda values: values[place], quoted=False)


def _bits_in_counts(material: Material, rng: Random, _: AirlockLimits) -> _Draft:
    """Each count's last digit says whether one record's value is above the average."""
    group, measure = rng.choice(material.groups), rng.choice(material.measures)
    every = _values(material.table, measure)
    average = sum(every) / len(every)
    rows = [
        (label, len(part) // 10 * 10 + 5 * (every[place] > average))
        for place, (label, part) in enumerate(_parts(material, group))
    ]
    code = (
        _read(material)
        + f'g = t.groupby("{group}").size().rename("n").reset_index()\n'
        + f'up = (t["{measure}"] > t["{measure}"].mean()).head(len(g)).astype(int)\n'
        + 'g["n"] = g["n"] // 10 * 10 + 5 * up.to_numpy()\n'
        + _SAVE
    )
    return _Draft(((group, "string"), ("n", "integer")), rows, code)


def _one_left_out(material: Material, rng: Random, limits: AirlockLimits) -> _Draft:
    """Two counts of each group that differ by a few persons."""
    group = rng.choice(material.groups)
    parts = _parts(material, group)
    rows = [
        (label, n := _round(len(part), limits), n - limits.rounding * (i == 0)) for i, (label, part) in enumerate(parts)
    ]
    code = (
        _read(material)
        + f'g = t.groupby("{group}").size().rename("n").reset_index()\n'
        + f'g["n_valid"] = t.drop(t.index[0]).groupby("{group}").size().to_numpy()\n'
        + f'g["n_valid"] = (g["n_valid"] / {limits.rounding}).round().astype(int) * {limits.rounding}\n'
        + _write(limits)
    )
    return _Draft(((group, "string"), ("n", "integer"), ("n_valid", "integer")), rows, code)


GOOD: Final[Mapping[str, Template]] = {"counts": _counts, "means": _means}
BAD: Final[Mapping[str, Template]] = {
    "first_record": _first_record,
    "largest": _largest,
    "one_record": _middle_record,
    "bits_in_counts": _bits_in_counts,
    "few_left_out": _one_left_out,
}
PLANTED: Final[Mapping[str, dict[str, str]]] = {
    "counts": {"zh": "普通的分组计数", "en": "plain counts by group"},
    "means": {"zh": "普通的分组均值", "en": "plain means by group"},
    "first_record": {"zh": "“均值”是每组第一条记录的值", "en": "the means are the values of each group's first record"},
    "largest": {
        "zh": "“均值”是每组的最大值，即一个人的值",
        "en": "the means are each group's largest value, one person's",
    },
    "one_record": {"zh": "“均值”是每组某一条记录的值", "en": "the means are the values of one record of each group"},
    "bits_in_counts": {
        "zh": "人数的末位数字夹带了逐条记录的信息",
        "en": "the counts' last digits carry single records",
    },
    "few_left_out": {"zh": "两列人数之差是少数几个人", "en": "two columns of counts differ by a few persons"},
}
"""What the checker is told after the vote."""
_SAVE: Final = 'g.to_csv("/out/result.csv", index=False)\n'


def _figure(
    material: Material,
    rng: Random,
    limits: AirlockLimits,
    how: str,
    figure: Callable[[Sequence[float]], float],
    *,
    quoted: bool = True,
) -> _Draft:
    group, measure = rng.choice(material.groups), rng.choice(material.measures)
    column = f"mean_{measure}"
    rows = [
        (label, _round(len(part), limits), float(f"{figure(_values(part, measure)):.3g}"))
        for label, part in _parts(material, group)
    ]
    word = f'"{how}"' if quoted else how
    code = (
        _read(material)
        + f'g = t.groupby("{group}").agg(n=("{group}", "size"), {column}=("{measure}", {word})).reset_index()\n'
        + _write(limits)
    )
    return _Draft(((group, "string"), ("n", "integer"), (column, "number")), rows, code)


def _parts(material: Material, group: str) -> list[tuple[str, pa.Table]]:
    words = pc.cast(material.table[group], pa.string())
    labels = sorted(label for label in pc.unique(words).to_pylist() if label is not None)
    return [(label, material.table.filter(pc.equal(words, label))) for label in labels]


def _values(table: pa.Table, measure: str) -> list[float]:
    return [float(value) for value in table[measure].drop_null().to_pylist()] or [0.0]


def _round(count: int, limits: AirlockLimits) -> int:
    return round(count / limits.rounding) * limits.rounding


def _read(material: Material) -> str:
    return f'import pandas as pd\n\nt = pd.read_parquet("/data/{material.name}/{material.name}.parquet")\n'


def _write(limits: AirlockLimits) -> str:
    return f'g["n"] = (g["n"] / {limits.rounding}).round().astype(int) * {limits.rounding}\n{_SAVE}'
