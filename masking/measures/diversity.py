"""l-diversity: each class holds at least l well-represented values of a sensitive attribute.

Source: Machanavajjhala et al., 2007; listed in ISO/IEC 20889:2018. Null is a value of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal


def l_diversity(
    table: Any,
    quasi_identifiers: Sequence[str],
    sensitive: str,
    kind: Literal["distinct", "entropy"] = "distinct",
) -> float:
    """The least l over all classes: distinct values, or exp of the entropy; 0 for an empty table."""
    raise NotImplementedError
