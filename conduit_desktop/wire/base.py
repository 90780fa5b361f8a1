"""Base classes that dialects share: the defaults of a dialect, and the record of what a writer drops."""

from __future__ import annotations

from conduit_desktop.core.chat import Json


class BaseDialect:
    """Defaults for a dialect whose streams always report usage, and whose body names the model in `model`."""

    def passthrough_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """A copy of `body` for `model`."""
        return {**body, "model": model}

    def asks_for_usage(self, body: dict[str, Json]) -> bool:
        """True: every stream reports usage."""
        return True

    def is_usage_only(self, data: bytes) -> bool:
        """False: frames with usage hold something else as well."""
        return False


class DroppingWriter:
    """A writer that records what its dialect cannot express.

    `own`: what it writes was read from the same dialect, and is written exactly as it was.
    """

    def __init__(self, own: bool) -> None:
        self.own = own
        self.dropped: dict[str, None] = {}
        """Names of what was dropped, in order and without repetition."""

    def drop(self, *names: str) -> None:
        """Record dropped fields or parts."""
        self.dropped.update(dict.fromkeys(names))

    def with_extra(self, fields: dict[str, Json], extra: dict[str, Json], path: str) -> dict[str, Json]:
        """`fields` with those that only the caller's dialect has; from another dialect they are dropped as `path.name`."""
        if self.own:
            return {**fields, **extra}
        self.drop(*(f"{path}.{name}" for name, value in extra.items() if value is not None))
        return fields
