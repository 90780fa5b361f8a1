"""A real Secret Service: gnome-keyring on a bus of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import subprocess, sys
from pathlib import Path

daemon = subprocess.Popen(
    ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
)
daemon.stdin.write(b"a test's password")
daemon.stdin.close()
daemon.stdout.readline()  # says where its sockets are, once it is ready
try:
    from conduit_desktop.core.paths import Home
    from conduit_desktop.store.secrets.store import open_secrets

    homes = [Home(Path(sys.argv[1]) / name) for name in ("one", "two")]
    for home in homes:
        home.prepare()
    one, two = (open_secrets(home) for home in homes)
    assert (one.backend, two.backend) == ("keyring", "keyring"), (one.note, two.note)
    long = "x" * 2500 + "\\u00e9\\U0001f98a"
    one.set("master-key", "short")
    one.set("provider/p1/vertex", long)
    assert open_secrets(homes[0]).get("master-key") == "short"
    assert open_secrets(homes[0]).get("provider/p1/vertex") == long
    assert two.get("master-key") is None
    one.set("provider/p1/vertex", "now short")
    assert one.get("provider/p1/vertex") == "now short"
    for name in ("master-key", "provider/p1/vertex"):
        one.delete(name)
        assert one.get(name) is None
    assert not homes[0].vault.exists()
    print("kept", one.note)
finally:
    daemon.terminate()
    daemon.wait(10)
"""


def test_gnome_keyring_keeps_secrets_of_any_length(tmp_path: Path):
    for program in ("dbus-run-session", "gnome-keyring-daemon"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_KEYRING_BACKEND"}
    environment["XDG_RUNTIME_DIR"] = str(tmp_path)
    run = subprocess.run(
        ["dbus-run-session", "--", sys.executable, "-c", SCRIPT, str(tmp_path)],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("kept")
    assert "SecretService" in run.stdout
