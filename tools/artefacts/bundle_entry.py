"""What the bundled program runs: PyInstaller starts a script, not a package."""

import os
import ssl
import sys
from pathlib import Path

import certifi

# The bundled OpenSSL looks for certificates where the system that built it keeps them; other systems have them elsewhere.
paths = ssl.get_default_verify_paths()
if not (paths.cafile or paths.capath):
    os.environ.setdefault("SSL_CERT_FILE", certifi.where())

if sys.argv[1:2] == ["open-every-page"]:
    # The check of a bundle: nothing but the program itself can run code in it.
    from open_every_page import open_every_page

    open_every_page(Path(sys.argv[2]))

from conduit_desktop.__main__ import main  # noqa: E402  (the check imports only what it checks)

main()
