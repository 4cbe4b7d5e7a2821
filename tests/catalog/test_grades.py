"""The matrix as data: what opens at which level, and that no file loosens it."""

from itertools import product
from pathlib import Path

import pytest
import yaml

from masking.taxonomy import DataLevel, Effect, LegalStatus, OpeningClass
from opendata.catalog.errors import InvalidGrades
from opendata.catalog.grades import Grades
from opendata.catalog.models import Dataset, Edition, EditionKind
from opendata.identity import Actor, Role

PATH = Path(__file__).parents[2] / "policies" / "grades.yaml"
GRADES = Grades.load(PATH)
BASIS = "个人信息保护法 第十三条"
U, C = OpeningClass.UNCONDITIONAL, OpeningClass.CONDITIONAL
MICRO, AGGREGATE = EditionKind.MICRODATA, EditionKind.AGGREGATE
ANON, DEID = LegalStatus.ANONYMIZED, LegalStatus.DEIDENTIFIED


def decide(level, kind, opening, effect, status, basis=BASIS, **more):
    return GRADES.decide(
        raw_level=level and DataLevel(level),
        kind=kind,
        opening_class=opening,
        effect=Effect(effect),
        legal_status=status,
        legal_basis=basis,
        **more,
    )


@pytest.mark.parametrize(("level", "kind", "opening", "effect", "status", "basis", "own"), [
    ("L1", MICRO, U, 1, ANON, "", "L1"),         # open as a rule
    ("L1", MICRO, U, 1, DEID, "", None),         # unconditional always needs anonymized
    ("L2", MICRO, U, 3, ANON, "", "L2"),
    ("L2", MICRO, U, 3, DEID, BASIS, None),
    ("L2", MICRO, C, 2, DEID, BASIS, "L2"),
    ("L2", MICRO, C, 2, DEID, " ", None),        # providing personal data needs a legal basis
    ("L3", MICRO, C, 3, DEID, BASIS, "L2"),
    ("L3", MICRO, C, 2, DEID, BASIS, None),      # effect below 3
    ("L3", MICRO, C, 3, DEID, "", None),
    ("L3", MICRO, U, 3, ANON, BASIS, None),      # unconditional needs effect 4
    ("L3", AGGREGATE, U, 4, ANON, "", "L1"),
    ("L4", MICRO, C, 4, DEID, BASIS, None),      # aggregates only
    ("L4", AGGREGATE, C, 4, DEID, BASIS, "L2"),  # a conditional edition is never below L2
    ("L4", AGGREGATE, C, 3, DEID, BASIS, None),
    ("L4", AGGREGATE, U, 4, ANON, "", "L1"),
    ("important", AGGREGATE, C, 4, ANON, BASIS, None),
    ("core", AGGREGATE, U, 4, ANON, BASIS, None),
    (None, AGGREGATE, U, 4, ANON, BASIS, None),  # no level, no door
])  # fmt: skip
def test_matrix(level, kind, opening, effect, status, basis, own):
    decision = decide(level, kind, opening, effect, status, basis)
    assert decision.allowed == (own is not None)
    assert decision.level == (own and DataLevel(own))
    assert all(decision.clause[language] and decision.reason[language] for language in ("zh", "en"))


def test_negative_list_opens_nothing():
    for level, opening in product(DataLevel, OpeningClass):
        assert not decide(level, AGGREGATE, opening, 4, ANON, negative_list=True).allowed
    assert not GRADES.sealed_jobs(DataLevel.L1, negative_list=True).open


def test_nothing_is_opened_as_closed():
    for level, kind in product(DataLevel, EditionKind):
        assert not decide(level, kind, OpeningClass.CLOSED, 4, ANON).allowed


@pytest.mark.parametrize(("level", "open_", "review", "checkers", "registered"), [
    ("L1", True, "none", 1, False),
    ("L2", True, "first_run", 1, False),
    ("L3", True, "first_run", 2, False),
    ("L4", True, "first_run", 2, True),
    ("important", False, "first_run", 2, True),
    ("core", False, "first_run", 2, True),
])  # fmt: skip
def test_sealed_jobs(level, open_, review, checkers, registered):
    jobs = GRADES.sealed_jobs(DataLevel(level))
    assert (jobs.open, jobs.code_review, jobs.checkers, jobs.registered_outputs_only) == (
        open_,
        review,
        checkers,
        registered,
    )


@pytest.mark.parametrize(("level", "persons"), [
    ("L1", 1),
    ("L2", 1),
    ("L3", 2),  # two different persons from here on
    ("L4", 2),
    ("important", 2),
    (None, 2),  # no level: the strictest rule
])  # fmt: skip
def test_workspaces_are_agreed_to_by_the_providers_people(level, persons):
    rule = GRADES.workspaces(level and DataLevel(level))
    assert rule.controllers == {Role.DATA_OFFICER, Role.REVIEWER}
    assert (rule.others, rule.persons) == ({Role.REVIEWER}, persons)


