"""Conversions of money, which is kept as whole nano-dollars (10^-9 US dollars)."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

# A token at $0.05 a million is 50 of these: whole numbers are exact enough for one token of a cheap model.
NANO_PER_USD = 1_000_000_000


def to_nano(usd: Decimal | float | str | int) -> int:
    """US dollars as whole nano-dollars, rounded half to even; a float is taken as its shortest decimal text (0.1 is exact)."""
    return int((Decimal(str(usd)) * NANO_PER_USD).to_integral_value(ROUND_HALF_EVEN))


def to_usd(nano: int) -> float:
    """Nano-dollars as a JSON number of US dollars."""
    return nano / NANO_PER_USD


def decimal_usd(nano: int) -> str:
    """Nano-dollars as a plain decimal, without exponent or trailing zeros: `0.00125`."""
    # Of the absolute value, because divmod rounds a negative amount towards minus infinity.
    usd, fraction = divmod(abs(nano), NANO_PER_USD)
    return f"{'-' if nano < 0 else ''}{usd}.{f'{fraction:09d}'.rstrip('0') or '0'}"


def show_usd(nano: int | None) -> str:
    """Nano-dollars for display: `$1.25`, `$0.0031`, `< $0.0001`, or `unknown` for None."""
    if nano is None:
        return "unknown"
    if nano == 0:
        return "$0.00"
    usd = Decimal(nano) / NANO_PER_USD
    if abs(usd) >= Decimal("0.1"):
        return f"${usd:,.2f}"
    # Four digits below ten cents: most calls cost less than a cent.
    return f"${usd:.4f}" if abs(usd) >= Decimal("0.0001") else "< $0.0001"
