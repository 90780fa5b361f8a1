"""The operations on clients: their state, the difference that a set-up would make, the set-up itself, and its undoing."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from conduit_desktop.actions import keys
from conduit_desktop.actions.clients import files, plan
from conduit_desktop.actions.clients.first_seen import first_request
from conduit_desktop.actions.clients.machine import Machine, Program, this_machine
from conduit_desktop.actions.clients.recipes import BY_NAME, RECIPES, Goal, Recipe
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import Edit, PendingChange, change
from conduit_desktop.actions.own_address import own_roots
from conduit_desktop.actions.schemas.inputs import ClientQuery, ClientSetup, KeyPatch, NewKey, read
from conduit_desktop.actions.schemas.views import ClientFileView, ClientState, ClientView, InstalledView, rfc3339
from conduit_desktop.core import suggestions
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import VirtualKey
from conduit_desktop.core.errors import ActionError, Conflict, GatewayError, Invalid, NotFound
from conduit_desktop.core.heavy_work import for_operator
from conduit_desktop.gateway.admission.access import digest
from conduit_desktop.gateway.routing.resolve import resolve_model

RECORDS = "clients"
"""The name in the store's `meta` of what was set up, by the client's name. It holds no key and no value of a file."""
_NO_CHAT = re.compile(r"\*|embed|whisper|tts|dall-e|image|rerank|moderation|transcri", re.IGNORECASE)
"""Patterns, and what names of models that do not chat have in them."""
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@dataclass(frozen=True, slots=True)
class Record:
    """One set-up: its files, and the id of the virtual key made for it."""

    key_id: str
    set_at: int
    model: str
    small: str
    files: tuple[plan.WrittenFile, ...]

    def as_json(self) -> dict[str, Any]:
        """As the store keeps it."""
        rows = [one.as_json() for one in self.files]
        return {"key_id": self.key_id, "set_at": self.set_at, "model": self.model, "small": self.small, "files": rows}

    @classmethod
    def of(cls, row: Mapping[str, Any] | None) -> Record | None:
        """From `as_json`."""
        if row is None:
            return None
        rows = tuple(plan.WrittenFile.of(one) for one in row["files"])
        return cls(row["key_id"], row["set_at"], row["model"], row["small"], rows)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the views of all clients are made from, read on the loop."""

    machine: Machine
    folder: Path
    """Of the backups."""
    roots: tuple[str, ...]
    """The gateway's address, and other spellings of it; empty while it is not known."""
    records: Mapping[str, Any]
    keys: Mapping[str, VirtualKey]
    default_model: str
    note: str

    def kept(self, name: str) -> bytes | None:
        return files.kept(self.folder, name)


@dataclass(slots=True)
class _Seen:
    """What a thread found out of one client."""

    state: ClientState
    installed: Program | None
    files: list[ClientFileView]
    problem: str
    revision: str


async def all_clients(context: AppContext) -> list[ClientView]:
    """Every client, in the order of the recipes."""
    known = await _known(context)
    goals = [_goal(known, recipe, ClientQuery()) for recipe in RECIPES]
    seen = await for_operator(lambda: [_look(known, recipe, goal) for recipe, goal in zip(RECIPES, goals, strict=True)])
    return [await _view(context, known, *row) for row in zip(RECIPES, goals, seen, strict=True)]


async def get(context: AppContext, name: str, query: ClientQuery) -> ClientView:
    """One client, with the difference for the models of the query. Raises NotFound, Invalid for a model that nothing serves."""
    recipe = _recipe(name)
    _check_model(context, "model", query.model)
    _check_model(context, "small_model", query.small_model)
    known = await _known(context)
    goal = _goal(known, recipe, query)
    return await _view(context, known, recipe, goal, await for_operator(_look, known, recipe, goal))


async def set_up(context: AppContext, name: str, wanted: ClientSetup, actor: Actor) -> ClientView:
    """Point a client at this gateway with a virtual key of its own, and keep what its files were.

    Again: the values are brought up to date; the key stays where the files still hold it, and gets a new value else. Raises
    NotFound, Invalid (a file that is not of its format; a model that nothing serves), Conflict.
    """
    recipe = _recipe(name)
    if not recipe.files:
        raise Conflict(f"{recipe.label} cannot be set up from here: {recipe.reason}")
    _check_model(context, "model", wanted.model)
    _check_model(context, "small_model", wanted.small_model)
    await change(context, actor, lambda started: _set_up(started, recipe, wanted))
    return await get(context, name, ClientQuery())


