"""Prints docs/techniques.md: ``python -m masking.cli.docs``. The examples are those that the tests run."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from masking import techniques
from masking.reporting.words import FAMILIES
from masking.techniques import Example, Parameter, Technique
from masking.techniques.records import RecordSuppression, RecordTechnique, Sampling

HEAD: Final = """# 脱敏技术 Techniques

由 `python -m masking.cli.docs` 从代码生成，示例即测试。家族名取自 GB/T 37964-2019 与 ISO/IEC 20889:2018。
Made from the code; the examples are tests. Families are those of GB/T 37964-2019 and ISO/IEC 20889:2018. How a policy
uses them, and what they do not protect: [masking.md](masking.md).
"""
RECORDS: Final[tuple[type[RecordTechnique], ...]] = (RecordSuppression, Sampling)
"""Techniques on whole records stand in a policy beside its attributes, so they are not in the registry."""
IN_A_POLICY: Final = {
    "suppression.record": "suppress:\n  - {column: age, at_least: 95}\n  - {all: [{column: ward, equals: ICU}, "
    "{column: age, below: 14}]}",
    "sampling.simple": "record: [visit_no]\nsample: {share: 0.1, key: visits-2026}",
}
LEFT: Final = {
    "value": "值，可能更粗 a value, perhaps coarser",
    "token": "只剩是否相等 only equality",
    "nothing": "无 nothing of it",
}
FIELDS: Final = {
    "Column": "适用列 Column",
    "Unit": "参数单位 Unit",
    "Loss": "损失 Loss",
    "Source": "来源 Source",
    "Raises": "拒绝 Refuses",
}
_FIELD: Final = re.compile(r"(Column|Unit|Loss|Source|Raises): ?(.*)")


@dataclass(frozen=True, slots=True)
class Described:
    """A docstring of a technique: its sentences, and what stands under each of ``FIELDS``."""

    paragraphs: tuple[str, ...]
    fields: dict[str, str]


def text() -> str:
    """The whole document."""
    return "\n".join([HEAD, _index(), *_families()])


def described(one: type[Technique | RecordTechnique]) -> Described:
    """The docstring taken apart; examples for the interpreter are left out, the document has its own."""
    paragraphs: list[list[str]] = [[]]
    fields: dict[str, list[str]] = {}
    place = paragraphs[0]
    for line in inspect.cleandoc(one.__doc__ or "").split("\n>>>", maxsplit=1)[0].splitlines():
        found = _FIELD.fullmatch(line)
        if found:
            place = fields.setdefault(found[1], [])
            place.append(found[2])
        elif line.strip():
            place.append(("; " if line.startswith("    ") and _refusal(line) and place[1:] else "") + line.strip())
        elif not fields:
            place = []
            paragraphs.append(place)
    return Described(
        tuple(_code(" ".join(each)) for each in paragraphs if each),
        {name: _code(" ".join(each).replace(". ; ", "; ").strip()) for name, each in fields.items()},
    )


def _index() -> str:
    lines = ["| 技术 technique | 家族 family | 密钥 key | 剩下什么 what is left |", "| --- | --- | --- | --- |"]
    for family, one in _in_order():
        title = f"{FAMILIES[family][0]} {FAMILIES[family][1]}"
        if issubclass(one, Technique):
            key, left = one.needs_key, LEFT[one.releases]
        else:
            key, left = one is Sampling, "部分记录 some of the records"
        anchor = one.name.replace(".", "").lower()
        lines.append(f"| [`{one.name}`](#{anchor}) | {title} | {'是 yes' if key else '否 no'} | {left} |")
    return "\n".join(lines) + "\n"


def _in_order() -> Iterator[tuple[str, type[Technique | RecordTechnique]]]:
    """Every technique with its family, families in the standard's order."""
    registered = [techniques.get(name) for name in techniques.names()]
    pairs: list[tuple[str, type[Technique | RecordTechnique]]] = [(one.family, one) for one in registered]
    pairs += [(one.name.split(".", maxsplit=1)[0], one) for one in RECORDS]
    known = list(FAMILIES)
    yield from sorted(pairs, key=lambda pair: (known.index(pair[0]), pair[1].name))


def _families() -> Iterator[str]:
    last = ""
    for family, one in _in_order():
        if family != last:
            yield f"## {FAMILIES[family][0]} {FAMILIES[family][1]}\n"
        yield _section(one)
        last = family


def _section(one: type[Technique | RecordTechnique]) -> str:
    said = described(one)
    parts = [f"### {one.name}\n", *(f"{paragraph}\n" for paragraph in said.paragraphs)]
    parts.append(
        "\n".join(f"* **{FIELDS[name]}**: {said.fields[name]}" for name in FIELDS if name in said.fields) + "\n"
    )
    if not issubclass(one, Technique):
        parts.append(f"策略中写作 In a policy:\n\n```yaml\n{IN_A_POLICY[one.name]}\n```\n")
        return "\n".join(parts)
    if one.parameters():
        parts.append(_table(("参数 parameter", "类型 type", "默认 default"), map(_parameter, one.parameters())))
    if one.spec:
        parts.append(_table(("参数 parameters", "输入 given", "输出 masked", "说明 note"), map(_example, one.spec)))
    return "\n".join(parts)


def _table(head: tuple[str, ...], rows: Iterator[str] | map[str]) -> str:
    return "\n".join([f"| {' | '.join(head)} |", "| --- " * len(head) + "|", *rows]) + "\n"


def _parameter(parameter: Parameter) -> str:
    kind = getattr(parameter.type, "__name__", None) if isinstance(parameter.type, type) else str(parameter.type)
    shown = str(kind).replace("typing.", "").replace("collections.abc.", "").replace("|", "\\|")
    default = "必填 required" if parameter.required else f"`{parameter.default!r}`"
    return f"| `{parameter.name}` | {shown} | {default} |"


def _example(example: Example) -> str:
    given = ", ".join(f"{name}: {_cell(value)}" for name, value in example.parameters.items()) or "–"
    others = "".join(f"; `{name}`: {_cells(values)}" for name, values in example.context.items() if name != "record")
    return f"| {given} | {_cells(example.given)}{others} | {_cells(example.expected)} | {_escaped(example.note)} |"


def _cells(values: tuple[Any, ...]) -> str:
    return ", ".join(_cell(value) for value in values) or "–"


def _cell(value: Any) -> str:
    return "`null`" if value is None else "`''`" if value == "" else f"`{_escaped(str(value))}`"


def _escaped(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")


def _code(words: str) -> str:
    """Double back quotes of docstrings are single ones in Markdown."""
    return words.replace("``", "`")


def _refusal(line: str) -> bool:
    return re.match(r"\s+[A-Z][A-Za-z]+: ", line) is not None


if __name__ == "__main__":
    print(text(), end="")
