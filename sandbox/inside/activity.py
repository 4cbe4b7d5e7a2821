"""A kernel that computes is in use, though it says nothing: a long fit must not end as an idle session.

The server counts messages only. Whoever forgets a loop is stopped by the longest life of a session instead.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

BUSY: Final = "busy"


def counting_busy_kernels(
    last_activity: Callable[[Any], datetime], clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Callable[[Any], datetime]:
    """The server's ``last_activity`` as a method that says "now" while any kernel computes."""

    def latest(application: Any) -> datetime:
        kernels = application.settings["kernel_manager"]
        states = (getattr(kernels.get_kernel(each), "execution_state", "") for each in kernels.list_kernel_ids())
        return clock() if BUSY in states else last_activity(application)

    return latest
