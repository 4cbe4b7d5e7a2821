"""Prints docs/techniques.md: ``python -m masking.cli.docs``. The examples are those that the tests run."""

from __future__ import annotations

import inspect
from typing import Any, Final

from masking import techniques
from masking.techniques import Example, Parameter, Technique

HEAD: Final = """# 脱敏技术 Techniques

由 `python -m masking.cli.docs` 从代码生成，示例即测试。Made from the code; the examples are tests.
家族名取自 ISO/IEC 20889:2018。Families are those of ISO/IEC 20889:2018.
"""


def text() -> str:
    """The whole document."""
    parts = [HEAD, _index()]
    parts += [_section(techniques.get(name)) for name in techniques.names()]
    return "\n".join(parts)


def _index() -> str:
    lines = ["| technique | family | key | what is left |", "| --- | --- | --- | --- |"]
    left = {"value": "a value, perhaps coarser", "token": "token: only equality", "nothing": "nothing"}
    for name in techniques.names():
        one = techniques.get(name)
        lines.append(f"| `{name}` | {one.family} | {'yes' if one.needs_key else 'no'} | {left[one.releases]} |")
    return "\n".join(lines) + "\n"


def _section(one: type[Technique]) -> str:
    parts = [f"## {one.name}\n", inspect.cleandoc(one.__doc__ or "") + "\n"]
    if one.parameters():
        parts.append(
            "\n".join(["| parameter | type | default |", "| --- | --- | --- |", *map(_parameter, one.parameters())])
            + "\n"
        )
    if one.spec:
        parts.append(
            "\n".join(["| parameters | given | masked | |", "| --- | --- | --- | --- |", *map(_example, one.spec)])
            + "\n"
        )
    return "\n".join(parts)


def _parameter(parameter: Parameter) -> str:
    kind = getattr(parameter.type, "__name__", None) if isinstance(parameter.type, type) else str(parameter.type)
    shown = str(kind).replace("typing.", "").replace("collections.abc.", "").replace("|", "\\|")
    default = "required" if parameter.required else f"`{parameter.default!r}`"
    return f"| `{parameter.name}` | {shown} | {default} |"


def _example(example: Example) -> str:
    given = ", ".join(f"{name}: {_cell(value)}" for name, value in example.parameters.items()) or "–"
    return f"| {given} | {_cells(example.given)} | {_cells(example.expected)} | {example.note} |"


def _cells(values: tuple[Any, ...]) -> str:
    return ", ".join(_cell(value) for value in values)


def _cell(value: Any) -> str:
    return "`null`" if value is None else f"`{value}`".replace("|", "\\|")


if __name__ == "__main__":
    print(text(), end="")
