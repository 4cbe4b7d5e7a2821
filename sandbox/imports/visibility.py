"""What an import's own people and its deciders see of it: one function each, used by pages and API.

Source: PRIVACY.md 14, 22, 25. Both rest on the file, its declaration and what people decided, never on how many of
its persons occur in raw data. That is in the vault's quarantine, and no function here opens it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from masking.taxonomy import DataLevel
from opendata.catalog.models import Dataset
from opendata.identity import User
from opendata.identity.models import Organization
from sandbox.imports import lookups
from sandbox.imports.limits import default_rules
from sandbox.imports.models import Import
from sandbox.imports.states import GOING, TITLES, ImportState
from sandbox.workspaces.imports import import_path
from sandbox.workspaces.models import Workspace

STANDS: Final = {
    True: {
        "zh": "替身：键换成仿真数据里的人，关联得上，结果没有意义；密封作业遇到真实的导入",
        "en": "a twin: its keys are persons of the practice data, so that it joins; results mean nothing; sealed jobs "
        "meet the import itself",
    },
    False: {"zh": "导入本身：没有个人关联键", "en": "the import itself: it has no person keys"},
}
"""With and without person keys: what sessions and dry runs find at its path."""


def import_view(session: Session, found: Import, workspace: Workspace) -> dict[str, Any]:
    """One version as members see it: states, what the scan found, what is still needed."""
    state = ImportState(found.state)
    answered = lookups.consents_of(session, found)
    return {
        "id": found.id,
        "name": found.name,
        "number": found.number,
        "filename": found.filename,
        "bytes": found.bytes,
        "state": str(state),
        "state_title": state_title(found),
        "going": state in GOING,
        "outcome": found.outcome or None,
        "error": _both(found.error),
        "rows": found.rows,
        "digest": found.digest,
        "columns": columns(found),
        "path": import_path(found.name),
        "mounted": state is ImportState.MOUNTED,
        "stands": STANDS[bool(found.person_keys)],
        "proposed_level": found.proposed_level,
        "level": found.level,
        "level_title": _title(found.level or found.proposed_level),
        "joined_level": found.joined_level,
        "joined_level_title": _title(found.joined_level),
        "joined_reasons": found.joined_reasons,
        "person_keys": found.person_keys,
        "consents": [
            {"dataset": name, "given": answered[id_].approve if id_ in answered else None}
            for id_, name in (lookups.joined_datasets(session, workspace) if found.person_keys else {}).items()
        ],
        "purpose": found.purpose,
        "created_at": found.created_at.isoformat(),
        "due_at": _time(found.due_at),
        "decided_at": _time(found.decided_at),
        "mounted_at": _time(found.mounted_at),
        "decision_reason": found.decision_reason or None,
    }


def review_view(session: Session, found: Import) -> dict[str, Any]:
    """All evidence on one page, for those who answer for the data or decide."""
    workspace = session.get_one(Workspace, found.workspace_id)
    datasets = [session.get_one(Dataset, dataset) for dataset in lookups.joined_datasets(session, workspace)]
    answered = lookups.consents_of(session, found)
    bases = default_rules().legal_bases
    return import_view(session, found, workspace) | {
        "workspace": {"name": workspace.name, "title": workspace.title, "purpose": workspace.purpose},
        "uploader": session.get_one(User, found.created_by).name,
        "organization": _organization(session, workspace.organization_id),
        "candidates": found.key_candidates,
        "not_keys": found.not_keys,
        "near_groups": found.near_groups,
        "legal_basis": bases.get(found.legal_basis),
        "legal_note": found.legal_note,
        "assessment": found.assessment,
        "assessed_on": found.assessed_on,
        "assessed_by": found.assessed_by,
        "datasets": [
            {
                "name": dataset.name,
                "title": {"zh": dataset.title_zh, "en": dataset.title_en},
                "level": dataset.level,
                "level_title": _title(dataset.level),
                "organization": _organization(session, dataset.organization_id),
                "consent": _consent(session, answered.get(dataset.id)) if found.person_keys else None,
            }
            for dataset in datasets
        ],
        "versions": [version(each) for each in lookups.versions_of(session, workspace, found.name)],
        "decided_by": session.get_one(User, found.decided_by).name if found.decided_by else None,
    }


def version(found: Import) -> dict[str, Any]:
    """One line of a history."""
    return {
        "id": found.id,
        "number": found.number,
        "state": found.state,
        "state_title": state_title(found),
        "rows": found.rows,
        "digest": found.digest,
        "created_at": found.created_at.isoformat(),
    }


def columns(found: Import) -> list[dict[str, Any]]:
    """Name, type, counts, role and reason of every column; numbers about it, never its values."""
    findings = {finding["column"]: finding for finding in found.findings}
    shown = []
    for column in found.profile:
        finding = findings.get(column["name"], {})
        shown.append(
            {
                **{key: column[key] for key in ("name", "type", "nulls", "distinct")},
                "role": finding.get("role"),
                "level": finding.get("level"),
                "reason": finding.get("reason"),
            }
        )
    return shown


def state_title(found: Import) -> dict[str, str]:
    """The state in words; of a destroyed import also how it ended."""
    title = TITLES[ImportState(found.state)]
    if ImportState(found.state) is not ImportState.DESTROYED or not found.outcome:
        return title
    outcome = TITLES[ImportState(found.outcome)]
    return {"zh": f"{outcome['zh']}，{title['zh']}", "en": f"{outcome['en']}, {title['en']}"}


def _consent(session: Session, given: Any) -> dict[str, Any]:
    if given is None:
        return {"given": None, "by": None, "reason": None, "at": None}
    person = session.get_one(User, given.decided_by)
    return {"given": given.approve, "by": person.name, "reason": given.reason, "at": given.decided_at.isoformat()}


def _organization(session: Session, organization_id: str) -> dict[str, str]:
    organization = session.get_one(Organization, organization_id)
    return {"zh": organization.name_zh, "en": organization.name_en or organization.name_zh}


def _both(sentence: str) -> dict[str, str] | None:
    if not sentence:
        return None
    chinese, _, english = sentence.partition(" · ")
    return {"zh": chinese, "en": english or chinese}


def _title(level: str | None) -> dict[str, str] | None:
    return DataLevel(level).titles if level else None


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
