"""Who holds a port, as far as the system tells."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

_LISTEN = "0A"


def holder(port: int) -> str | None:
    """The program that listens on `port`, such as `ControlCenter (pid 412)`; None where the system does not tell."""
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        if sys.platform == "linux":
            return _linux(port)
        return _windows(port) if sys.platform == "win32" else _lsof(port)
    return None


def hint(port: int) -> str:
    """What to do about a well-known holder."""
    if sys.platform == "darwin" and port == 5000:
        return " On macOS this is often the AirPlay Receiver (System Settings, General, AirDrop & Handoff)."
    return ""


def _linux(port: int) -> str | None:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and inodes:
            with suppress(OSError):
                if any(str(link.readlink()) in inodes for link in (process / "fd").iterdir()):
                    return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return None


def _lsof(port: int) -> str | None:
    command = ["/usr/sbin/lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]
    lines = subprocess.run(command, capture_output=True, text=True, timeout=3, check=False).stdout.splitlines()  # noqa: S603
    told = {line[:1]: line[1:] for line in lines}
    return f"{told['c']} (pid {told['p']})" if "c" in told and "p" in told else None


def _windows(port: int) -> str | None:
    script = f"(Get-Process -Id (Get-NetTCPConnection -LocalPort {port} -State Listen).OwningProcess | Select -First 1).ProcessName"
    command = ["powershell", "-NoProfile", "-Command", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout.strip() or None  # noqa: S603
