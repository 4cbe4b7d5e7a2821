"""Options of the form NAME=VALUE, whose values are written as a policy writes them. What is wrong is a usage error."""

from __future__ import annotations

from typing import Any

import typer


def pairs(given: list[str] | None, option: str, *, names_hold_equals: bool = False) -> dict[str, str]:
    """``NAME=VALUE`` by name; neither may be empty, a name may be given once. A column's name may hold ``=``."""
    found: dict[str, str] = {}
    for each in given or []:
        name, equals, value = each.rpartition("=") if names_hold_equals else each.partition("=")
        if not equals or not name or not value:
            raise typer.BadParameter("应为 NAME=VALUE it is NAME=VALUE", param_hint=option)
        if name in found:
            raise typer.BadParameter("同一名称给了两次 a name is given twice", param_hint=option)
        found[name] = value
    return found


def values(given: list[str] | None, option: str) -> dict[str, Any]:
    """The same with values read: a number, a word, ``4,3``, ``[4, 3]`` or ``{t: 0.2, distance: ordered}``."""
    return {name: _value(text, option) for name, text in pairs(given, option).items()}


def numbers(given: list[str] | None, option: str) -> dict[str, float]:
    """The same with numbers."""
    found = pairs(given, option, names_hold_equals=True)
    try:
        return {name: float(text) for name, text in found.items()}
    except ValueError:
        raise typer.BadParameter("应为数字 a number is expected", param_hint=option) from None


def _value(text: str, option: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    listed = f"[{text}]" if "," in text and not text.lstrip().startswith(("[", "{")) else text
    try:
        return YAML(typ="safe", pure=True).load(listed)
    except YAMLError:
        raise typer.BadParameter("值的写法不对 the value cannot be read", param_hint=option) from None
