"""States of an import, as data. The diagrams in the documentation are drawn from this table."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sandbox.imports.errors import ImportConflict


class ImportState(StrEnum):
    """Life of one version of an import.

    ``rejected`` is what the scan decides, ``refused`` what people or the comparison with earlier versions decide.
    Whatever ends an import ends in ``destroyed``: its data key is gone.
    """

    UPLOADED = "uploaded"
    SCANNING = "scanning"
    REJECTED = "rejected"
    DECLARING = "declaring"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    MOUNTED = "mounted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    DESTROYED = "destroyed"


S = ImportState
TRANSITIONS: Final[dict[ImportState, frozenset[ImportState]]] = {
    S.UPLOADED: frozenset({S.SCANNING, S.WITHDRAWN}),
    S.SCANNING: frozenset({S.DECLARING, S.REJECTED, S.WITHDRAWN}),
    S.REJECTED: frozenset({S.DESTROYED}),
    S.DECLARING: frozenset({S.IN_REVIEW, S.WITHDRAWN}),
    S.IN_REVIEW: frozenset({S.APPROVED, S.REFUSED, S.WITHDRAWN}),
    S.APPROVED: frozenset({S.MOUNTED, S.REFUSED, S.WITHDRAWN}),
    S.MOUNTED: frozenset({S.WITHDRAWN}),
    S.REFUSED: frozenset({S.DESTROYED}),
    S.WITHDRAWN: frozenset({S.DESTROYED}),
    S.DESTROYED: frozenset(),
}
OPEN: Final = frozenset({S.UPLOADED, S.SCANNING, S.DECLARING, S.IN_REVIEW, S.APPROVED, S.MOUNTED})
"""States that can still be withdrawn."""
GOING: Final = frozenset({S.UPLOADED, S.SCANNING, S.APPROVED})
"""States in which the service goes on by itself."""

TITLES: Final[dict[ImportState, dict[str, str]]] = {
    S.UPLOADED: {"zh": "已上传", "en": "uploaded"},
    S.SCANNING: {"zh": "检查中", "en": "being scanned"},
    S.REJECTED: {"zh": "检查未通过", "en": "rejected by the scan"},
    S.DECLARING: {"zh": "待填写说明", "en": "waiting for your declaration"},
    S.IN_REVIEW: {"zh": "审核中", "en": "in review"},
    S.APPROVED: {"zh": "已同意，正在挂载", "en": "approved, being mounted"},
    S.MOUNTED: {"zh": "已挂载", "en": "mounted"},
    S.REFUSED: {"zh": "未同意", "en": "refused"},
    S.WITHDRAWN: {"zh": "已撤回", "en": "withdrawn"},
    S.DESTROYED: {"zh": "已销毁", "en": "destroyed"},
}


def check_transition(old: ImportState, new: ImportState) -> None:
    """Raise `ImportConflict` unless ``old`` may become ``new``."""
    if new not in TRANSITIONS[old]:
        raise ImportConflict.from_states(TITLES[old], TITLES[new])
