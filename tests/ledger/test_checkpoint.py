"""Signed notes as C2SP describes them."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from opendata.ledger.checkpoint import Checkpoint, CheckpointError, SigningKey, Verifier

# Example of golang.org/x/mod/sumdb/note (package documentation).
GO_VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_key_ids_equal_those_of_the_go_implementation():
    verifier = Verifier.parse(GO_VERIFIER)
    assert verifier.key_id.hex() == "c74f20a3"
    assert verifier.line() == GO_VERIFIER
    assert isinstance(verifier.public, Ed25519PublicKey)


def test_a_signed_checkpoint_has_the_documented_lines(key):
    note = key.sign(Checkpoint(key.name, 7, bytes(32)))
    lines = note.split("\n")
    assert lines[:4] == [key.name, "7", base64.b64encode(bytes(32)).decode(), ""]
    assert lines[4].startswith(f"\u2014 {key.name} ")
    assert lines[5:] == [""]
    assert key.verifier().verify(note) == Checkpoint(key.name, 7, bytes(32))
    assert Verifier.parse(key.verifier().line() + "\n").verify(note).size == 7


def test_every_flipped_bit_of_a_note_is_found(key):
    note = key.sign(Checkpoint(key.name, 7, b"r" * 32)).encode()
    verifier = key.verifier()
    for position in range(len(note)):
        for bit in range(8):
            changed = bytearray(note)
            changed[position] ^= 1 << bit
            try:
                text = changed.decode()
            except UnicodeDecodeError:
                continue
            with pytest.raises(CheckpointError):
                verifier.verify(text)


def test_a_witness_may_sign_beside_and_alone_is_not_enough(key):
    other = SigningKey("witness.example", Ed25519PrivateKey.from_private_bytes(bytes(32)))
    note = key.sign(Checkpoint(key.name, 7, bytes(32)))
    cosigned = note + f"\u2014 witness.example {base64.b64encode(other.verifier().key_id + bytes(64)).decode()}\n"
    assert key.verifier().verify(cosigned).size == 7
    with pytest.raises(CheckpointError):
        other.verifier().verify(cosigned)


@pytest.mark.parametrize(
    "line",
    ["", "x", "a+b", "a b+00000000+AQ==", "name+00000000+" + base64.b64encode(b"\x01" + bytes(32)).decode(), "n+0+!"],
)
def test_malformed_verifier_lines_are_refused(line):
    with pytest.raises(CheckpointError):
        Verifier.parse(line)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\tb"])
def test_malformed_names_are_refused(name):
    with pytest.raises(CheckpointError):
        SigningKey(name, Ed25519PrivateKey.generate())


def test_a_key_signs_only_its_own_log_and_hides_itself(key):
    with pytest.raises(CheckpointError):
        key.sign(Checkpoint("another", 1, bytes(32)))
    assert repr(key) == "SigningKey('data.example/ledger/1')"
