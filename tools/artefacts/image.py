"""The image of the headless gateway: the Dockerfile's steps in a bare system, started there; with Docker where it runs."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from tools.artefacts import dockerfile
from tools.artefacts.program import MASTER_KEY, Failed, Serving
from tools.artefacts.roots import Root, possible

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = "import botocore.session, google.auth.transport.requests, uvloop"
CERTIFICATE = """
import datetime
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway.example")])
now = datetime.datetime.now(datetime.timezone.utc)
made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
print(made.public_bytes(form[0]).decode() + key.private_bytes(*form).decode())
"""


def main() -> str:
    """Build and check; the line of figures."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    docker = docker_build()
    if why := possible():
        raise Failed(why)
    with tempfile.TemporaryDirectory(prefix="conduit-image-", ignore_cleanup_errors=True) as scratch:
        root = Root.new(dockerfile.base(text), Path(scratch) / "root")
        image = dockerfile.build(text, ROOT, root)
        root.run("/opt/conduit/bin/python", "-c", EXTRAS)
        plain = check_container(image, Path(scratch), {"CONDUIT_PORT": str(port := free_port())}, f"http://0.0.0.0:{port}")
        pem = root.run("/opt/conduit/bin/python", "-c", CERTIFICATE)
        (root.folder / "srv" / "gateway.pem").write_text(pem)
        tls = {"CONDUIT_TLS_CERT": "/srv/gateway.pem", "CONDUIT_TLS_KEY": "/srv/gateway.pem"}
        given = {**tls, "CONDUIT_PORT": str(port := free_port())}
        check_container(image, Path(scratch), given, f"https://0.0.0.0:{port}", answers=False)
        installed = sum(path.lstat().st_size for path in (root.folder / "opt/conduit").rglob("*") if not path.is_symlink())
    return f"image: listens after {plain:.2f} s, {installed / 1e6:.0f} MB in /opt/conduit, docker build: {docker}"


def check_container(image: dockerfile.Image, scratch: Path, given: dict[str, str], address: str, answers: bool = True) -> float:
    """Start the image's program as Docker would, with the variables `given`; the seconds until it listens."""
    environment = (
        image.root.environment | image.environment | given | {"CONDUIT_MASTER_KEY": MASTER_KEY, "CONDUIT_VAULT_KEY": "a passphrase"}
    )
    del environment["HOME"]

    # Without `given`: what the container is started with must reach the check through the gateway's home.
    def healthy() -> bool:
        try:
            image.root.run(*image.health, user=image.user, folder=image.folder, env=image.environment)
        except Failed:
            return False
        return True

    if healthy():
        raise Failed("the health check passes without a server")
    command = image.root.command(*image.entry, user=image.user, folder=image.folder)
    serving = Serving(command, environment, scratch / "container.log")
    try:
        if serving.address != address:
            raise Failed(f"it listens on {serving.address}, not on {address}")
        if not healthy():
            raise Failed(f"the health check fails while {address} is served\n{serving.log}")
        if answers:
            serving.answer()
        if "may call this gateway by its IP addresses and as localhost, " not in serving.log or "allowed_hosts" not in serving.log:
            raise Failed(f"the log does not show which host names are accepted:\n{serving.log}")
        serving.stop()
    finally:
        serving.kill()
    return serving.start_s


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as trial:
        trial.bind(("0.0.0.0", 0))
        return int(trial.getsockname()[1])


def docker_build() -> str:
    """Build with Docker where its engine runs; what became of it. Raises Failed where the build fails."""
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        return "no engine runs here"
    done = subprocess.run(
        ["docker", "build", "-q", "-t", "conduit-desktop", str(ROOT)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(f"docker build: {done.stderr[-3000:]}")
    return "built"
