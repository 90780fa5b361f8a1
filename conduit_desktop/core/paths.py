"""The home folder (mode 0700) with the paths of its files, and the files that ship with the program."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from conduit_desktop.core.errors import HomeUnusable

APP_NAME = "Conduit Desktop"
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below one home folder."""

    root: Path

    @property
    def database(self) -> Path:
        """SQLite: configuration and request records."""
        return self.root / "conduit.db"

    @property
    def payloads(self) -> Path:
        """SQLite: prompts and answers, stored only where a key or a setting asks for it."""
        return self.root / "payloads.db"

    @property
    def vault(self) -> Path:
        """Encrypted secrets, where there is no OS keyring."""
        return self.root / "secrets.vault"

    @property
    def vault_key(self) -> Path:
        """The vault's random key, where no passphrase is given."""
        return self.root / "vault.key"

    @property
    def prices(self) -> Path:
        """A price catalog newer than the one that ships, where one was installed."""
        return self.root / "prices.json"

    @property
    def logs(self) -> Path:
        """Rotating log files."""
        return self.root / "logs"

    @property
    def lock(self) -> Path:
        """Lock file of the process that uses this home; contains its address and process id as JSON."""
        return self.root / "conduit.lock"

    @property
    def identity(self) -> Path:
        """A random id that names this home's secrets in the OS keyring."""
        return self.root / "home.id"

    def prepare(self) -> None:
        """Create the folder with mode 0700; raises HomeUnusable with the folder and the cause in its text."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            # mkdir applies its mode to a new folder only; one that exists may be readable by other users.
            if os.name == "posix":
                self.root.chmod(0o700)
            self.logs.mkdir(exist_ok=True, mode=0o700)
            # mkdir succeeds for an existing folder on a read-only disk: only writing a file shows it.
            # The process id keeps two processes that start together from deleting each other's file.
            probe = self.root / f".writable-{os.getpid()}"
            try:
                # With a byte: a full disk still makes empty files.
                probe.write_bytes(b"\n")
            finally:
                probe.unlink(missing_ok=True)
        except OSError as error:
            raise HomeUnusable(self.root, error) from error


def default_home() -> Path:
    """The platform's user data folder for Conduit Desktop."""
    import platformdirs  # imported here: a start with --home does not need it

    # Without appauthor=False, Windows would get a folder of the author above the program's.
    return Path(platformdirs.user_data_dir("conduit-desktop", appauthor=False))


def resource(*parts: str) -> Path:
    """The path of a file that ships with the program, such as `resource("icons", "conduit.svg")`.

    A wheel and the bundle hold them inside the package; in a source tree they are in `resources/` next to it.
    """
    installed = _PACKAGE / "_resources"
    root = installed if installed.is_dir() else _PACKAGE.parent / "resources"
    return root.joinpath(*parts)
