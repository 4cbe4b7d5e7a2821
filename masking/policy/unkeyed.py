"""Names people give to unkeyed hashes, and why none is a technique here.

A hash without a key hides nothing that can be counted through. A Chinese mobile number has about 10^10 values; all of
them are hashed in minutes, and whoever knows the prefix or sees a masked form has 10^4 to try. A fixed salt that
travels with the table changes nothing. Source: PRIVACY.md 9 to 12; NIST SP 800-188, 4.2 (hashing of identifiers).
"""

from __future__ import annotations

import re
from typing import Final

from masking.errors import UnkeyedToken

_HASH: Final = re.compile(
    r"(?:.*[._-])?(?:hash(?:ed|ing)?|digest|hmac|md[245]|sha[-_]?(?:[0-9]{1,3}(?:[-_]?[0-9]{3})?)?|sm3|blake[23][bs]?|crc(?:32)?"
    r"|ripemd(?:[-_]?160)?|salted[-_]?hash|哈希|散列|摘要)(?:[-_.](?:hash|digest|[0-9]+|sha[0-9]+|md5|sm3))*",
    re.IGNORECASE,
)


def is_hash(technique: str) -> bool:
    """True if the name is that of a hash.

    >>> is_hash("sha256"), is_hash("pseudonymization.hash"), is_hash("pseudonymization.keyed")
    (True, True, False)
    """
    return _HASH.fullmatch(technique) is not None


def refusal(technique: str, attribute: str) -> UnkeyedToken:
    """Why there is no such technique, and which one to use."""
    keyed = "algorithm: hmac-sm3, " if re.search("hmac|sm3", technique, re.IGNORECASE) else ""
    return UnkeyedToken(
        f"attribute {attribute!r}: there is no technique {technique!r}: a hash without a key of its own is undone by "
        "trying all values (a mobile number has about 10^10, all are tried in minutes; a salt that travels along "
        f"changes nothing); use `technique: pseudonymization.keyed, {keyed}key: <name of a key>`"
    )
