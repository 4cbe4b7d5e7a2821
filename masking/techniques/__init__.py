"""Techniques of de-identification, one file a family of ISO/IEC 20889; importing this package registers them all."""

from masking.techniques import (
    cryptographic,
    generalization,
    identifiers,
    identity,
    pseudonymization,
    randomization,
    suppression,
    surrogates,
    synthetic,
    text,
)
from masking.techniques.base import Example, Parameter, Technique, get, names, run_example, technique

__all__ = [
    "Example",
    "Parameter",
    "Technique",
    "cryptographic",
    "generalization",
    "get",
    "identifiers",
    "identity",
    "names",
    "pseudonymization",
    "randomization",
    "run_example",
    "suppression",
    "surrogates",
    "synthetic",
    "technique",
    "text",
]
