"""What is asked for beside chat, and the units it is paid in where tokens do not count it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Units:
    """Pictures made, seconds heard, characters spoken. `seconds` None: there were some, and nobody said how many."""

    images: int = 0
    seconds: float | None = 0.0
    characters: int = 0

    @property
    def known(self) -> bool:
        """Whether there is something here that can be priced."""
        return self.seconds is not None and bool(self.images or self.seconds or self.characters)
