"""The interface of a secret store; its methods block, so call them in a worker thread."""

from __future__ import annotations

from abc import ABC, abstractmethod


class SecretStore(ABC):
    """Secrets by name: `provider/<id>/<label>`, `header/<id>/<header>`, `master-key`. Every method may raise SecretsUnavailable."""

    backend: str
    """`keyring` or `vault`."""
    note: str = ""
    """Advice for the operator, in a sentence or two; may be empty."""

    @abstractmethod
    def get(self, name: str) -> str | None:
        """The secret of that name; None where there is none."""

    @abstractmethod
    def set(self, name: str, value: str) -> None:
        """Write a secret, replacing the one of that name: after a crash there is either the old one or the new one."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove a secret; no error where there is none."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"
