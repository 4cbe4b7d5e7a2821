"""
Cryptographic family: what the holder of the key can undo, and nobody else.

Source: ISO/IEC 20889:2018, cryptographic tools. Whoever holds the key gets the values back, so all that comes out is
de-identified, never anonymized.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from masking.errors import InvalidParameter, InvalidValue, UnsupportedColumn
from masking.keys import derive
from masking.techniques.base import Context, Example, Technique, record_field, secret_field, technique
from masking.techniques.draws import draws
from masking.techniques.ff1 import ALPHABET, FF1
from masking.techniques.fixed_width import as_string, as_text, distinct
from masking.techniques.pseudonymization import ColumnCMAC
from masking.techniques.spelling import Encoding, read, spelled

_ENVELOPE = b"\x01"  # version 1: a nonce of 12 bytes, the ciphertext, a tag of 16 bytes
_NONCE_BYTES = 12


class Reversible(Technique):
    """A technique whose output the holder of the key turns back with ``decrypt``."""

    @abstractmethod
    def opened(self, text: pa.Array) -> pa.Array:
        """Return what was masked, as text; null where ``text`` is null or was not made by this rule and key."""


def decrypt(rule: Technique, column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """
    Return the text of every value that ``rule`` masked: for the holder of the key, who builds it as the policy does.

    Column: what the rule gave; null stays null. Numbers and dates come back as the text they were encrypted as.

    Raises:
        InvalidParameter: the rule's technique has no way back.
        InvalidValue: values that this rule and key did not make; their positions are given, the values are not.

    """
    if not isinstance(rule, Reversible):
        raise InvalidParameter(f"{rule.name} has no way back")
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    text = as_string(column)
    opened = rule.opened(text)
    strange = pc.indices_nonzero(pc.and_(pc.is_valid(text), pc.is_null(opened))).to_pylist()
    if strange:
        raise InvalidValue(f"not made by {rule.name} under this key", count=len(strange), first_rows=strange[:5])
    return opened


@technique("cryptographic.ff1")
@dataclass(frozen=True)
class FF1Encryption(Reversible):
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

    SM4 has no fast instructions: a column costs about seventy times more, so each distinct value is encrypted once.

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

    def opened(self, text: pa.Array) -> pa.Array:
        """Return the values; what ``on_invalid`` replaced by a token is told apart by the mark only."""
        if self.on_invalid == "token" and not self.mark:
            raise InvalidParameter("without a mark, tokens and surrogates look alike", parameter="mark")
        if self.mark:
            marked = pc.starts_with(text, self.mark)
            text = pc.if_else(marked, pc.utf8_slice_codeunits(text, len(self.mark)), pa.scalar(None, text.type))
        return FF1(self.secret, self.radix, self.cipher).convert(text, forward=False)[0]

    def _nulls_kept(self, given: pa.Array, masked: pa.Array) -> bool:
        return (
            masked.null_count >= given.null_count if self.on_invalid == "null" else super()._nulls_kept(given, masked)
        )


@technique("cryptographic.aes_siv")
@dataclass(frozen=True)
class AESSIVEncryption(Reversible):
    """
    Encrypt each value so that equal values stay equal and the holder of the key reads them with ``decrypt``.

    Column: text of any length, numbers or dates; null stays null. Two columns join exactly when their rules name the
    same key.
    Unit: ``encoding`` spells the 16 bytes more than the value has: base32 (A-Z2-7) or hex (0-9a-f).
    Loss: everything but equality and length in bytes. The holder of the key can undo it, so the result is
    de-identified, never anonymized.
    Source: AES-SIV, RFC 5297; ISO/IEC 20889:2018, cryptographic tools: deterministic encryption.

    Raises:
        UnsupportedColumn: the column is nested or binary.

    """

    encoding: Encoding = "base32"
    secret: bytes = secret_field()

    needs_key: ClassVar[bool] = True
    releases: ClassVar[str] = "token"
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {},
            ("张三", "李四", None, "张三"),
            (
                "YZH6U5PMPK5HNXGLOG7NNIUGIOAZMB2NW24Q",
                "LVA3U2XOWPQSEGWVN3VAIWELMUTDRXYWTXMA",
                None,
                "YZH6U5PMPK5HNXGLOG7NNIUGIOAZMB2NW24Q",
            ),
            "equal values stay equal; null stays null",
        ),
        Example(
            {"encoding": "hex"},
            ("13800000000",),
            ("ff7e0a79e0806cff1630ac30c4684aa10297d7dbc99ef49cf0be9d",),
            "spelled in hex: 32 characters more than twice the value's bytes",
        ),
    )

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text, whatever came in."""
        return _text_from(given, self.name)

    def opened(self, text: pa.Array) -> pa.Array:
        """Return the values."""
        cipher = self._cipher()
        values, places = distinct(read(text, self.encoding))
        return _texts(_unless_forged(cipher.decrypt, value, None) for value in values.to_pylist()).take(places)

    def _apply(self, column: pa.Array) -> pa.Array:
        cipher = self._cipher()
        values, places = distinct(as_string(column))
        encrypted = [cipher.encrypt(value.encode(), None) for value in values.to_pylist()]
        return spelled(pa.array(encrypted, pa.large_binary()), self.encoding).take(places)

    def _cipher(self) -> AESSIV:
        return AESSIV(derive(self.secret, domain=self.name, technique="aes-siv", length=32))