async def _set_up(started: PendingChange, recipe: Recipe, wanted: ClientSetup) -> None:
    context = started.context
    known = await _known(context)
    record = Record.of(known.records.get(recipe.name))
    goal = _goal(known, recipe, ClientQuery(model=wanted.model, small_model=wanted.small_model))
    if goal is None:
        raise Conflict(_lacking(known))
    if wanted.models and not any(fnmatchcase(goal.model.lower(), one.lower()) for one in wanted.models):
        raise Invalid(f"models: the model {goal.model!r} is not among those that the key may call", "models")
    found = await for_operator(_look, known, recipe, goal)
    if found.installed is None and record is None and not wanted.anyway:
        raise Conflict(f"{recipe.label} was not found on this computer. With `anyway` its files are written all the same.")
    if wanted.revision and wanted.revision != found.revision:
        raise Conflict("a file was changed since the difference was shown. Look at it again.")
    key = known.keys.get(record.key_id) if record is not None else None
    secret = await for_operator(_key_in_files, record, key) or keys.fresh()
    made = Goal(goal.root, secret, goal.model, goal.small)
    before = record.files if record is not None else ()
    plans = await for_operator(plan.plan_setup, recipe, known.machine, made, before, known.kept, known.roots)
    written = await for_operator(_remember, plans, known.folder)
    key_values = {name: value for name in ("budget_usd", "budget_period", "models") if (value := getattr(wanted, name)) is not None}
    at = now_ms()

    def commit(edit: Edit) -> VirtualKey:
        owner = _put_key(edit, recipe, key, secret, key_values)
        after = Record(owner.id, at, goal.model, goal.small, written)
        edit.tx.meta.put(RECORDS, {**known.records, recipe.name: after.as_json()})
        paths = [one.path for one in written]
        edit.record("client.set", recipe.name, {"files": paths, "key": owner.name, "hint": owner.hint, "model": goal.model})
        return owner

    owner = await started.commit(commit)
    try:
        await for_operator(_write, plans)
    except ActionError as error:
        message = error.message

        def take_back(edit: Edit) -> None:
            if key is None:
                edit.tx.keys.delete(owner.id)
            else:
                edit.tx.keys.replace(key)
            edit.tx.meta.put(RECORDS, dict(known.records))
            edit.record("client.undo", recipe.name, {"failed": message})

        await started.commit(take_back)
        raise


async def undo(context: AppContext, name: str, actor: Actor) -> ClientView:
    """Take the set-up back: files as they were, or without our values where others changed them since; its key is removed.

    The key is removed and not disabled: its value stood in these files alone, so nothing else can use it, and its requests stay in
    the log under its name. Raises NotFound, Conflict, Invalid.
    """
    recipe = _recipe(name)

    async def work(started: PendingChange) -> None:
        known = await _known(context)
        record = Record.of(known.records.get(name))
        if record is None:
            raise Conflict(f"{recipe.label} was not set up from here, so there is nothing to undo.")
        plans = await for_operator(lambda: [plan.plan_undo(one, known.kept) for one in record.files])
        await for_operator(_write, plans)

        def commit(edit: Edit) -> None:
            key = edit.tx.keys.get(record.key_id)
            if key is not None and key.source != "file":
                edit.tx.keys.delete(key.id)
            edit.tx.meta.put(RECORDS, {other: row for other, row in known.records.items() if other != name})
            removed = {} if key is None else {"key": key.name, "hint": key.hint}
            edit.record("client.undo", name, {"files": [one.path for one in record.files], **removed})

        await started.commit(commit)
        await for_operator(_forget, known, record, name)

    await change(context, actor, work)
    return await get(context, name, ClientQuery())


def _put_key(edit: Edit, recipe: Recipe, key: VirtualKey | None, secret: str, values: dict[str, Any]) -> VirtualKey:
    """The client's key with `secret` as its value, and the limits that were sent; its change is part of the client's own."""
    if key is not None:
        return keys.written(edit, key, read(KeyPatch, {**values, "enabled": True}), secret)
    taken = {one.name.casefold() for one in edit.tx.keys.all()}
    names = (recipe.label, *(f"{recipe.label} {number}" for number in range(2, 1000)))
    name = next(one for one in names if one.casefold() not in taken)
    return keys.added(edit, read(NewKey, {**values, "name": name, "description": f"Made for {recipe.label}."}), secret)


