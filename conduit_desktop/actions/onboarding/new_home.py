"""A new home has a provider and an alias that answer at once, and the program says how to call them."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conduit_desktop.actions.changes import difference, new_id
from conduit_desktop.actions.dispatch import Edit, apply
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import ModelAlias, Provider, Target

if TYPE_CHECKING:
    from conduit_desktop.actions.context import AppContext

DEMO = "demo"
"""The name of the provider, of its kind, and of the alias."""
DEMO_MODEL = "demo-chat"


async def prepare_new_home(context: AppContext) -> bool:
    """Add the provider and the alias `demo` to a home in which nothing was ever configured; whether it was one.

    A home from which they were removed is not new: the audit log has entries.
    """
    store = context.store
    if await store.providers.all() or await store.models.all() or await store.keys.all() or (await store.audit.list(1))[0]:
        return False
    # Not through the inputs of the admin API: building their validators would make the first start a tenth slower.
    at = now_ms()
    provider = Provider(id=new_id("prov"), name=DEMO, kind=DEMO, created_at=at, updated_at=at)
    target = Target(provider=DEMO, model=DEMO_MODEL)
    alias = ModelAlias(id=new_id("model"), alias=DEMO, targets=(target,), created_at=at, updated_at=at)

    def add(edit: Edit) -> None:
        edit.tx.providers.insert(provider)
        edit.record("provider.create", DEMO, difference(None, provider))
        edit.tx.models.insert(alias)
        edit.record("model.create", DEMO, difference(None, alias))

    await apply(context, "cli", add)
    return True


def first_call(context: AppContext) -> str:
    """How to make the first key and call the demo with it, in three lines; empty where there is a key already, or no demo."""
    snapshot = context.gateway.snapshot
    if snapshot.keys or DEMO not in snapshot.aliases:
        return ""
    # A server that listens on every address is called on this computer.
    address = (context.server.address or "").replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    create = f"{_program()} keys create --name first --home {_quoted(str(context.home.root))}"
    key, call = _in_powershell(address) if os.name == "nt" else _in_shell(address)
    return f"No virtual key yet. In another terminal, make one and call the built-in demo with it:\n  {key % create}\n  {call}\n"


BODY = '{"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}'


def _in_shell(address: str) -> tuple[str, str]:
    options = "-k --noproxy '*'" if address.startswith("https:") else "--noproxy '*'"
    headers = """-H "Authorization: Bearer $KEY" -H 'Content-Type: application/json'"""
    return "KEY=$(%s)", f"curl {options} {address}/v1/chat/completions {headers} -d '{BODY}'"


def _in_powershell(address: str) -> tuple[str, str]:
    # Not curl: Windows PowerShell has another command of that name.
    headers = '-ContentType application/json -Headers @{Authorization = "Bearer $key"}'
    return "$key = %s", f"Invoke-RestMethod {address}/v1/chat/completions -Method Post {headers} -Body '{BODY}'"


def _program() -> str:
    """The command as the user can type it: the bare name where it is on the PATH, else with its folder."""
    if shutil.which("conduit-desktop"):
        return "conduit-desktop"
    call = "& " if os.name == "nt" else ""
    interpreter = Path(sys.executable)
    # The bundle's executable is the program itself; an installed package has its command next to the interpreter.
    command = interpreter if getattr(sys, "frozen", False) else interpreter.with_name(f"conduit-desktop{interpreter.suffix}")
    return f"{call}{_quoted(str(command))}" if command.is_file() else f"{call}{_quoted(str(interpreter))} -m conduit_desktop"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'" if os.name == "nt" else shlex.quote(text)
