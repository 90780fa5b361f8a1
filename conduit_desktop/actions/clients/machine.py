"""The computer and user whose tools are set up: home folder, environment, platform, and where programs are found."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from conduit_desktop.core.errors import Conflict

_MOST_PARENTS = 5


@dataclass(frozen=True, slots=True)
class Program:
    """An installed program; `version` is empty where no file next to it names one."""

    path: Path
    version: str = ""


@dataclass(frozen=True)
class Machine:
    """What recipes look at. The gateway's own process gives it: its user's files are those that are changed."""

    home: Path
    environment: Mapping[str, str] = field(repr=False)
    platform: str = sys.platform

    def folder(self, variable: str, default: str) -> Path:
        """The folder that a tool's own variable names, else `default` in the home folder."""
        named = self.environment.get(variable, "").strip()
        return self.expanded(named) if named else self.home / default

    def expanded(self, path: str) -> Path:
        """A path that a variable holds; `~` is the home folder."""
        if path == "~" or path.startswith(("~/", "~\\")):
            return self.home / path[2:]
        return Path(path) if Path(path).is_absolute() else self.home / path

    @property
    def config(self) -> Path:
        """`XDG_CONFIG_HOME`, as tools of Node read it on every platform."""
        return self.folder("XDG_CONFIG_HOME", ".config")

    def application(self, name: str) -> Path:
        """The folder that click's `get_app_dir` gives to Python programs."""
        if self.platform == "win32":
            return self.folder("APPDATA", ".") / name
        return self.home / "Library" / "Application Support" / name if self.platform == "darwin" else self.config / name

    def program(self, *names: str) -> Program | None:
        """The first of these programs that is found."""
        # A desktop app is often started without the paths that a shell adds: those of package managers are searched, too.
        folders = os.pathsep.join([self.environment.get("PATH", ""), *map(str, self._usual_folders())])
        for name in names:
            if found := shutil.which(name, path=folders):
                return Program(Path(found), _version(Path(found)))
        return None

    def _usual_folders(self) -> list[Path]:
        home = self.home
        found = [home / ".local" / "bin", home / ".npm-global" / "bin", home / ".bun" / "bin", home / ".volta" / "bin"]
        found += [home / ".opencode" / "bin", home / ".claude" / "local", home / ".cargo" / "bin"]
        # The newest Node of nvm last in the name's order is good enough: any that holds the program serves.
        found += sorted((home / ".nvm" / "versions" / "node").glob("*/bin"), reverse=True)
        if self.platform == "win32":
            return [*found, self.folder("APPDATA", "AppData/Roaming") / "npm"]
        # Those of the system belong to every user; a test has a home of its own, and gives no PATH.
        return [*found, Path("/opt/homebrew/bin"), Path("/usr/local/bin")] if self.environment.get("PATH") else found


def this_machine() -> Machine:
    """That of this process; raises Conflict for a user without a home folder."""
    try:
        return Machine(Path.home(), os.environ)
    except RuntimeError as error:  # a user without an entry, as in some containers
        raise Conflict("This user has no home folder, so no tools can be found.") from error


def _version(program: Path) -> str:
    """The version in the `package.json` of the npm package that a program belongs to; no program is run for it."""
    try:
        resolved = program.resolve()
        for folder in list(resolved.parents)[:_MOST_PARENTS]:
            if (package := folder / "package.json").is_file():
                version = json.loads(package.read_text("utf-8")).get("version")
                return version[:40] if isinstance(version, str) and version.isprintable() else ""
            if folder.name == "node_modules":
                break
    except (OSError, ValueError, AttributeError):
        pass
    return ""
