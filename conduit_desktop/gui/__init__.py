"""The desktop door: draws what the house knows and asks for what the operator wants; it knows nothing by itself."""

from conduit_desktop.gui.shell.import_speed import pass_over_features

pass_over_features()
