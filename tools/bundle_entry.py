"""What the bundled program runs: PyInstaller starts a script, not a package."""

from conduit_desktop.__main__ import main

main()
