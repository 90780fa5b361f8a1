"""Makes `resources/prices.json`: `python -m tools.prices --table FILE`.

Two sources: the package genai-prices, and the table of models in the wheel of litellm, of which only the facts are read. Where
both lack a price or state it wrongly, `hand.toml` has it with its source; where they disagree by more than 1 %,
`decisions.toml` says which of them is right and why. The gateway reads the file made of them and neither of the packages, one of
which would cost it a hundred megabytes.
"""

from __future__ import annotations

from tools.prices.package import RATES, UNITS

__all__ = ["RATES", "UNITS"]
