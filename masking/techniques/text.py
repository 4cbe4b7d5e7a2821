"""
Free text: detected identifiers are replaced by their type, by a keyed token or by a keyed surrogate.

Detection never finds everything: a free-text attribute caps the effect of an edition at 2 until an independent sample
is signed. The spans come from ``masking.detection``, the replacement is Presidio's AnonymizerEngine: all distinct spans
of one type in a column are masked at once, and the engine puts them in. A span without an answer becomes ``<TYPE>``.
"""

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, UnsupportedColumn, suggestion
from masking.techniques.base import Example, Technique, secret_field, technique
from masking.techniques.pseudonymization import ColumnCMAC
from masking.techniques.surrogates import check_mark, keyed_numbers, pool

Replacement = Mapping[str, str]
"""What becomes of each span of one type."""
POOLS: Final = MappingProxyType({"PERSON": "person", "ORG": "company", "ADDRESS": "address"})
SHAPES: Final = MappingProxyType(
    {
        "PHONE": "1XX########",
        "LANDLINE": "0XX-########",
        "ID_CARD": "XXXXXX############",
        "BANK_CARD": "XXXX###############",
        "USCC": "XXXXXXXX##########",
        "LICENSE_PLATE": "测A·#####",
        "EMAIL": "u##########@example.invalid",
        "QQ": "X#########",
    }
)
"""Surrogates of numbers: # is a digit drawn under the key. Nothing real has such an X, a 测 or ends in .invalid (RFC
2606)."""


