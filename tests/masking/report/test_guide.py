"""docs/masking.md: its policies are policies, its Python runs, and it leaves no technique out of its tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from masking import techniques
from masking.policy import check, dump, load

GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "masking.md").read_text("utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("text", blocks("yaml"), ids=range(len(blocks("yaml"))))
def test_its_policies_are_right(text):
    policy = load(text)
    check(policy)
    assert load(dump(policy)) == policy


def test_its_python_runs():
    scope = {}
    for block in blocks("python"):
        exec(compile(block, "docs/masking.md", "exec"), scope)
    assert scope["done"].report.k_after == 6


def test_every_family_of_techniques_is_in_the_table_of_what_is_not_protected():
    table = GUIDE.split("## 三、")[1].split("## 四、")[0]
    families = {techniques.get(name).family for name in techniques.names()} - {"none"}
    assert {family for family in families if f"`{family}." not in table} == set()


def test_named_techniques_exist():
    families = "suppression|generalization|randomization|pseudonymization|cryptographic|text"
    named = set(re.findall(rf"\b(?:{families})\.[a-z_0-9]+\b", GUIDE))
    assert len(named) > 12
    assert named - {"suppression.record"} <= set(techniques.names())
