"""A display for the desktop app: Xvfb where installed; its frame buffer is a file, which shows when a window appears."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

XVFB = shutil.which("Xvfb")
SAMPLE_STEP = 997
"""Distance in bytes between sampled bytes; prime, so that it is no divisor of the line length."""
VISIBLE_SHARE = 0.05


@dataclass(slots=True)
class Display:
    """The display of the app's window. `env` are the environment variables for the app."""

    env: Mapping[str, str]
    picture: Path | None = None
    popen: subprocess.Popen[str] | None = None

    def capture(self) -> bytes | None:
        """A sample of the screen's bytes; None without a frame buffer (offscreen)."""
        return self.picture.read_bytes()[::SAMPLE_STEP] if self.picture else None

    def stop(self) -> None:
        """Stop the X server."""
        if self.popen is not None:
            self.popen.terminate()
            self.popen.wait(10)

    def seconds_until_changed(self, before: bytes, begun: float, within_s: float = 30) -> float:
        """Seconds from `begun` (perf_counter) until a twentieth of the screen differs from `before`."""
        while time.perf_counter() - begun < within_s:
            now = self.capture() or b""
            if sum(a != b for a, b in zip(before, now, strict=False)) > len(before) * VISIBLE_SHARE:
                return time.perf_counter() - begun
            time.sleep(0.005)
        raise RuntimeError("no window showed")


def open_display(folder: Path) -> Display:
    """Xvfb with a screen of 1600 x 1000, or Qt's offscreen platform where there is no Xvfb."""
    if XVFB is None:
        return Display({"QT_QPA_PLATFORM": "offscreen"})
    popen = subprocess.Popen(
        [XVFB, "-displayfd", "1", "-screen", "0", "1600x1000x24", "-fbdir", str(folder), "-nolisten", "tcp"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert popen.stdout is not None
    number = popen.stdout.readline().strip()
    return Display({"DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}, folder / "Xvfb_screen0", popen)
