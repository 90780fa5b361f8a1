"""Reads a Dockerfile and carries its steps out in a bare system: the instructions that ours has, and no others."""

from __future__ import annotations

import glob
import json
import re
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tools.artefacts.program import Failed
from tools.artefacts.roots import Root

SUITES = {"debian:12-slim": "bookworm", "debian:13-slim": "trixie"}
"""Base images that have the packages of debootstrap's smallest variant, and nothing else."""


@dataclass
class Image:
    """How the container of an image starts."""

    root: Root
    user: str = "root"
    folder: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    entry: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)


def instructions(text: str) -> list[tuple[str, str]]:
    """Each instruction with its text; continued lines are joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    found = [line.strip().split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name.upper(), rest.strip()) for name, rest in found]


def base(text: str) -> str:
    """The suite of the system that the image begins with."""
    (name,) = [rest for instruction, rest in instructions(text) if instruction == "FROM"]
    if name not in SUITES:
        raise Failed(f"FROM {name}: no bare system with the same packages is known")
    return SUITES[name]


def build(text: str, context: Path, root: Root) -> Image:
    """Carry every step out in `root`, as `docker build` does; raises Failed at the first that fails."""
    image = Image(root)
    for name, rest in instructions(text):
        match name:
            case "FROM" | "EXPOSE":
                pass
            case "RUN":
                root.run("/bin/sh", "-c", rest, user=image.user, folder=image.folder, env=image.environment)
            case "COPY":
                copy(rest.split(), context, root.folder / image.folder.strip("/"))
            case "WORKDIR":
                image.folder = rest
                (root.folder / rest.strip("/")).mkdir(parents=True, exist_ok=True)
            case "USER":
                image.user = rest
            case "ENV":
                image.environment |= dict(word.split("=", 1) for word in shlex.split(rest))
            case "ENTRYPOINT":
                image.entry = json.loads(rest)
            case "HEALTHCHECK":
                image.health = json.loads(rest.partition("CMD")[2])
            case _:
                raise Failed(f"the instruction {name} is not known here")
    return image


def copy(words: list[str], context: Path, folder: Path) -> None:
    """COPY: files into a folder, or the content of one folder into another."""
    *sources, target = words
    place = folder / target
    for pattern in sources:
        for source in sorted(glob.glob(str(context / pattern))) or [str(context / pattern)]:
            path = Path(source)
            if path.is_dir():
                shutil.copytree(path, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(path, place / path.name if target.endswith("/") else place)
