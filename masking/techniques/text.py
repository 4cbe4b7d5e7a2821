"""
Free text: detected identifiers are replaced by the name of their type.

Detection never finds everything: a free-text attribute caps the effect of an edition at 2 until an independent sample
is signed. The spans come from ``masking.detection``, the replacement is Presidio's AnonymizerEngine.
"""

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from masking.errors import UnsupportedColumn
from masking.techniques.base import Example, Technique, technique


@technique("text.redact")
@dataclass(frozen=True)
class Redact(Technique):
    """
    Replace each detected identifier in a text by ``<TYPE>``.

    Column: text; null stays null. ``types``: detection types to look for, all by default.
    Loss: the detected spans only; what is not detected stays, so this is never the only protection of a text.
    Source: ISO/IEC 20889:2018, suppression, applied to spans.

    Raises:
        InvalidParameter: a type that detection does not know.
        UnsupportedColumn: the column is not text.

    """

    types: tuple[str, ...] | None = None

    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {}, ("电话13800000000，多谢", "无", None), ("电话<PHONE>，多谢", "无", None), "a mobile number in a remark"
        ),
    )

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text."""
        if not (pa.types.is_string(given) or pa.types.is_large_string(given) or pa.types.is_null(given)):
            raise UnsupportedColumn(f"{self.name} works on text, not on {given}")
        return pa.string()

    def _apply(self, column: pa.Array) -> pa.Array:
        encoded = column.cast(pa.string()).dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        redacted = pa.array(redact(texts, self.types), pa.string())
        return redacted.take(encoded.indices)


def redact(texts: list[str], types: tuple[str, ...] | None = None) -> list[str]:
    """Redact each text; those without a finding come back as they are."""
    from presidio_anonymizer.entities import OperatorConfig, RecognizerResult

    replace = _anonymizer()
    redacted = list(texts)
    for place, findings in enumerate(_detector(types).find_many(texts)):
        if not findings:
            continue
        spans = [RecognizerResult(f.type, f.start, f.end, f.score) for f in findings]
        operators = {f.type: OperatorConfig("replace", {"new_value": f"<{f.type}>"}) for f in findings}
        redacted[place] = replace.anonymize(texts[place], spans, operators).text
    return redacted


@functools.lru_cache(maxsize=1)
def _anonymizer() -> Any:
    from presidio_anonymizer import AnonymizerEngine

    return AnonymizerEngine()  # type: ignore[no-untyped-call]


@functools.lru_cache(maxsize=8)
def _detector(types: tuple[str, ...] | None) -> Any:
    from masking.detection import Detector

    return Detector(types)