@technique("cryptographic.aes_gcm")
@dataclass(frozen=True)
class AESGCMEnvelope(Reversible):
    """
    Seal each value in an envelope that only the holder of the key opens, with ``decrypt``; equal values look different.

    Column: text of any length, numbers or dates; null stays null. The nonce is drawn once for each record under a key
    of this attribute: the same value of the same record has the same envelope in every edition, so editions laid side
    by side tell nothing new. A value that was corrected gets another nonce, for one nonce must never seal two values;
    a key is for at most 2^32 of them.
    Unit: ``pad`` in bytes, 1 to 4096: lengths show in steps of it, because 有 and 没有 are told apart by their lengths.
    ``encoding``: base32 (A-Z2-7) or hex (0-9a-f).
    Loss: everything but the length in steps of ``pad``. The holder of the key can undo it, so the result is
    de-identified, never anonymized.
    Source: AES-GCM, NIST SP 800-38D; padding of ISO/IEC 7816-4; ISO/IEC 20889:2018, cryptographic tools.

    Raises:
        InvalidParameter: ``pad`` is not as above.
        UnsupportedColumn: the column is nested or binary.

    """

    encoding: Encoding = "base32"
    pad: int = 16
    secret: bytes = secret_field()
    record: tuple[str, ...] = record_field()

    needs_key: ClassVar[bool] = True
    randomized: ClassVar[bool] = True
    releases: ClassVar[str] = "token"
    spec: ClassVar[tuple[Example, ...]] = (
        Example(
            {},
            ("有", "没有", None, "有"),
            (
                "AEISU7QQOGNE3IVBFHDW3AR5D7LDCYQXSUEY3IJZZRQTSZL7P52ZEF26HJ53LKZUHB6PT45M",
                "AHC3M5GDOMK3IRNENXPZJASVOVGMU3TMAMEXNKNCMCEWRPPQMVAEKUADTEJV274XMIUYTIU4",
                None,
                "AGIKRKFTDIRIBF3YORXIAKD3JB6BUK2KFPYG7WN6LFVFCVJF4BRY5ROXKTAT3PAC4NB7S7C6",
            ),
            "equal values of different records look different, long and short ones alike; null stays null",
        ),
        Example(
            {"encoding": "hex", "pad": 1},
            ("A+",),
            ("0112c6b10a358d6852a333deae6dd19927dc19319eba14bc90df18c50dd08426",),
            "without padding the length of the value shows",
        ),
    )

    def __post_init__(self) -> None:
        if not 1 <= self.pad <= 4096:
            raise InvalidParameter("pad must be 1 to 4096", parameter="pad")

    def context(self) -> tuple[str, ...]:
        """The record columns."""
        return self.record

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text, whatever came in."""
        return _text_from(given, self.name)

    def opened(self, text: pa.Array) -> pa.Array:
        """Return the values."""
        cipher = AESGCM(self._key("aes-gcm"))
        return _texts(self._opened_one(cipher, envelope) for envelope in read(text, self.encoding).to_pylist())

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        text = as_text(column)
        cipher = AESGCM(self._key("aes-gcm"))
        drawn = draws(self._key("nonce"), [*(context[name] for name in self.record), text]).tobytes()
        nonces = (drawn[place : place + _NONCE_BYTES] for place in range(0, len(drawn), 16))
        # Every record has an envelope of its own, so this is one call a record: GCM seals one message at a time.
        envelopes = [
            None if value is None else self._sealed(cipher, nonce, value)
            for value, nonce in zip(text.to_pylist(), nonces, strict=True)
        ]
        return spelled(pa.array(envelopes, pa.large_binary()), self.encoding), 0

    def _sealed(self, cipher: AESGCM, nonce: bytes, value: str) -> bytes:
        padded = value.encode() + b"\x80"
        padded += bytes(-len(padded) % self.pad)
        return _ENVELOPE + nonce + cipher.encrypt(nonce, padded, _ENVELOPE)

    def _opened_one(self, cipher: AESGCM, envelope: bytes | None) -> bytes | None:
        if envelope is None or not envelope.startswith(_ENVELOPE):
            return None
        nonce, sealed = envelope[1 : 1 + _NONCE_BYTES], envelope[1 + _NONCE_BYTES :]
        padded = _unless_forged(cipher.decrypt, nonce, sealed, _ENVELOPE)
        return None if padded is None else padded[: padded.rindex(b"\x80")]

    def _key(self, use: str) -> bytes:
        return derive(self.secret, domain=self.name, technique=use)


def _texts(values: Iterable[bytes | None]) -> pa.Array:
    return pa.array([None if value is None else value.decode() for value in values], pa.string())


def _unless_forged(open_: Callable[..., bytes], *arguments: bytes | None) -> bytes | None:
    """Return what was sealed, or None for what is null, too short or not sealed under this key."""
    try:
        return open_(*arguments)
    except (InvalidTag, ValueError):
        return None


def _text_from(given: pa.DataType, name: str) -> pa.DataType:
    if pa.types.is_nested(given) or pa.types.is_binary(given) or pa.types.is_large_binary(given):
        raise UnsupportedColumn(f"{name} works on text, numbers or dates, not on {given}")
    return pa.string()


def _text_or_integer(given: pa.DataType, name: str) -> None:
    text = pa.types.is_string(given) or pa.types.is_large_string(given) or pa.types.is_string_view(given)
    if not (text or pa.types.is_integer(given) or pa.types.is_null(given)):
        raise UnsupportedColumn(f"{name} works on text or integers, not on {given}")