@dataclass(frozen=True)
class Spans(Technique):
    """A technique on what detection finds in a text; the author fills ``_replacements``."""

    types: tuple[str, ...] | None = None

    holds_gil: ClassVar[bool] = True

    def __post_init__(self) -> None:
        from masking.detection.detector import TYPES

        for name in self.types or ():
            if name not in TYPES:
                raise InvalidParameter(
                    f"detection has no type {name!r}{suggestion(name, TYPES)}; known: {list(TYPES)}", parameter="types"
                )
        if self.types == ():
            raise InvalidParameter("types is empty: leave it out for all types", parameter="types")

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text."""
        text = pa.types.is_string(given) or pa.types.is_large_string(given) or pa.types.is_string_view(given)
        if not (text or pa.types.is_null(given)):
            raise UnsupportedColumn(f"{self.name} works on text, not on {given}")
        return pa.string()

    def _apply(self, column: pa.Array) -> pa.Array:
        encoded = column.cast(pa.string()).dictionary_encode()
        texts = replace_spans(encoded.dictionary.to_pylist(), self.types, self._replacements)
        return pa.array(texts, pa.string()).take(encoded.indices)

    def _replacements(self, type_: str, values: pa.Array) -> pa.Array:
        """The text that stands for each value of a type; the values are spelled in one way (``canonical``)."""
        raise NotImplementedError(f"{type(self).__name__} fills no _replacements")


@technique("text.redact")
@dataclass(frozen=True)
class Redact(Spans):
    """
    Replace each detected identifier in a text by ``<TYPE>``.

    Column: text; null stays null. ``types``: detection types to look for, all by default.
    Loss: the detected spans only; what is not detected stays, so this is never the only protection of a text.
    Source: ISO/IEC 20889:2018, suppression, applied to spans.

    Raises:
        InvalidParameter: a type that detection does not know.
        UnsupportedColumn: the column is not text.

    """

    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {}, ("电话13800000000，多谢", "无", None), ("电话<PHONE>，多谢", "无", None), "a mobile number in a remark"
        ),
    )

    def _replacements(self, type_: str, values: pa.Array) -> pa.Array:
        return pa.repeat(pa.scalar(f"<{type_}>"), len(values))


@technique("text.token")
@dataclass(frozen=True)
class Token(Spans):
    """
    Replace each detected identifier in a text by ``<TYPE:token>``, 16 hex characters that depend on value and key only.

    Column: text; null stays null. ``types``: detection types to look for, all by default.
    One value has one token in all texts and columns under one key, also when it is spelled otherwise: full width, with
    spaces or hyphens, with +86, in Chinese numerals, an e-mail in capitals. The tokens are not those of
    pseudonymization.keyed, which has a key of its own below the named one: a text does not join the table it stands in.
    Loss: the detected spans but for equality; what is not detected stays, so this is never the only protection. How
    often a person is mentioned, and with whom, stays legible: prefer text.redact where nobody has to count.
    Source: ISO/IEC 20889:2018, pseudonymization, applied to spans; AES-CMAC, RFC 4493.

    Raises:
        InvalidParameter: a type that detection does not know.
        UnsupportedColumn: the column is not text.

    """

    secret: bytes = secret_field()

    needs_key: ClassVar[bool] = True
    releases: ClassVar[str] = "token"
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {},
            ("电话13800000000，多谢", "回拨+86 138-0000-0000", None),
            ("电话<PHONE:1cb5463158068bee>，多谢", "回拨<PHONE:1cb5463158068bee>", None),
            "one number, spelled in two ways",
        ),
    )

    def _replacements(self, type_: str, values: pa.Array) -> pa.Array:
        return pc.binary_join_element_wise(f"<{type_}:", _lettered(ColumnCMAC(self.secret).tokens(values)), ">", "")


@technique("text.surrogate")
@dataclass(frozen=True)
class SurrogateSpans(Spans):
    """
    Replace each detected identifier in a text by an invented one of its type that depends on value and key only.

    Column: text; null stays null. ``types``: detection types to look for, all by default.
    Persons, firms and addresses come from the Chinese pools of pseudonymization.surrogate with their marks; numbers
    look like their type and are recognisably invalid: 1XX12345678, XXXXXX123456789012, 测A·12345, u…@example.invalid.
    Other types become ``<TYPE:8 hex characters>``. One value has one surrogate in all texts and columns under one key,
    however it is spelled; two values may share one (of n mobile numbers about n^2 / 2·10^8 pairs).
    Loss: the detected spans but for equality; what is not detected stays, so this is never the only protection.
    Source: ISO/IEC 20889:2018, pseudonymization, applied to spans; PRIVACY 9 (surrogates are recognisably invalid).

    Raises:
        InvalidParameter: a type that detection does not know.
        UnsupportedColumn: the column is not text.

    """

    secret: bytes = secret_field()

    needs_key: ClassVar[bool] = True
    releases: ClassVar[str] = "token"
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {},
            ("患者王小明，电话13800000000", "无", None),
            ("患者邸波利（化名），电话1XX77720653", "无", None),
            "a person and a number",
        ),
    )

    def _replacements(self, type_: str, values: pa.Array) -> pa.Array:
        if kind := POOLS.get(type_):
            return pool(kind, "zh_CN", check_mark(None, kind, "zh_CN")).pick(keyed_numbers(self.secret, values))  # type: ignore[arg-type]
        if shape := SHAPES.get(type_):
            return _shaped(shape, keyed_numbers(self.secret, values))
        tokens = _lettered(pc.utf8_slice_codeunits(ColumnCMAC(self.secret).tokens(values), 0, 8))
        return pc.binary_join_element_wise(f"<{type_}:", tokens, ">", "")


def replace_spans(
    texts: list[str], types: tuple[str, ...] | None, replacements: Callable[[str, pa.Array], pa.Array]
) -> list[str]:
    """Replace what is found in each text; texts without a finding come back as they are."""
    from presidio_anonymizer.entities import ConflictResolutionStrategy, RecognizerResult

    found = _detector(types).find_many(texts)
    spans: dict[str, set[str]] = defaultdict(set)
    for text, findings in zip(texts, found, strict=True):
        for f in findings:
            spans[f.type].add(text[f.start : f.end])
    operators = {
        type_: _operator(type_, _answers(type_, sorted(values), replacements)) for type_, values in spans.items()
    }
    engine = _anonymizer()
    return [
        engine.anonymize(
            text,
            [RecognizerResult(f.type, f.start, f.end, f.score) for f in findings],
            operators,
            conflict_resolution=ConflictResolutionStrategy.REMOVE_INTERSECTIONS,
            merge_entities_with_spaces=False,
        ).text
        if findings
        else text
        for text, findings in zip(texts, found, strict=True)
    ]


def canonical(type_: str, value: str) -> str:
    """One spelling of an identifier: ASCII digits, no separators, no +86, capitals; an e-mail in small letters."""
    from masking.detection.normalise import half_width, han_digits

    plain = _SEPARATORS.sub("", half_width(value))
    if type_ in POOLS:
        return plain
    if type_ == "EMAIL":
        return _AT.sub("@", plain.lower())
    if type_ in ("PHONE", "ID_CARD") and _HAN.search(plain):
        plain = han_digits(plain)
    return _COUNTRY.sub("", plain.upper()) if type_ == "PHONE" else plain.upper()


_SEPARATORS: Final = re.compile(r"[\s\-·•]")
_AT: Final = re.compile(r"\(at\)|\[at\]|#")
_COUNTRY: Final = re.compile(r"^\(?\+?(?:00)?86\)?(?=1[0-9]{10}$)")
_HAN: Final = re.compile(r"[^\x00-\x7f]")


def _answers(type_: str, values: list[str], replacements: Callable[[str, pa.Array], pa.Array]) -> Replacement:
    """What stands for each spelling that occurs."""
    masked = replacements(type_, pa.array([canonical(type_, value) for value in values], pa.string()))
    return dict(zip(values, masked.to_pylist(), strict=True))


def _operator(type_: str, answers: Replacement) -> Any:
    from presidio_anonymizer.entities import OperatorConfig

    hidden = f"<{type_}>"
    return OperatorConfig("custom", {"lambda": lambda span: answers.get(span) or hidden})


def _shaped(shape: str, numbers: Any) -> pa.Array:
    """Digits of the numbers in place of each #, the last one last."""
    rest, parts = numbers, []
    for character in reversed(shape):
        if character == "#":
            rest, digit = np.divmod(rest, np.uint64(10))
            parts.append(pa.array(list("0123456789")).take(pa.array(digit.astype(np.int64))))
        else:
            parts.append(pa.scalar(character))
    return pc.binary_join_element_wise(*reversed(parts), "")


@functools.lru_cache(maxsize=1)
def _anonymizer() -> Any:
    from presidio_anonymizer import AnonymizerEngine

    return AnonymizerEngine()  # type: ignore[no-untyped-call]


@functools.lru_cache(maxsize=8)
def _detector(types: tuple[str, ...] | None) -> Any:
    from masking.detection import Detector

    return Detector(types)


def _lettered(tokens: pa.Array) -> pa.Array:
    """A token of digits alone could pass for a card's number: its first character becomes a letter."""
    digits = pc.match_substring_regex(tokens, "^[0-9]+$")
    return pc.if_else(digits, pc.binary_join_element_wise("f", pc.utf8_slice_codeunits(tokens, 1), ""), tokens)
