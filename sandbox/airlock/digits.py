"""How many digits a released number keeps. Source: PRIVACY.md 16."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal


def significant(value: float, digits: int) -> str:
    """``value`` with at most ``digits`` significant digits, no exponent, ties to even, no trailing zeros.

    >>> [significant(v, 3) for v in (336776, 0.012345, -1.0, 2.5e-7, 0)]
    ['337000', '0.0123', '-1', '0.00000025', '0']
    """
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number:
        return "0"
    rounded = Context(prec=digits, rounding=ROUND_HALF_EVEN).plus(number)
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def has_more_digits(value: float, digits: int) -> bool:
    """Whether `significant` would change ``value``."""
    return Decimal(significant(value, digits)) != (Decimal(repr(value)) if isinstance(value, float) else Decimal(value))
