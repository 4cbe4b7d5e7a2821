"""
Techniques on whole records: which records stay in the table at all.

Source: ISO/IEC 20889:2018, record suppression and sampling. They stand in a policy beside its attributes
(``suppress:``, ``sample:``), look at raw columns and never change a value.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from masking.errors import InvalidParameter
from masking.techniques.base import secret_field
from masking.techniques.conditions import Condition, Mask
from masking.techniques.draws import draws, uniforms


@dataclass(frozen=True)
class RecordTechnique(ABC):
    """Says which records stay."""

    name: ClassVar[str]

    @abstractmethod
    def context(self) -> tuple[str, ...]:
        """Names of the raw columns it reads."""

    @abstractmethod
    def stays(self, context: Mapping[str, pa.Array]) -> Mask:
        """True for the records that stay."""


@dataclass(frozen=True)
class RecordSuppression(RecordTechnique):
    """
    Leave out every record that meets ``when``.

    A record whose compared value is null does not meet the comparison and stays; ``is_null`` names such records.
    Loss: the record. What is left out shows in the number of records of the internal report only.
    Source: ISO/IEC 20889:2018, suppression: record suppression.
    """

    name: ClassVar[str] = "suppression.record"
    when: Condition

    def context(self) -> tuple[str, ...]:
        """The condition's columns."""
        return self.when.columns

    def stays(self, context: Mapping[str, pa.Array]) -> Mask:
        """True where the condition does not hold."""
        return ~self.when.holds(context)


@dataclass(frozen=True)
class Sampling(RecordTechnique):
    """
    Keep each record with probability ``share``, drawn once for each: all records of one ``record`` value stay or leave.

    ``share`` in (0, 1). Under one key the sample is the same in every edition, and a larger share keeps all that a
    smaller one kept.
    Loss: the share that leaves; nobody can tell from the sample whether a person who is not in it was in the table.
    Source: ISO/IEC 20889:2018, sampling.
    """

    name: ClassVar[str] = "sampling.simple"
    share: float
    record: tuple[str, ...]
    secret: bytes = secret_field()

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise InvalidParameter("sample: share must be in (0, 1)", parameter="share")

    def context(self) -> tuple[str, ...]:
        """The record columns."""
        return self.record

    def stays(self, context: Mapping[str, pa.Array]) -> Mask:
        """True for the drawn records."""
        drawn = draws(self.secret, [context[name] for name in self.record])
        return np.asarray(uniforms(drawn[:, 0]) < self.share)
