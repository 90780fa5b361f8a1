"""What dialects have in common; each names, as a table, the functions and classes it reads and writes with."""

from __future__ import annotations

from conduit_desktop.core.chat import Json


class BaseDialect:
    """Usage is in every stream unasked, and in the native lane only the model is another."""

    def passthrough_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """`body` for `model`."""
        return {**body, "model": model}

    def asks_for_usage(self, body: dict[str, Json]) -> bool:
        """Always: there is no stream without usage."""
        return True

    def is_usage_only(self, data: bytes) -> bool:
        """Never: usage is part of frames that say more."""
        return False
