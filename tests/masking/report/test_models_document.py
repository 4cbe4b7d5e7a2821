"""docs/models.md: its Python runs, and it leaves no limit and no measure out."""

from __future__ import annotations

import inspect
import re
import textwrap
from dataclasses import fields
from pathlib import Path

from masking import measures
from masking.limits import Limits

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "models.md").read_text("utf-8")
PLUMBING = {"equivalence_classes", "class_sizes", "examine", "estimate_uniqueness", "individual_risk", "risk_figures"}
"""Parts of other measures: what they are is said in their own docstrings."""


def test_its_python_runs():
    scope = {}
    blocks = re.findall(r"^( *)```python\n(.*?)```", DOCUMENT, re.DOTALL | re.MULTILINE)
    assert len(blocks) > 8
    for _, block in blocks:
        exec(compile(textwrap.dedent(block), "docs/models.md", "exec"), scope)


def test_every_limit_is_explained():
    assert {each.name for each in fields(Limits) if f"`{each.name}:" not in DOCUMENT} == {"suppression"}


def test_every_measure_is_named():
    public = {name for name in measures.__all__ if inspect.isfunction(getattr(measures, name))}
    assert {name for name in public - PLUMBING if not re.search(rf"\b{name}\b", DOCUMENT)} == set()
