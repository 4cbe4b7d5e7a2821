"""Pseudonyms of Chinese mobile numbers (手机号), by the prefixes of MIIT's numbering table of 2023-03."""

import re
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from masking.detection.checks import MOBILE
from masking.techniques.base import Example, technique
from masking.techniques.fixed_width import Bytes
from masking.techniques.identifiers.base import Fields, FixedIdentifier, Permutation, in_groups
from masking.techniques.identifiers.digits import Flags, all_digits, read, write

PREFIXES: Final = tuple(prefix for prefix in range(130, 200) if re.fullmatch(MOBILE, f"{prefix}00000000"))
REST: Final = 10**8
_OF_NETWORK: Final[dict[str, tuple[int, ...]]] = {
    "china_mobile": (
        *(*range(134, 140), 147, 148, *range(150, 153), *range(157, 160)),
        *(172, 178, 182, 183, 184, 187, 188, 195, 197, 198),
    ),
    "china_unicom": (*range(130, 133), 145, 146, 155, 156, 166, 175, 176, 185, 186, 196),
    "china_telecom": (133, 149, 153, 173, 174, 177, 180, 181, 189, 190, 191, 193, 199),
    "china_broadnet": (192,),
    "resale": (162, 165, 167, 170, 171),
}
NETWORKS: Final = tuple(_OF_NETWORK)
"""Whom the prefix was given to; resale: 移动通信转售. A number may have been carried to another network since."""


@technique("pseudonymization.mobile")
@dataclass(frozen=True)
class Mobile(FixedIdentifier):
    """
    Replace each mobile number by another of 11 digits, one to one under the key, that begins with 2.

    Column: text or integers; null stays null. A value is in the format if it is valid: 11 digits under a mobile prefix,
    without country code or separators. For others ``on_invalid`` says whether the run stops (reject), the value becomes
    a keyed token (token) or null (null). It never passes in clear.
    Unit: ``keep`` names parts that stay legible: prefix (three digits; the first is written 2) or network (the operator
    that the prefix was given to). They count as quasi-identifiers. ``valid_looking``: the number begins with 1; for
    test data only: two of five such numbers are in service.
    Loss: everything but equality and the kept parts. Tables join where their rules have the same key and ``keep``.
    The holder of the key can undo it (``decrypt``), so the result is de-identified, never anonymized.
    Source: MIIT numbering table 2023-03; NIST SP 800-38G, FF1; ISO/IEC 20889:2018, pseudonymization.

    Raises:
        InvalidParameter: ``keep`` names another part.
        InvalidValue: ``on_invalid`` is reject and values are not valid.

    """

    choices: ClassVar[tuple[str, ...]] = ("prefix", "network")
    valid: ClassVar[str] = "mobile number (11 digits under a mobile prefix)"
    lengths: ClassVar[tuple[int, ...]] = (11,)
    spec: ClassVar[tuple[Example, ...]] = (
        Example({}, ("13800138000", None), ("23913204303", None), "no Chinese mobile begins with 2; null stays null"),
        Example(
            {"keep": ["prefix"]},
            (13800138000, 13900139000),
            ("23883287369", "23915780427"),
            "integers; 138 is written 238",
        ),
        Example({"keep": ["network"]}, ("13800138000",), ("23836424499",), "another prefix of the same operator"),
        Example({"on_invalid": "null"}, ("12345678901", "+8613800138000"), (None, None), "not valid"),
        Example({"valid_looking": True}, ("13800138000",), ("13913204303",), "for test data"),
    )

    def _smallest_stratum(self) -> tuple[int, str]:
        if "prefix" in self.keep:
            return REST, "one prefix"
        if "network" in self.keep:
            return min(map(len, _OF_NETWORK.values())) * REST, "the network with the fewest prefixes"
        return len(PREFIXES) * REST, "all mobiles"

    def _read(self, matrix: Bytes, *, marked: bool) -> tuple[Fields, Flags]:
        written = read(matrix, 0, 3) - np.uint64(100 * marked)
        prefix = _PREFIX_OF.take(written.view(np.int64), mode="clip")
        fit = all_digits(matrix, 0, 11) & (prefix != _NONE) & (matrix[:, 0] == ord("2" if marked else "1"))
        return {"prefix": prefix.astype(np.uint64), "rest": read(matrix, 3, 8)}, fit

    def _permute(self, fields: Fields, permutation: Permutation, length: int) -> None:
        del length
        if "prefix" in self.keep:
            permutation(fields, {"rest": REST}, {"prefix": len(PREFIXES)})
        elif "network" in self.keep:
            prefix = fields.pop("prefix").view(np.int64)
            fields["network"], fields["place"] = _NETWORK.take(prefix), _PLACE.take(prefix)
            sizes = [{"place": len(prefixes), "rest": REST} for prefixes in _OF_NETWORK.values()]
            in_groups(fields, fields["network"], permutation, sizes, {"network": len(NETWORKS)})
            network, place = fields.pop("network").view(np.int64), fields.pop("place").view(np.int64)
            fields["prefix"] = _PREFIX_IN[network, place]
        else:
            permutation(fields, {"prefix": len(PREFIXES), "rest": REST}, {})

    def _write(self, fields: Fields, matrix: Bytes, *, marked: bool) -> None:
        written = _WRITTEN.take(fields["prefix"].view(np.int64)) + np.uint64(100 * marked)
        write(matrix, 0, 3, written)
        write(matrix, 3, 8, fields["rest"])

    def _part(self, part: str, values: pa.Array) -> pa.Array:
        prefixes = pc.utf8_slice_codeunits(values, 0, 3)
        if part == "prefix":
            return prefixes
        networks = pa.array([network for network, written in _OF_NETWORK.items() for _ in written])
        known = pa.array([str(prefix) for written in _OF_NETWORK.values() for prefix in written], prefixes.type)
        return networks.take(pc.index_in(prefixes, value_set=known))


_NONE: Final = 255
_WRITTEN: Final = np.array(PREFIXES, dtype=np.uint64)
_PREFIX_OF: Final = np.full(1000, _NONE, dtype=np.uint8)
_PREFIX_OF[_WRITTEN] = np.arange(len(PREFIXES))
_NETWORK: Final = np.array(
    [next(i for i, network in enumerate(NETWORKS) if prefix in _OF_NETWORK[network]) for prefix in PREFIXES],
    dtype=np.uint64,
)
_PLACE: Final = np.array(
    [_OF_NETWORK[NETWORKS[network]].index(prefix) for prefix, network in zip(PREFIXES, _NETWORK, strict=True)],
    dtype=np.uint64,
)
_PREFIX_IN: Final = np.zeros((len(NETWORKS), len(PREFIXES)), dtype=np.uint64)
_PREFIX_IN[_NETWORK, _PLACE] = np.arange(len(PREFIXES))
