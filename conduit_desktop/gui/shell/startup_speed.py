"""A faster start: PySide does not read the source of every imported module."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def skip_feature_scan() -> None:
    """Make PySide skip its check whether an imported module mentions PySide in its source.

    The check reads the source of each module imported after PySide, and `linecache` keeps it: 22 MB, and a third of the
    start-up time. Its result is needed only for `from __feature__ import …`, which is not used here; a frozen app has no
    sources, and the result there is always False.
    """
    import_module("PySide6.QtCore")  # imports the module below
    try:
        feature: Any = import_module("shibokensupport.feature")
    except ImportError:  # moved in another release: the app only starts slower
        return
    if hasattr(feature, "_mod_uses_pyside"):
        feature._mod_uses_pyside = lambda module: False
