"""What is handed in of a notebook: its code without what its cells showed.

The hash of what is handed in decides whether people read it again (PRIVACY.md 18), so another execution must not be
other code; and what a session showed is not for reviewers. The client and the service call this one function, whichever
way a notebook comes.
"""

from __future__ import annotations

import json
from typing import Any, Final

_RESULTS: Final = ("outputs", "execution_count")
_OF_A_RUN: Final = ("execution", "ExecuteTime", "widgets")
"""Metadata of a cell or notebook that a run writes: times, and the state of what was shown."""


def code_only(name: str, content: bytes) -> bytes:
    """``content`` of the file ``name``: a notebook without results, in one canonical form; all else as it is.

    What cannot be read as a notebook comes back as it is, for the service to refuse. Twice is the same as once.
    """
    if not name.endswith(".ipynb"):
        return content
    try:
        notebook = json.loads(content)
    except (ValueError, RecursionError):
        return content
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        return content
    _without_run(notebook)
    for cell in notebook["cells"]:
        if isinstance(cell, dict):
            _without_results(cell)
    try:
        return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True).encode()
    except UnicodeEncodeError:  # half a surrogate pair in a text
        return json.dumps(notebook, indent=1, sort_keys=True).encode()


def _without_results(cell: dict[str, Any]) -> None:
    for member in _RESULTS:
        cell.pop(member, None)
    if cell.get("cell_type") == "code":  # the format wants them, empty
        cell["outputs"], cell["execution_count"] = [], None
    _without_run(cell)


def _without_run(part: dict[str, Any]) -> None:
    if isinstance(metadata := part.get("metadata"), dict):
        for member in _OF_A_RUN:
            metadata.pop(member, None)
