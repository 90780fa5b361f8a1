"""Money is whole nano-dollars: one US dollar is 1,000,000,000 of them."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

NANO_PER_USD = 1_000_000_000


def to_nano(usd: Decimal | float | str | int) -> int:
    """US dollars in whole nano-dollars, exact for decimals and for floats as they are written."""
    return int((Decimal(str(usd)) * NANO_PER_USD).to_integral_value(ROUND_HALF_EVEN))


def to_usd(nano: int) -> float:
    """Nano-dollars as a JSON number of US dollars."""
    return nano / NANO_PER_USD


def decimal_usd(nano: int) -> str:
    """Nano-dollars as a plain decimal, without exponent or trailing zeros: `0.00125`."""
    usd, rest = divmod(abs(nano), NANO_PER_USD)
    return f"{'-' if nano < 0 else ''}{usd}.{f'{rest:09d}'.rstrip('0') or '0'}"


def show_usd(nano: int | None) -> str:
    """What a person reads: `$1.25`, `$0.0031`, `< $0.0001`, or `unknown`."""
    if nano is None:
        return "unknown"
    if nano == 0:
        return "$0.00"
    usd = Decimal(nano) / NANO_PER_USD
    if abs(usd) >= Decimal("0.1"):
        return f"${usd:,.2f}"
    return f"${usd:.4f}" if abs(usd) >= Decimal("0.0001") else "< $0.0001"
