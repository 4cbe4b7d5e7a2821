"""The JSON Schema of a masking policy, for editors and for ``load``; ``policies/masking-policy.schema.json`` is its copy."""

from __future__ import annotations

from typing import Any


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the policy YAML."""
    raise NotImplementedError
