"""Masking policies as the service reads them: from text, never from a path.

A chain of steps asks for the same saved policy again and again, and a saved text never changes, so each text is read
once. What is returned is shared: a policy is a value that nobody changes.
"""

import functools

from masking.policy import MaskingPolicy, load


@functools.lru_cache(maxsize=64)
def parse_policy(yaml: str) -> MaskingPolicy:
    """A policy from YAML text. Raises masking.errors.PolicyError."""
    return load(yaml if "\n" in yaml else yaml + "\n")
