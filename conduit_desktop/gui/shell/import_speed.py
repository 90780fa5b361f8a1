"""Qt's binding spared the reading of every module's source."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def pass_over_features() -> None:
    """Answer a question that PySide asks of each module imported after it: whether its source mentions PySide.

    It reads the source for that, and the standard library's line cache keeps it: 22 MB, and a third of the start. The answer
    matters for `from __feature__ import …` alone, which nothing here uses; in a frozen app, without sources, it is no.
    """
    import_module("PySide6.QtCore")  # brings the module below
    try:
        feature: Any = import_module("shibokensupport.feature")
    except ImportError:  # another release keeps it elsewhere, and merely starts slower
        return
    if hasattr(feature, "_mod_uses_pyside"):
        feature._mod_uses_pyside = lambda module: False
