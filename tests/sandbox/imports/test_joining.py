"""The joined level is a law: only ever higher, by rules that are data with a clause."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from masking.taxonomy import DataLevel
from sandbox.client.imports import Import
from sandbox.imports.errors import ImportConflict, ImportInvalid
from sandbox.imports.joining import joined_level
from sandbox.imports.limits import DEFAULTS, ImportRules, default_rules
from sandbox.imports.states import TITLES, TRANSITIONS, ImportState, check_transition
from sandbox.imports.visibility import STANDS

RULES = default_rules().joining
L = DataLevel


@pytest.mark.parametrize(
    ("levels", "person_keys", "joined"),
    [
        ([L.L1, L.L1], False, L.L1),  # about nobody: the highest counts
        ([L.L1, L.L3], False, L.L3),
        ([L.L1, L.L1], True, L.L2),  # joined by person: one step up, and personal information is at least L2
        ([L.L2, L.L1], True, L.L3),
        ([L.L3, L.L2], True, L.L4),
        ([L.L4, L.L2], True, L.L4),  # important and core data are never the sum of others
        ([L.IMPORTANT, L.L1], True, L.IMPORTANT),
        ([L.CORE], False, L.CORE),
    ],
)
def test_joined_level(levels: list[DataLevel], person_keys: bool, joined: DataLevel):
    found = joined_level(levels, person_keys=person_keys, rules=RULES)
    assert found.level is joined
    assert all(reason["clause"]["zh"] and reason["clause"]["en"] for reason in found.to_json())


@given(st.lists(st.sampled_from(list(DataLevel)), min_size=1), st.sampled_from(list(DataLevel)), st.booleans())
def test_another_import_or_person_keys_never_lower_the_level(levels, more, person_keys):
    before = joined_level(levels, person_keys=person_keys, rules=RULES).level
    assert before >= max(levels)
    assert joined_level([*levels, more], person_keys=person_keys, rules=RULES).level >= before
    assert joined_level(levels, person_keys=True, rules=RULES).level >= before


@pytest.mark.parametrize(
    "spoil",
    [
        lambda given: given["limits"].update(threshold=0),
        lambda given: given["limits"].pop("max_rows"),
        lambda given: given["joining"].clear(),
        lambda given: given["joining"][1].update(steps=0),
        lambda given: given["joining"][1].update(do="lower"),
        lambda given: given["joining"][0].pop("clause_zh"),
        lambda given: given.update(version=2),
    ],
)
def test_a_wrong_rule_file_is_refused(tmp_path: Path, spoil):
    given_ = yaml.safe_load(DEFAULTS.read_text("utf-8"))
    spoil(given_)
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(given_, allow_unicode=True), "utf-8")
    with pytest.raises(ImportInvalid):
        ImportRules.load(tmp_path / "rules.yaml")


def test_every_state_is_named_and_ends_destroyed():
    assert set(TITLES) == set(TRANSITIONS) == set(ImportState)
    for state in ImportState:
        reached, fresh = {state}, {state}
        while fresh:
            fresh = {after for each in fresh for after in TRANSITIONS[each]} - reached
            reached |= fresh
        assert ImportState.DESTROYED in reached
    with pytest.raises(ImportConflict, match="cannot become"):
        check_transition(ImportState.DESTROYED, ImportState.MOUNTED)


def test_a_notebook_sees_state_path_and_reason():
    item = {"name": "own", "number": 2, "state": "rejected", "state_title": {"zh": "检查未通过", "en": "rejected"}}
    found = Import.from_json(item | {"error": {"zh": "表 <坏>", "en": "a bad table"}})
    assert "检查未通过 / rejected" in found._repr_html_()
    assert "&lt;坏&gt;" in found._repr_html_()
    assert (found.path, found.here) == ("/data/import/own/own.parquet", False)


def test_a_notebook_says_that_what_stands_there_is_a_twin(tmp_path: Path):
    path = tmp_path / "own.parquet"
    item = {"name": "own", "number": 1, "state": "mounted", "path": str(path)}
    assert "a twin" in Import.from_json(item | {"stands": STANDS[True]})._repr_html_()
    assert "a twin" not in Import.from_json(item | {"stands": STANDS[False]})._repr_html_()
