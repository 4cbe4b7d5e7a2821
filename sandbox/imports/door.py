"""Which level a workspace's data reach together with an import, and whether sealed jobs may meet data of that level."""

from __future__ import annotations

from sqlalchemy.orm import Session

from masking.taxonomy import DataLevel
from opendata.catalog.grades import Grades
from sandbox.imports.errors import ImportDenied
from sandbox.imports.joining import Joined, joined_level
from sandbox.imports.limits import ImportRules, default_rules
from sandbox.imports.lookups import datasets_joined
from sandbox.workspaces.imports import imports_of
from sandbox.workspaces.models import Workspace


def derive_level(
    session: Session,
    workspace: Workspace,
    *,
    level: DataLevel,
    person_keys: bool,
    given: ImportRules | None = None,
    without: str | None = None,
) -> Joined:
    """The level of the workspace's datasets, its mounted imports (but ``without``) and one more import together."""
    given = given or default_rules()
    mounted = [each for each in imports_of(session, workspace) if each.name != without]
    levels = [DataLevel(each.level) for each in datasets_joined(session, workspace) if each.level]
    return joined_level(
        [*levels, *(DataLevel(each.level) for each in mounted), level],
        person_keys=person_keys or any(each.person_keys for each in mounted),
        rules=given.joining,
    )


def check_door(workspace: Workspace, name: str, level: DataLevel, grades: Grades) -> None:
    """Raise ImportDenied unless sealed jobs may meet data of this level."""
    row = grades.sealed_jobs(level, negative_list=False)
    if not row.open:
        raise ImportDenied(
            f"导入 {name} 与沙箱 {workspace.name} 的数据关联后为 {level.title('zh')}，"
            f"不能进入域内作业（{row.clause['zh']}） · "
            f"joined with {workspace.name}, the import {name} is {level.title('en')}; sealed jobs may not meet it "
            f"({row.clause['en']})"
        )