def _remember(plans: Sequence[plan.FilePlan], folder: Path) -> tuple[plan.WrittenFile, ...]:
    """Keep every base, and what is to be remembered of each file."""
    rows = []
    for one in plans:
        if one.config is None or one.new is None:
            continue  # a file that is only undone
        original = None if one.base is None else files.keep(folder, one.base)
        path, made = str(one.seen.path), one.made
        rows.append(plan.WrittenFile(path, one.config.format, original, files.digest(one.new), one.values, made))
    return tuple(rows)


def _write(plans: Sequence[plan.FilePlan]) -> None:
    """Write what changes; where one file cannot be written, the others get their content back. Raises Conflict."""
    done: list[plan.FilePlan] = []
    try:
        for one in plans:
            if one.changes:
                files.write(one.seen, one.new)
                done.append(one)
    except ActionError:
        for one in reversed(done):
            with suppress(ActionError):
                files.write(files.read(one.seen.path), one.seen.data)
        raise
    for one in plans:
        if one.new is None:
            files.remove_folders(list(one.made))


def _forget(known: _Known, record: Record, name: str) -> None:
    """Remove the backups that came back to their place and that no other client needs."""
    others = [Record.of(row) for other, row in known.records.items() if other != name]
    needed = {one.original for other in others if other is not None for one in other.files}
    for one in record.files:
        with suppress(ActionError):
            if one.original is not None and one.original not in needed and files.read(Path(one.path)).digest == one.original:
                (known.folder / one.original).unlink(missing_ok=True)


def _key_in_files(record: Record | None, key: VirtualKey | None) -> str | None:
    """The value of the client's key, where its files still hold it: nothing else does."""
    if record is None or key is None:
        return None
    return plan.key_in([plan.state_of(one) for one in record.files], lambda text: digest(text) == key.digest)


async def _known(context: AppContext) -> _Known:
    records = await context.store.meta.get(RECORDS) or {}
    rows = await context.store.keys.all()
    aliases = [one.alias for one in await context.store.models.all() if one.enabled and not _NO_CHAT.search(one.alias)]
    # The demo answers nothing of use: any other alias goes before it.
    default = next((one for one in aliases if not one.startswith("demo")), next(iter(aliases), ""))
    machine = this_machine()
    proxies = [name for name in PROXIES if machine.environment.get(name) or machine.environment.get(name.lower())]
    note = f"{proxies[0]} is set here: " if proxies else ""
    folder = context.home.root / "clients"
    return _Known(machine, folder, own_roots(context), records, {one.id: one for one in rows}, default, note)


def _goal(known: _Known, recipe: Recipe, query: ClientQuery) -> Goal | None:
    """What would be written; None where there is no address or no model yet."""
    record = Record.of(known.records.get(recipe.name))
    model = query.model or (record.model if record is not None else known.default_model)
    small = query.small_model or (record.small if record is not None and not query.model else model)
    if not (known.roots and model):
        return None
    return Goal(known.roots[0], plan.PLACEHOLDER, model, small)


def _lacking(known: _Known) -> str:
    if not known.roots:
        return "The gateway gets its port when it starts (the setting `port` is 0): start it first."
    return "There is no model yet: add a provider and an alias first."


def _look(known: _Known, recipe: Recipe, goal: Goal | None) -> _Seen:
    """State, files and difference of one client. Reads files: for a thread."""
    installed = known.machine.program(*recipe.programs)
    record = Record.of(known.records.get(recipe.name))
    found = installed is not None or any(os.path.exists(one(known.machine)) for one in recipe.found_by)
    states = {one.path: plan.state_of(one) for one in record.files} if record is not None else {}
    problem = next((one.problem for one in states.values() if one.problem), "")
    state: ClientState = "not_set" if found or (not recipe.programs and not recipe.found_by) else "not_installed"
    if record is not None:
        state = "set" if all(one.intact for one in states.values()) else "changed_elsewhere"
        if (key := known.keys.get(record.key_id)) is None or not key.enabled:
            problem = (
                problem or f"The virtual key of {recipe.label} was {'removed' if key is None else 'disabled'}: set it up again."
            )
    plans: list[plan.FilePlan] = []
    if recipe.files and goal is None:
        problem = problem or _lacking(known)
    elif goal is not None and recipe.files:
        key = known.keys.get(record.key_id) if record is not None else None
        goal = Goal(goal.root, _key_in_files(record, key) or goal.key, goal.model, goal.small)
        before = record.files if record is not None else ()
        try:
            plans = plan.plan_setup(recipe, known.machine, goal, before, known.kept, known.roots)
        except ActionError as error:
            problem = problem or error.message
    shown = installed or (Program(Path()) if found and recipe.found_by else None)
    return _Seen(state, shown, _files(known, recipe, record, plans, states), problem, _revision(plans))


