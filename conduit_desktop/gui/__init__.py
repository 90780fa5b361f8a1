"""The desktop window: it shows the state of the gateway and calls actions."""

from conduit_desktop.gui.shell.startup_speed import skip_feature_scan

skip_feature_scan()
