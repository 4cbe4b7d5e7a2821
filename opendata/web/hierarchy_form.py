"""Uploaded hierarchy files in the policy form: choices that name one, and which file a rule's hierarchy came from.

A choice writes the file's name; saving puts its rows into the policy. From then on the rule is known by its rows: the
form shows the file as long as they are the file's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from masking.policy import AttributeRule
from masking.policy.model import RECODING
from opendata.publishing.hierarchy_files import mapping_rows, rows_digest
from opendata.publishing.models import HierarchyFile

LEVEL = "generalization.hierarchy"
LEVELS_OF, LEVEL_OF = "recode_file:", "level_file:"
"""How the ids of choices begin; the file's name follows."""


def choice_of(rule: AttributeRule, files: Sequence[HierarchyFile]) -> str | None:
    """The choice of the form that a rule stands for; None: its hierarchy is none of the files."""
    if rule.otherwise is not None or rule.technique not in (RECODING, LEVEL):
        return None
    begin = LEVELS_OF if rule.technique == RECODING else LEVEL_OF
    named, mapping = rule.parameters.get("file"), rule.parameters.get("mapping")
    if named is not None:
        return next((f"{begin}{file.name}" for file in files if file.name == named), None)
    if not isinstance(mapping, Mapping):
        return None
    digest = rows_digest(mapping_rows(mapping))
    return next((f"{begin}{file.name}" for file in files if file.rows_digest == digest), None)


def choices_of(files: Sequence[HierarchyFile]) -> list[tuple[str, Mapping[str, str], str, Mapping[str, Any]]]:
    """Id, title, technique and parameters of each choice that names a file."""
    found: list[tuple[str, Mapping[str, str], str, Mapping[str, Any]]] = []
    for file in files:
        about = {"zh": f"{file.name}（{file.levels} 层）", "en": f"{file.name} ({file.levels} levels)"}
        by_levels = {"zh": f"按 {about['zh']} 逐级，到限值够用为止", "en": f"up {about['en']} as far as the limits ask"}
        found.append((f"{LEVELS_OF}{file.name}", by_levels, RECODING, {"file": file.name}))
        at_once = {"zh": f"按 {about['zh']} 归并到固定一层", "en": f"to one fixed level of {about['en']}"}
        found.append((f"{LEVEL_OF}{file.name}", at_once, LEVEL, {"file": file.name, "level": 1}))
    return found


def shown(rule: AttributeRule) -> dict[str, Any]:
    """The parameters that the form shows as text; the values of a hierarchy are in the YAML only."""
    return {name: value for name, value in rule.parameters.items() if name != "mapping"}


def kept(rule: AttributeRule, typed: Mapping[str, Any]) -> dict[str, Any]:
    """Typed parameters, with the hierarchy that the rule had unless another one was typed."""
    if "mapping" not in rule.parameters or {"mapping", "file"} & typed.keys():
        return dict(typed)
    return {"mapping": rule.parameters["mapping"], **typed}
