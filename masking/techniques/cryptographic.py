"""
Cryptographic family: what the holder of the key can undo, and nobody else.

Source: ISO/IEC 20889:2018, cryptographic tools. Whoever holds the key gets the values back, so all that comes out is
de-identified, never anonymized.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter
from masking.keys import derive
from masking.techniques.base import Context, Example, Technique, secret_field, technique
from masking.techniques.ff1 import ALPHABET, FF1, _byte_length, _first_block, _modulo, _padded_tweak  # noqa: F401
from masking.techniques.ff1 import BlockCipher as _block_cipher  # noqa: F401, N813
from masking.techniques.ff1 import Rounds as _Rounds  # noqa: F401
from masking.techniques.fixed_width import as_string
from masking.techniques.pseudonymization import ColumnCMAC


@technique("cryptographic.ff1")
@dataclass(frozen=True)
class FF1Encryption(Technique):
    """
    Replace each value by another of the same length and alphabet, one to one under the key (FF1).

    Column: text or integers; null stays null. A value outside the alphabet, or so short that fewer than 1,000,000
    values share its length, is not in the format: ``on_invalid`` says whether the run stops (reject), the value becomes
    a keyed token (token) or null (null). It never passes in clear.
    Unit: ``radix`` in [2, 36], alphabet 0-9a-z. ``mark`` is put before every output, so that nobody takes a surrogate
    for a real number; it must hold a character outside the alphabet.
    Loss: everything but length and equality. The owner of the key can undo it, so the result is de-identified, never
    anonymized.
    Source: NIST SP 800-38G, FF1; ISO/IEC 20889:2018, cryptographic tools: format-preserving encryption.

    Raises:
        InvalidParameter: radix, cipher or mark is not as above.
        InvalidValue: ``on_invalid`` is reject and values are outside the format.

    """

    radix: int = 10
    cipher: Literal["aes", "sm4"] = "aes"
    on_invalid: Literal["reject", "token", "null"] = "reject"
    mark: str = ""
    secret: bytes = secret_field()

    needs_key: ClassVar[bool] = True
    releases: ClassVar[str] = "token"
    spec: ClassVar[tuple[Example, ...]] = (
        Example({}, ("13800000000", None), ("86064330754", None), "same length, same alphabet; null stays null"),
        Example({"mark": "#"}, ("13800000000",), ("#86064330754",), "marked as a surrogate"),
        Example({"on_invalid": "null"}, ("12345", "12-45678"), (None, None), "too short or outside the alphabet"),
    )

    def __post_init__(self) -> None:
        FF1(bytes(16), self.radix)
        if self.mark and (len(self.mark) > 8 or all(letter in ALPHABET[: self.radix] for letter in self.mark)):
            raise InvalidParameter("mark must have a character outside the alphabet, at most 8", parameter="mark")

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text, whatever came in."""
        _text_or_integer(given, self.name)
        return pa.string()

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        del context
        text = as_string(column)
        converter = FF1(self.secret, self.radix, self.cipher)
        converted, outside = converter.convert(text)
        if self.on_invalid == "reject":
            converter.refuse(outside)
        if self.mark:
            converted = pc.binary_join_element_wise(pa.scalar(self.mark), converted, "")
        if self.on_invalid == "token" and outside is not None:
            secret = derive(self.secret, domain=self.name, technique="pseudonymization.keyed")
            refused = pc.if_else(pa.array(outside), text, pa.scalar(None, text.type))
            converted = pc.coalesce(converted, ColumnCMAC(secret).tokens(refused))
        return converted, 0 if outside is None else int(outside.sum())

    def _nulls_kept(self, given: pa.Array, masked: pa.Array) -> bool:
        return (
            masked.null_count >= given.null_count if self.on_invalid == "null" else super()._nulls_kept(given, masked)
        )


def _text_or_integer(given: pa.DataType, name: str) -> None:
    from masking.errors import UnsupportedColumn

    text = pa.types.is_string(given) or pa.types.is_large_string(given) or pa.types.is_string_view(given)
    if not (text or pa.types.is_integer(given) or pa.types.is_null(given)):
        raise UnsupportedColumn(f"{name} works on text or integers, not on {given}")
