"""Networks: IP addresses to the prefix they lie in."""

import ipaddress
from dataclasses import dataclass
from typing import ClassVar

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from masking.errors import InvalidParameter, UnsupportedColumn
from masking.techniques.base import Context, Example, Technique, technique
from masking.techniques.generalization.formats import OnInvalid, is_text, replaced

_OCTET = r"([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])"
_V4 = rf"^{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}$"


@technique("generalization.ip")
@dataclass(frozen=True)
class IP(Technique):
    """
    Replace each IP address by the network of its first bits: ``192.0.2.0/24``, ``2001:db8::/48``.

    Column: text, IPv4 with four decimal numbers or IPv6; null stays null. Output: text.
    Unit: ``v4`` and ``v6`` in bits, in [0, 31] and [0, 127]. 24 and 48 are what one site mostly has; a household has
    an own /56 or /64, so longer IPv6 prefixes can be one person's.
    ``on_invalid``: what becomes of a value that is no address: the run stops (reject) or it becomes ``*`` and is
    counted (suppress).
    Loss: the host inside the network.
    Source: ISO/IEC 20889:2018, generalization; RFC 4632 and RFC 4291 (prefixes), RFC 5952 (spelling).

    Raises:
        InvalidParameter: a prefix is outside its interval.
        UnsupportedColumn: the column is not text.
        InvalidValue: ``on_invalid`` is reject and there are such values.

    """

    v4: int = 24
    v6: int = 48
    on_invalid: OnInvalid = "reject"

    spec: ClassVar[tuple[Example, ...]] = (
        Example({}, ("192.0.2.77", "2001:db8::1", None), ("192.0.2.0/24", "2001:db8::/48", None), "both versions"),
        Example(
            {"v4": 20, "v6": 32}, ("10.1.77.9", "2001:DB8:9::1"), ("10.1.64.0/20", "2001:db8::/32"), "own prefixes"
        ),
        Example({"on_invalid": "suppress"}, ("10.1.77", "10.1.77.256", "::g"), ("*", "*", "*"), "no addresses"),
    )

    def __post_init__(self) -> None:
        for name, bits in (("v4", 32), ("v6", 128)):
            if not 0 <= getattr(self, name) < bits:
                raise InvalidParameter(f"{name} must be in [0, {bits - 1}]", parameter=name)

    def output_type(self, given: pa.DataType) -> pa.DataType:
        """Text."""
        if not (is_text(given) or pa.types.is_null(given)):
            raise UnsupportedColumn(f"{self.name} works on text, not on {given}")
        return pa.string()

    def _masked(self, column: pa.Array, context: Context) -> tuple[pa.Array, int]:
        del context
        masked = self._networks_v4(column)
        if pc.any(pc.match_substring(column.cast(pa.string()), ":")).as_py():
            masked = pc.coalesce(masked, self._networks_v6(column))
        return replaced(column, masked, self.on_invalid, "not an IP address")

    def _networks_v4(self, column: pa.Array) -> pa.Array:
        """All at once; null for what is no IPv4 address."""
        found = pl.Series("ip", column.cast(pa.large_string()), dtype=pl.String).str.extract_groups(_V4)
        octets = []
        for place in range(4):
            mask = 0xFF00 >> min(8, max(0, self.v4 - 8 * place)) & 0xFF
            octets.append((found.struct.field(str(place + 1)).cast(pl.UInt16) & mask).cast(pl.String))
        spelled = pl.select(pl.concat_str(octets, separator=".") + f"/{self.v4}").to_series()
        return spelled.to_arrow().cast(pa.string())

    def _networks_v6(self, column: pa.Array) -> pa.Array:
        """Each distinct one once; null for what is no IPv6 address."""
        encoded = column.cast(pa.string()).dictionary_encode()
        networks = pa.array([self._network_v6(value) for value in encoded.dictionary.to_pylist()], pa.string())
        return networks.take(encoded.indices)

    def _network_v6(self, value: str) -> str | None:
        if ":" not in value:
            return None
        try:
            address = int(ipaddress.IPv6Address(value))
        except ValueError:
            return None
        hidden = 128 - self.v6
        return f"{ipaddress.IPv6Address(address >> hidden << hidden)}/{self.v6}"
