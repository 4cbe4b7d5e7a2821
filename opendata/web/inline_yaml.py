"""Parts of a policy that a form shows in one line: parameters and conditions as YAML's flow style, lists of names."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError


def flow(words: Mapping[str, Any]) -> str:
    """A mapping as one line of YAML without its braces; empty for none."""
    if not words:
        return ""
    yaml = YAML()
    yaml.default_flow_style = True
    yaml.width = 1 << 20
    stream = io.StringIO()
    yaml.dump({key: list(value) if isinstance(value, tuple) else value for key, value in words.items()}, stream)
    return stream.getvalue().strip().removeprefix("{").removesuffix("}")


def mapping_of(text: str, longest: int) -> dict[str, Any] | None:
    """The mapping that such a line says, with or without its braces; None if it says none, or is too long."""
    if len(text) > longest:
        return None
    said = text.strip()
    try:
        value = YAML(typ="safe").load(said if said.startswith("{") and said.endswith("}") else "{" + said + "}")
    except (YAMLError, ValueError):
        return None
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else None


def names_of(text: str) -> list[str]:
    """Names as people type lists of them, each once."""
    parts = (name.strip() for name in text.replace("，", ",").replace("、", ",").split(","))
    return list(dict.fromkeys(name for name in parts if name))
