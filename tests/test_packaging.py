"""What ships: the wheel and the bundle hold the files that the program reads at run time."""

from __future__ import annotations

import ast
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parent.parent
DATA = ("prices.json", "models.json", "docs.html", "style.qss")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize("name", DATA)
def test_the_wheel_holds_the_data_files(wheel: set[str], name: str) -> None:
    assert (ROOT / "resources" / name).is_file()
    assert f"conduit_desktop/_resources/{name}" in wheel
    assert not any(entry.startswith(("tools/", "tests/")) for entry in wheel)


def test_the_bundle_holds_the_whole_folder_of_data_files() -> None:
    spec = ast.parse((ROOT / "conduit.spec").read_text())
    calls = [node for node in ast.walk(spec) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Analysis"]
    (datas,) = [word.value for call in calls for word in call.keywords if word.arg == "datas"]
    assert "(str(ROOT / 'resources'), 'conduit_desktop/_resources')" in ast.unparse(datas)