def _revision(plans: Sequence[plan.FilePlan]) -> str:
    """Names the content of all files, so that a set-up can be refused where they are not what was looked at."""
    return hashlib.sha256("\n".join(f"{one.seen.path} {one.seen.digest}" for one in plans).encode()).hexdigest()[:16]


def _files(
    known: _Known, recipe: Recipe, record: Record | None, plans: Sequence[plan.FilePlan], states: Mapping[str, plan.FileState]
) -> list[ClientFileView]:
    written = {one.path: one for one in record.files} if record is not None else {}
    planned = {str(one.seen.path): one for one in plans}
    paths = {
        **{str(plan.located(one, known.machine)): one.format for one in recipe.files},
        **{n: w.format for n, w in written.items()},
    }
    rows = []
    for path, format in paths.items():
        original = written[path].original if path in written else None
        rows.append(
            ClientFileView(
                path=path,
                format=format,
                exists=os.path.exists(path),
                intact=states[path].intact if path in states else None,
                backup=None if original is None else str(known.folder / original),
                diff=plan.difference(planned[path]) if path in planned else "",
            )
        )
    return rows


async def _view(context: AppContext, known: _Known, recipe: Recipe, goal: Goal | None, seen: _Seen) -> ClientView:
    record = Record.of(known.records.get(recipe.name))
    key = known.keys.get(record.key_id) if record is not None else None
    first = await first_request(context, recipe.name, record.key_id, record.set_at) if record is not None else None
    program = seen.installed.path if seen.installed is not None and seen.installed.path != Path() else None
    example = goal or Goal("http://127.0.0.1:5000", "", "MODEL", "MODEL")
    snippet = Goal(example.root, "condt_YOUR_KEY", example.model, example.small)
    shown = example if record is None else Goal(example.root, "", record.model, record.small)
    return ClientView(
        name=recipe.name,
        label=recipe.label,
        docs=recipe.docs,
        state=seen.state,
        can_set=bool(recipe.files),
        reason=recipe.reason,
        installed=None
        if seen.installed is None
        else InstalledView(path=str(program) if program else None, version=seen.installed.version),
        files=seen.files,
        diff="".join(one.diff for one in seen.files),
        problem=seen.problem,
        note=" ".join(filter(None, (recipe.note, _proxy_note(known, recipe), _tls_note(known)))),
        address=known.roots[0] if known.roots else None,
        model=record.model if record is not None else (goal.model if goal is not None and recipe.files else None),
        small_model=record.small if record is not None else (goal.small if goal is not None and recipe.files else None),
        key_id=key.id if key is not None else None,
        key_name=key.name if key is not None else None,
        key_hint=key.hint if key is not None else None,
        set_at=rfc3339(record.set_at) if record is not None else None,
        first_seen=rfc3339(first.at) if first is not None else None,
        first_request=first.request_id if first is not None else None,
        run=shown.quoted("bash").filled(recipe.run),
        language=recipe.language,
        snippet=snippet.quoted(recipe.language).filled(recipe.snippet),
        revision=seen.revision,
    )


def _proxy_note(known: _Known, recipe: Recipe) -> str:
    if not known.note or not recipe.files:
        return ""
    if recipe.no_proxy:
        return f"{known.note}start the tool with NO_PROXY=localhost,127.0.0.1,::1, or its requests go to the proxy."
    return f"{known.note}the tool ignores NO_PROXY, so start it without this variable."


def _tls_note(known: _Known) -> str:
    if not known.roots or not known.roots[0].startswith("https:"):
        return ""
    return "The gateway's certificate must be one that the tool trusts (NODE_EXTRA_CA_CERTS, SSL_CERT_FILE), also for 127.0.0.1."


def _recipe(name: str) -> Recipe:
    recipe = BY_NAME.get(name)
    if recipe is None:
        raise NotFound(f"There is no client {name!r}{suggestions.hint(name, list(BY_NAME))}")
    return recipe


def _check_model(context: AppContext, field: str, model: str | None) -> None:
    if model is None:
        return
    try:
        resolve_model(model, context.gateway.snapshot)
    except GatewayError as error:
        raise Invalid(f"{field}: {error.message}", field) from error