def test_unknown_level_opens_nothing():
    assert not GRADES.sealed_jobs(None).open
    assert not GRADES.fixed_tables(None)
    assert not GRADES.differential_privacy(None)


def city(tmp_path, text):
    path = tmp_path / "city.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", [
    "levels: {L1: {sealed_jobs: {checkers: 2}}, L2: {sealed_jobs: {checkers: 2}}}",
    "levels: {L2: {fixed_tables: false}}",
    "levels: {L3: {workspaces: {persons: 3}}, L4: {workspaces: {persons: 3}}, important: {workspaces: {persons: 3}}, core: {workspaces: {persons: 3}}}",
    "levels: {L4: {workspaces: {others: []}}}",
    "levels: {L4: {edition: []}}",
    "thresholds: {full_public: 0.04}",
    "conditional_at_least: L3",
    "edition_level: {L3: [L3, L3, L3, L2]}",
])  # fmt: skip
def test_a_city_may_tighten(tmp_path, text):
    assert Grades.load(PATH, city(tmp_path, text)) != GRADES


@pytest.mark.parametrize("text", [
    "levels: {L3: {fixed_tables: true}}",
    "levels: {L3: {sealed_jobs: {checkers: 1}}}",
    "levels: {L2: {sealed_jobs: {code_review: none}}}",
    "levels: {important: {sealed_jobs: {open: true}}}",
    "levels: {L3: {workspaces: {persons: 1}}}",                  # one person fewer
    "levels: {L1: {workspaces: {others: [reviewer, data_officer]}}}",
    "levels: {L1: {workspaces: {controllers: []}}}",             # nobody answers for the data
    "levels: {L1: {workspaces: {controllers: [researcher]}}}",   # not a role of departments
    "levels: {L2: {workspaces: {persons: 3}}}",                  # a higher level never asks for less
    "levels: {L1: {workspaces: {persons: true}}}",
    "levels: {L4: {edition: [{opening_class: conditional, kinds: [microdata], min_effect: 4, anonymized: false, legal_basis: true}]}}",
    "levels: {L3: {edition: [{opening_class: conditional, kinds: [microdata], min_effect: 2, anonymized: false, legal_basis: true}]}}",
    "levels: {L1: {edition: [{opening_class: unconditional, kinds: [microdata], min_effect: 1, anonymized: false, legal_basis: false}]}}",
    "thresholds: {full_public: 0.06}",
    "thresholds: {controlled: 0.5}",
    "thresholds: {controlled: 0}",
    "conditional_at_least: L1",
    "edition_level: {L3: [L3, L3, L1, L1]}",
    "levels: {L5: {}}",
    "levels: {L2: {clause: {zh: '', en: x}}}",
    "levels: {L2: {fixed_tables: maybe}}",
    "nothing",
    "[",
])  # fmt: skip
def test_a_loosening_or_broken_file_is_refused(tmp_path, text):
    with pytest.raises(InvalidGrades):
        Grades.load(PATH, city(tmp_path, text))


def test_a_higher_level_never_opens_wider(tmp_path):
    document = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    document["levels"]["L4"]["edition"] = document["levels"]["L1"]["edition"]
    with pytest.raises(InvalidGrades, match="L4"):
        Grades.load(city(tmp_path, yaml.safe_dump(document, allow_unicode=True)))


def viewer(role, organization="firm"):
    return Actor("u", "u", "n", organization, "o", frozenset({role}))


@pytest.mark.parametrize(("level", "opening", "actor", "standing", "kind"), [
    ("L1", "unconditional", None, "none", "download"),
    ("L2", "conditional", None, "none", "sign_in"),
    ("L2", "conditional", viewer(Role.APPLICANT), "none", "apply"),
    ("L2", "conditional", viewer(Role.APPLICANT), "pending", "wait"),
    ("L2", "conditional", viewer(Role.APPLICANT), "preparing", "preparing"),
    ("L2", "conditional", viewer(Role.APPLICANT), "granted", "grant"),
    ("L4", "closed", viewer(Role.RESEARCHER), "none", "sandbox"),
    ("L4", None, viewer(Role.RESEARCHER), "none", "later"),
    ("L4", None, viewer(Role.DATA_OFFICER, "ours"), "none", "department"),
    ("core", None, viewer(Role.RESEARCHER), "none", "none"),
    (None, None, None, "none", "none"),
])  # fmt: skip
def test_nearest_door(level, opening, actor, standing, kind):
    current = "e" if opening else None
    dataset = Dataset(
        level=level, organization_id="ours", negative_list=False, state="published", current_edition_id=current
    )
    edition = Edition(opening_class=opening, state="published") if opening else None
    door = GRADES.nearest_door(dataset, edition, actor, standing=standing)
    assert door.kind == kind
    assert all(door.text[language] and door.clause[language] for language in ("zh", "en"))


def test_negative_list_gives_its_own_reason():
    dataset = Dataset(
        level="L1", organization_id="ours", negative_list=True, negative_basis_zh="涉密", negative_basis_en="secret"
    )
    assert GRADES.nearest_door(dataset, None, None).text == {"zh": "涉密", "en": "secret"}
