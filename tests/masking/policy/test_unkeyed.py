"""No hash without a key: what the policy says to those who ask for one, and the attack that it prevents."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from cryptography.hazmat.primitives import hashes

import masking
from masking.errors import PolicyError, UnkeyedToken
from masking.policy import AttributeRule, MaskingPolicy, check, load
from masking.policy.unkeyed import is_hash
from masking.taxonomy import Role

HEAD = "version: 1\ndataset: x\nattributes:\n"
ASKED = (
    *(
        "hash",
        "md5",
        "sha1",
        "sha256",
        "SHA-256",
        "sha3-256",
        "sha512",
        "sm3",
        "hmac",
        "hmac-sha256",
        "blake2b",
        "crc32",
    ),
    *("pseudonymization.hash", "pseudonymization.sha256", "cryptographic.sm3", "salted_hash", "哈希"),
)


@pytest.mark.parametrize("technique", ASKED)
def test_a_hash_is_refused_with_the_reason(technique):
    with pytest.raises(UnkeyedToken) as caught:
        load(HEAD + f"  mobile: {{role: direct_identifier, technique: {technique}}}\n")
    assert (caught.value.line, caught.value.column) == (4, 37)
    for words in ("'mobile'", "10^10", "minutes", "pseudonymization.keyed", "key:"):
        assert words in str(caught.value)
    with pytest.raises(UnkeyedToken, match=r"10\^10"):
        check(MaskingPolicy("x", {"mobile": AttributeRule("mobile", Role.DIRECT_IDENTIFIER, technique)}))


def test_below_otherwise_too():
    with pytest.raises(UnkeyedToken, match="'m'"):
        load(
            HEAD + "  m: {role: direct_identifier, technique: suppression.local, all: true, "
            "when: {column: m, is_null: true}, otherwise: {technique: md5}}\n"
        )


@pytest.mark.parametrize("name", ["pseudonymization.keyed", "keep", "suppression.mask", "hashtag", "shade"])
def test_other_names_are_no_hashes(name):
    assert not is_hash(name)
    if "." not in name and name != "keep":
        with pytest.raises(PolicyError, match="there is no technique"):
            load(HEAD + f"  m: {{role: sensitive, technique: {name}}}\n")


VICTIM = "13800134821"
CANDIDATES = [f"138001{n:05d}" for n in range(100_000)]
"""All numbers of a victim of whom the first six digits are known: 138, and a region's exchange."""


def sm3(text):
    digest = hashes.Hash(hashes.SM3())
    digest.update(text.encode())
    return digest.finalize().hex()


@pytest.mark.parametrize(
    "unkeyed", [lambda text: hashlib.sha256(text.encode()).hexdigest(), sm3], ids=["sha256", "sm3"]
)
def test_an_unkeyed_hash_of_a_mobile_is_undone_by_trying_all(unkeyed):
    published = unkeyed(VICTIM)
    found = [number for number in CANDIDATES if unkeyed(number) == published]
    assert found == [VICTIM]


@pytest.mark.parametrize("algorithm", ["aes-cmac", "hmac-sm3"])
def test_the_same_attack_on_a_keyed_token(algorithm):
    policy = HEAD + (
        f"  mobile: {{role: direct_identifier, technique: pseudonymization.keyed, algorithm: {algorithm}, key: k}}\n"
    )

    def tokens(numbers, key):
        return masking.apply(policy, pa.table({"mobile": numbers}), {"k": key}).table["mobile"]

    secret, guess = bytes(range(32)), bytes(32)
    (published,) = tokens([VICTIM], secret).to_pylist()
    tried = [*CANDIDATES[::10], VICTIM]
    unkeyed = {hashlib.sha256(number.encode()).hexdigest()[: len(published)] for number in tried}
    unkeyed |= {sm3(number)[: len(published)] for number in tried}
    assert published not in unkeyed
    assert not pc.any(pc.equal(tokens(tried, guess), published)).as_py()
    with_key = np.flatnonzero(pc.equal(tokens(tried, secret), published).to_numpy())  # positive control
    assert [tried[place] for place in with_key] == [VICTIM]
