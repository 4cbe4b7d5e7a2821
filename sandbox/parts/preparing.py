"""The job that prepares a workspace's data, with all published figures that practice data may follow.

Workspaces know nothing of fixed tables, which stand above them; here the two meet.
"""

from __future__ import annotations

from typing import Any

from opendata.jobs.context import JobContext
from sandbox.queries.one_way import one_way_counts
from sandbox.workspaces import datasets


def prepare(context: JobContext, arguments: dict[str, Any]) -> None:
    """Job ``sandbox.prepare``."""
    datasets.prepare(context, arguments, cube=one_way_counts)
