"""What a notebook imports: the service, seen from inside the sandbox.

>>> from sandbox.client import Workspace
>>> Workspace.current()  # doctest: +SKIP
Workspace('falls-2026')

Standard library only, so that it runs in every kernel. It speaks HTTP over the one socket a session has; the session's
gate, outside the jail, adds the right to ask. Nothing secret is held or needed here.
"""

from sandbox.client.answers import Plot, QueryAnswer, ReleasedTable
from sandbox.client.errors import (
    BadArgument,
    ClientError,
    Denied,
    NotAvailable,
    NotInSession,
    ServiceError,
    TryLater,
    UnusableFile,
)
from sandbox.client.figures import Figure, figure
from sandbox.client.imports import Import
from sandbox.client.records import Dataset, Finding, Findings, Job, Listing, Output, Practice
from sandbox.client.workspace import Workspace, in_session

__all__ = [
    "BadArgument",
    "ClientError",
    "Dataset",
    "Denied",
    "Figure",
    "Finding",
    "Findings",
    "Import",
    "Job",
    "Listing",
    "NotAvailable",
    "NotInSession",
    "Output",
    "Plot",
    "Practice",
    "QueryAnswer",
    "ReleasedTable",
    "ServiceError",
    "TryLater",
    "UnusableFile",
    "Workspace",
    "figure",
    "in_session",
]
