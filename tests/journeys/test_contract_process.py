"""The process from outside: its one line, its exit codes, where its settings come from, and how it ends."""

from __future__ import annotations

import datetime
import json
import os
import shlex
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.fakes.vendor import API_KEY
from tests.journeys.processes import MASTER_KEY, RunningGateway, conduit, environment, vendor


@contextmanager
def started(*arguments: str, **env: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`conduit-desktop …` as a process, and the first line it prints; killed at the end where it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "conduit_desktop", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(CONDUIT_MASTER_KEY=MASTER_KEY, **env),
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


def command(*arguments: str, **env: str) -> tuple[int, str, str]:
    """A command run to its end: exit code, standard output, standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "conduit_desktop", *arguments], capture_output=True, text=True, env=environment(**env), timeout=90
    )
    return done.returncode, done.stdout, done.stderr


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@pytest.mark.skipif(os.name != "posix", reason="modes and signals are POSIX's")
def test_it_prints_one_line_and_says_who_holds_port_and_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with started("serve", "--home", str(home), "--port", "0", CONDUIT_LOG_LEVEL="debug") as (process, line):
        address = line.removeprefix("Conduit listening on ").rstrip("\n")
        port = address.rsplit(":", 1)[1]
        assert line == f"Conduit listening on http://127.0.0.1:{port}\n"
        with urllib.request.urlopen(f"{address}/health") as answer:
            assert json.load(answer)["status"] == "ok"
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        files = [path for path in home.iterdir() if path.is_file()]
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        code, out, error = command("serve", "--home", str(tmp_path / "other"), "--port", port)
        assert (code, out) == (3, "")
        assert f"port {port} is taken by" in error
        assert str(process.pid) in error
        code, out, error = command("serve", "--home", str(home), "--port", "0")
        assert (code, out) == (4, "")
        assert f"in use by process {process.pid} at {address}" in error
        process.send_signal(signal.SIGTERM)
        rest, log = process.communicate(timeout=20)
    assert (process.returncode, rest) == (0, "")
    assert f"running at {address}" in log


def test_option_before_environment_before_file_before_database(tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "conduit.toml"
    by_option, by_environment, by_file, by_database = (free_port() for _ in range(4))
    file.write_text(f"[settings]\nport = {by_file}\n")
    assert command("settings", "set", "port", str(by_database), "--home", str(home))[0] == 0
    config = ("--config", str(file))
    for port, options, env in (
        (by_database, (), {}),
        (by_file, config, {}),
        (by_environment, config, {"CONDUIT_PORT": str(by_environment)}),
        (by_option, (*config, "--port", str(by_option)), {"CONDUIT_PORT": str(by_environment)}),
    ):
        with started("serve", *options, CONDUIT_HOME=str(home), **env) as (process, line):
            assert line == f"Conduit listening on http://127.0.0.1:{port}\n"
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0


def test_the_end_lets_streams_finish_and_settles_them(tmp_path: Path) -> None:
    with vendor() as upstream, conduit(tmp_path / "home") as served:
        key = furnish(served, upstream)
        httpx.post(f"{upstream}/__script", json={"steps": [{"text": "word " * 12, "frame_s": 0.1}]})
        received: list[str] = []
        request_recorded = threading.Event()

        def listen() -> None:
            body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
            headers = {"Authorization": f"Bearer {key}"}
            with httpx.stream("POST", f"{served.address}/v1/chat/completions", json=body, headers=headers, timeout=30) as answer:
                received.append(answer.headers["x-conduit-request-id"])
                request_recorded.set()
                received.extend(line for line in answer.iter_lines() if line)

        listener = threading.Thread(target=listen)
        listener.start()
        assert request_recorded.wait(10)
        began = time.monotonic()
        assert served.stop() == 0
        assert time.monotonic() - began < 9
        listener.join(5)
        assert received[-1] == "data: [DONE]"
        code, out, _ = command("requests", received[0], "--json", "--home", str(served.home))
        assert code == 0
        record = json.loads(out)
        assert (record["status"], record["cost_state"]) == ("success", "final")


def furnish(served: RunningGateway, upstream: str) -> str:
    """A provider, the alias `m`, a price; the key."""
    served.add("providers", name="oa", kind="openai-compatible", base_url=upstream, api_key=API_KEY)
    served.add("models", alias="m", targets=[{"provider": "oa", "model": "gpt-x"}], retries=0)
    served.admin("PUT", "/prices/gpt-x", {"input": 1000, "output": 1000})
    key: str = served.add("keys", name="app", budget_usd=100)["key"]
    return key


@pytest.mark.parametrize(
    ("arguments", "env", "code", "message"),
    [
        (("serve", "--port", "abc"), {}, 2, "--port"),
        (("serve",), {"CONDUIT_PORT": "70000"}, 2, "70000"),
        (("serve", "--port", "0", "--tls-cert", "/no/cert.pem", "--tls-key", "/no/key.pem"), {}, 2, "/no/cert.pem"),
        (("serve", "--port", "0", "--config", "/no/conduit.toml"), {}, 2, "/no/conduit.toml"),
        (("serve", "--port", "0", "--host", "203.0.113.9"), {}, 1, "203.0.113.9"),
        (("serve", "--port", "0"), {"CONDUIT_SECRETS": "drawer"}, 1, "CONDUIT_SECRETS must be auto, keyring or vault"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_clear_complaint(
    tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], code: int, message: str
) -> None:
    done, out, error = command(*arguments, CONDUIT_HOME=str(tmp_path / "home"), **env)
    assert (done, out) == (code, "")
    assert message in error
    assert "Traceback" not in error


def test_a_home_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for home in (file, file / "below"):
        code, out, error = command("serve", "--port", "0", "--home", str(home))
        assert code in (1, 2)
        assert out == ""
        assert str(home) in error
        assert "Traceback" not in error


def test_a_damaged_or_newer_database_is_named_and_left_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    database = home / "conduit.db"
    database.write_bytes(b"no database" * 1000)
    code, _, error = command("serve", "--port", "0", "--home", str(home))
    assert code == 1
    assert f"the database {database} is damaged" in error
    code, out, _ = command("doctor", "--home", str(home))
    assert code == 1
    assert [line.split()[1] for line in out.splitlines() if line.startswith("bad")] == ["database"]
    assert database.read_bytes() == b"no database" * 1000
    database.unlink()
    assert command("keys", "list", "--home", str(home))[0] == 0
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    code, _, error = command("serve", "--port", "0", "--home", str(home))
    assert code == 1
    assert "version 999" in error
    assert "newer" in error


def test_a_setting_that_cannot_be_read_ends_the_start_with_its_name_and_a_command_that_helps(tmp_path: Path) -> None:
    home = tmp_path / "a home"
    assert command("settings", "set", "idle_s", "30", "--home", str(home))[0] == 0
    assert command("keys", "create", "--name", "k", "--home", str(home))[0] == 0
    for bad in ('"soon"', "{"):
        with sqlite3.connect(home / "conduit.db") as connection:
            connection.execute("UPDATE settings SET value = ? WHERE name = 'idle_s'", (bad,))
        connection.close()
        for arguments in (("serve", "--port", "0"), ("keys", "list")):
            code, out, error = command(*arguments, "--home", str(home))
            assert (code, out) == (1, "")
            assert "Traceback" not in error
            assert "the setting 'idle_s'" in error
            assert str(home / "conduit.db") in error
    _, statement = shlex.split(error.rpartition("sqlite3 ")[2])
    with sqlite3.connect(home / "conduit.db") as connection:
        hours = connection.execute("SELECT hours FROM summarized").fetchone()[0]
        connection.execute("UPDATE summarized SET hours = 'x'")
        connection.execute(statement)
    connection.close()
    code, out, error = command("keys", "list", "--home", str(home))
    assert (code, out) == (1, "")
    assert "Traceback" not in error
    assert f"the database {home / 'conduit.db'} holds a value that cannot be read" in error
    with sqlite3.connect(home / "conduit.db") as connection:
        connection.execute("UPDATE summarized SET hours = ?", (hours,))
    connection.close()
    assert command("keys", "list", "--home", str(home))[0] == 0


def test_commands_at_the_same_time_wait_for_each_other_and_lose_no_key(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    with ThreadPoolExecutor(9) as pool:
        jobs = [pool.submit(command, "keys", "create", "--name", f"k{number}", "--home", home) for number in range(8)]
        done = [job.result() for job in jobs]
    assert [(code, error) for code, _, error in done if code] == []
    with started("serve", "--home", home, "--port", "0") as (_, line):
        assert line.startswith("Conduit listening on ")
        _, listed, _ = command("keys", "list", "--json", "--home", home)
    assert sorted(row["name"] for row in json.loads(listed)) == [f"k{number}" for number in range(8)]


def test_a_server_waits_for_a_command_to_end_and_a_command_for_a_server_to_start(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    with ThreadPoolExecutor(2) as pool:
        first = [pool.submit(command, "keys", "create", "--name", f"k{number}", "--home", home) for number in range(2)]
        with started("serve", "--home", home, "--port", "0") as (process, line):
            assert line.startswith("Conduit listening on "), process.stderr and process.stderr.read()
            assert [job.result()[0] for job in first] == [0, 0]
            assert len(json.loads(command("keys", "list", "--json", "--home", home)[1])) == 2


def test_the_error_for_a_missing_passphrase_names_the_variable(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    code, out, _ = command("master-key", "show", "--home", home, CONDUIT_VAULT_KEY="a pass phrase")
    assert code == 0
    assert out.startswith("condm_")
    assert not (tmp_path / "home" / "vault.key").exists()
    for env, message in (({"CONDUIT_VAULT_KEY": "wrong"}, "is not the vault's passphrase"), ({}, "set CONDUIT_VAULT_KEY")):
        code, _, error = command("serve", "--port", "0", "--home", home, **env)
        assert code == 1
        assert message in error
    assert command("master-key", "show", "--home", home, CONDUIT_VAULT_KEY="a pass phrase")[1] == out


@pytest.mark.skipif(os.name != "posix" or shutil.which("curl") is None, reason="the two commands are for a POSIX shell with curl")
def test_a_new_home_says_how_to_make_a_key_and_call_the_demo_and_that_works(tmp_path: Path) -> None:
    home, launcher = str(tmp_path / "a home"), tmp_path / "conduit-desktop"
    launcher.write_text(f'#!/bin/sh\nexec {sys.executable} -m conduit_desktop "$@"\n')
    launcher.chmod(0o755)
    path = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    with started("serve", "--home", home, "--port", "0", **path) as (process, line):
        assert line.startswith("Conduit listening on ")
        said = process.stderr
        assert said is not None
        assert any(one.startswith("No virtual key yet") for one in said)
        lines = said.readline(), said.readline()
        done = subprocess.run(
            ["sh", "-e", "-c", "".join(lines)], capture_output=True, text=True, env=environment(**path), timeout=60, check=True
        )
        assert json.loads(done.stdout)["choices"][0]["message"]["content"].startswith("Hello")
    with started("serve", "--home", home, "--port", "0") as (process, _):
        process.send_signal(signal.SIGTERM)
        assert "No virtual key" not in process.communicate(timeout=30)[1]


@pytest.mark.parametrize(("display", "module"), [("", "PySide6"), (":99", "qasync")])
def test_without_the_window_s_packages_the_app_names_the_extra_and_serves(tmp_path: Path, display: str, module: str) -> None:
    """As after `uv tool install conduit-desktop`: the packages of the extra are not there."""
    hide = f"import importlib.util as u; f = u.find_spec; u.find_spec = lambda n, *a: None if n == {module!r} else f(n, *a)"
    program = f"{hide}; from conduit_desktop.__main__ import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "--home", str(tmp_path / "home"), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(DISPLAY=display, QT_QPA_PLATFORM=""),
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Conduit listening on ")
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=30)[1]
    finally:
        process.kill()
        process.communicate()
    assert f'{module} missing). Install "conduit-desktop[desktop]"' in said


def certificate(folder: Path) -> tuple[str, str]:
    """Files of a new certificate for another host's name, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1))
    chain, private = folder / "cert.pem", folder / "key.pem"
    chain.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    return str(chain), str(private)


@pytest.mark.parametrize("encrypted", [False, True])
def test_the_health_check_follows_port_and_certificate_and_fails_without_a_server(tmp_path: Path, encrypted: bool) -> None:
    home = str(tmp_path / "home")
    options = dict(zip(("CONDUIT_TLS_CERT", "CONDUIT_TLS_KEY"), certificate(tmp_path), strict=True)) if encrypted else {}
    with started("serve", CONDUIT_HOME=home, CONDUIT_PORT="0", CONDUIT_HOST="0.0.0.0", **options) as (process, line):
        address = line.split()[-1]
        assert address.startswith("https://" if encrypted else "http://")
        assert command("healthcheck", CONDUIT_HOME=home) == (0, f"{address} answers.\n", "")
        process.send_signal(signal.SIGSTOP)
        try:
            code, _, error = command("healthcheck", CONDUIT_HOME=home)
        finally:
            process.send_signal(signal.SIGCONT)
        assert (code, error.count("\n")) == (1, 1)
        assert "does not answer" in error
    assert command("healthcheck", CONDUIT_HOME=home) == (1, "", "conduit-desktop: no server runs for this home.\n")


def test_a_gateway_for_other_computers_says_by_which_names_they_may_call_it(tmp_path: Path) -> None:
    config = tmp_path / "conduit.toml"
    config.write_text('[settings]\nallowed_hosts = ["gateway.lan"]\n')
    options = ("serve", "--home", str(tmp_path / "home"), "--port", "0", "--config", str(config))
    for host, shown in (("0.0.0.0", True), ("127.0.0.1", False)):
        with started(*options, "--host", host, CONDUIT_LOG_LEVEL="info") as (process, _):
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=20)
        assert (f"localhost, {socket.gethostname().lower()}, gateway.lan." in log) is shown
        assert ("""settings set allowed_hosts '["gateway.lan", "NAME"]'""" in log) is shown
