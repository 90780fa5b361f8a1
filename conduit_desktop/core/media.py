"""Units by which providers bill media requests (images, audio) that have no token counts."""

from __future__ import annotations

from dataclasses import dataclass

UNIT_RATES = ("per_image", "per_minute", "per_1k_chars", "per_search", "per_request")
"""The rates of a price by unit, in US dollars: fields of `core.entities.Price`."""


@dataclass(frozen=True, slots=True)
class Units:
    """Images generated, seconds of audio, characters turned into speech, searches (also a reranker's search units).

    `seconds` None: audio of unknown length. `image_size` (`1024x1024`) and `image_quality` (`high`) are as requested or reported;
    empty where neither says.
    """

    images: int = 0
    seconds: float | None = 0.0
    characters: int = 0
    searches: int = 0
    image_size: str = ""
    image_quality: str = ""

    @property
    def known(self) -> bool:
        """Whether there is at least one unit that can be priced."""
        return self.seconds is not None and bool(self.images or self.seconds or self.characters or self.searches)
