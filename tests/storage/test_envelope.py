"""The envelope: vectors, every size around a chunk, every kind of tampering."""

import io
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from opendata.errors import TamperedError
from opendata.storage.envelope import EnvelopeReader, EnvelopeWriter

KEY = bytes(range(32))
CHUNK = 16
VECTORS = json.loads(Path(__file__).with_name("envelope_vectors.json").read_text())


def sealed(clear, *, chunk=CHUNK, attributes=None, randomness=None):
    sink = io.BytesIO()
    extra = {"randomness": randomness} if randomness else {}
    with EnvelopeWriter(sink, KEY, attributes or {"kind": "test"}, chunk_bytes=chunk, **extra) as writer:
        for start in range(0, len(clear), 7):
            writer.write(clear[start : start + 7])
    return sink.getvalue()


def opened(data, key=KEY, kind="test"):
    with EnvelopeReader(io.BytesIO(data), lambda header: key, kind=kind) as reader:
        return reader.read()


def body_start(data):
    return 5 + int.from_bytes(data[1:5], "big")


def chunks(data):
    body = data[body_start(data) :]
    return [body[start : start + CHUNK + 16] for start in range(0, len(body), CHUNK + 16)]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1, 1000])
def test_any_size_comes_back(size):
    clear = bytes(number % 251 for number in range(size))
    assert opened(sealed(clear)) == clear


@settings(max_examples=60, deadline=None)
@given(clear=st.binary(max_size=200), chunk=st.integers(1, 64))
def test_any_content_and_chunk_size_come_back(clear, chunk):
    assert opened(sealed(clear, chunk=chunk)) == clear


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_vectors(vector):
    pieces = iter([bytes.fromhex(vector["salt"]), bytes.fromhex(vector["prefix"])])
    clear = bytes.fromhex(vector["clear"])
    data = sealed(clear, chunk=vector["chunk"], randomness=lambda count: next(pieces))
    assert data.hex() == vector["sealed"]
    assert opened(bytes.fromhex(vector["sealed"])) == clear


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_vectors_follow_the_written_construction(vector):
    """The layout of the docstring, done by hand."""
    data, chunk = bytes.fromhex(vector["sealed"]), vector["chunk"]
    start = body_start(data)
    header = json.loads(data[5:start])
    file_key = HKDF(hashes.SHA256(), 32, bytes.fromhex(header["salt"]), b"opendata envelope v1").derive(KEY)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data[:start])
    associated, clear, body, number = digest.finalize(), b"", data[start:], 0
    while body:
        piece, body = body[: chunk + 16], body[chunk + 16 :]
        nonce = bytes.fromhex(header["prefix"]) + number.to_bytes(4, "big") + bytes([not body])
        clear += AESGCM(file_key).decrypt(nonce, piece, associated)
        number += 1
    assert data[0] == 1
    assert clear.hex() == vector["clear"]


def test_every_flipped_bit_is_found():
    data = sealed(b"sixteen bytes....and a second chunk")
    for position in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[position] ^= 1 << bit
            with pytest.raises(TamperedError):
                opened(bytes(changed))


def test_every_truncation_is_found():
    data = sealed(b"x" * (3 * CHUNK))
    for length in range(len(data)):
        with pytest.raises(TamperedError):
            opened(data[:length])


def test_reordered_repeated_dropped_and_appended_chunks_are_found():
    data = sealed(b"a" * CHUNK + b"b" * CHUNK + b"c" * CHUNK)
    head, (one, two, three) = data[: body_start(data)], chunks(data)
    for body in [
        two + one + three,
        one + one + two + three,
        one + three,
        two + three,
        one + two,
        one + two + three + three,
        one + two + three + b"x",
        b"",
    ]:
        with pytest.raises(TamperedError):
            opened(head + body)


def test_chunks_of_another_file_under_the_same_key_are_found():
    one, other = sealed(b"a" * 2 * CHUNK), sealed(b"b" * 2 * CHUNK)
    with pytest.raises(TamperedError):
        opened(one[: body_start(one)] + chunks(other)[0] + chunks(one)[1])


def test_another_key_and_another_kind_are_refused():
    data = sealed(b"x")
    with pytest.raises(TamperedError):
        opened(data, key=bytes(32))
    with pytest.raises(TamperedError):
        opened(data, kind="other")


def test_an_aborted_or_forgotten_writer_leaves_nothing_readable():
    sink = io.BytesIO()
    writer = EnvelopeWriter(sink, KEY, {"kind": "test"}, chunk_bytes=CHUNK)
    writer.write(b"x" * 50)
    writer.abort()
    with pytest.raises(TamperedError):
        opened(sink.getvalue())


@pytest.mark.parametrize(
    "header", [b"[]", b"{}", b"x", b'{"kind":"test"}', b'{"kind":"test","salt":"00","prefix":"00","chunk":1}']
)
def test_malformed_headers_are_refused(header):
    with pytest.raises(TamperedError):
        opened(b"\x01" + len(header).to_bytes(4, "big") + header)
    with pytest.raises(TamperedError):
        opened(b"\x02")
    with pytest.raises(TamperedError):
        opened(b"\x01\xff\xff\xff\xff")
