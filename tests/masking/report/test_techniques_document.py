"""docs/techniques.md: every technique with an example, its loss and its source."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from masking import techniques
from masking.cli import docs
from masking.policy import load
from masking.techniques.records import RecordTechnique

EVERY = [*(techniques.get(name) for name in techniques.names()), *docs.RECORDS]
NAMES = [one.name for one in EVERY]


@pytest.mark.parametrize("one", EVERY, ids=NAMES)
def test_a_technique_says_its_loss_and_its_source(one):
    said = docs.described(one)
    assert said.paragraphs[0]
    assert len(said.fields["Loss"]) > 5
    assert len(said.fields["Source"]) > 10


@pytest.mark.parametrize("one", EVERY, ids=NAMES)
def test_a_technique_has_an_example(one):
    if issubclass(one, RecordTechnique):
        attributes = (
            "attributes:\n  age: {role: insensitive}\n  ward: {role: insensitive}\n  visit_no: {role: insensitive}\n"
        )
        policy = load(f"version: 1\ndataset: x\n{attributes}{docs.IN_A_POLICY[one.name]}\n")
        assert policy.suppress or policy.sample
    else:
        assert one.spec
    section = docs.text().split(f"### {one.name}\n")[1].split("\n### ")[0]
    assert docs.FIELDS["Loss"] in section
    assert docs.FIELDS["Source"] in section
    assert ("```yaml" in section) == issubclass(one, RecordTechnique)
    assert section.count("输入 given") == (not issubclass(one, RecordTechnique))


def test_record_techniques_are_all_there():
    """The list is by hand, for they are not registered."""
    assert set(RecordTechnique.__subclasses__()) == set(docs.RECORDS)


def test_families_stand_together_and_links_lead_somewhere():
    text = docs.text()
    heads = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert len(heads) == len(set(heads))
    assert "抑制技术 suppression" in heads
    anchors = {head.replace(".", "").lower() for head in re.findall(r"^### (.+)$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) == anchors
    assert len(anchors) == len(NAMES)


def test_tables_have_no_torn_row():
    for line in docs.text().splitlines():
        if line.startswith("|"):
            assert line.endswith("|")
    lines = docs.text().splitlines()
    for above, below in pairwise(lines):
        if above.startswith("|") and below.startswith("|"):
            columns = [len(re.findall(r"(?<!\\)\|", line)) for line in (above, below)]
            assert columns[0] == columns[1], below
