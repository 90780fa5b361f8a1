"""The environment variables that hold secrets of the gateway itself: nothing that is configured may name them.

A provider with `env:CONDUIT_MASTER_KEY` as its key would send the master key to whatever server is its base URL.
"""

from __future__ import annotations

OWN_SECRETS = frozenset({"CONDUIT_MASTER_KEY", "CONDUIT_VAULT_KEY", "CONDUIT_DATABASE_URL", "CONDUIT_REDIS_URL"})


def is_own_secret(variable: str) -> bool:
    """Whether an environment variable of that name is one of ours; in any case, as on Windows."""
    return variable.upper() in OWN_SECRETS
