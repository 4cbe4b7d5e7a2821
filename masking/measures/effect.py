"""Effect of de-identification, grades 1 to 4 (去标识化效果), from reviewed roles and the measured risk.

Source: GB/T 42460-2023, 4; thresholds of GB/T 37964 sharing modes are settings with those defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from masking.taxonomy import Effect

THRESHOLDS: Final[Mapping[str, float]] = {"full_public": 0.05, "controlled": 0.2}
"""Highest risk of one person: k = 20 for full publication, k = 5 for controlled sharing."""


def effect(
    policy: Any,
    k: int | None,
    *,
    is_aggregate: bool | None = None,
    thresholds: Mapping[str, float] | None = None,
    sharing: str = "controlled",
) -> Effect:
    """The grade of a masked table with smallest class ``k`` (None: no quasi-identifiers)."""
    raise NotImplementedError
