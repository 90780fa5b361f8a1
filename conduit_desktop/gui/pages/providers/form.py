"""The form of one provider kind: its keys, its own options, where it lives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtWidgets import QHBoxLayout, QWidget

from conduit_desktop.actions.schemas.views import FieldView, KindView, ProviderView
from conduit_desktop.core.errors import Invalid
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.forms.form import Form
from conduit_desktop.gui.widgets.forms.form_dialog import section
from conduit_desktop.gui.widgets.forms.row_editor import RowField, Rows

KEY_ROWS = (
    RowField("label", "Label", stretch=2, default=""),
    RowField("api_key", "API key", "secret", stretch=4),
    RowField("weight", "Weight", "number", stretch=2, default=1),
)
HEADER_ROWS = (RowField("name", "Header", stretch=2), RowField("value", "Value", "secret", stretch=3))
ENV_HELP = "Kept with this computer's secrets. Write env:NAME to take it from the environment."


def free_name(wanted: str, taken: Sequence[str]) -> str:
    """`wanted`, or `wanted-2` and so on."""
    lowered = {name.lower() for name in taken}
    return next(name for name in (wanted, *(f"{wanted}-{number}" for number in range(2, 1000))) if name.lower() not in lowered)


class ProviderForm(Form):
    """The fields of one kind, with those of a provider that is there already filled in."""

    def __init__(self, kind: KindView, taken: Sequence[str], provider: ProviderView | None) -> None:
        super().__init__()
        self.kind = kind
        self.provider = provider
        self._own = [field for field in kind.fields if field.name not in ("api_key", "base_url")]
        given = {field.name: field for field in kind.fields}
        self.add_text("name", "Name", "Callers can write name/model to reach it directly.", required=True)
        self._takes_key = "api_key" in given
        if self._takes_key:
            self._add_keys(given["api_key"])
        for field in self._own:
            self._add_option(field)
        base = given.get("base_url")
        if not kind.local:
            help = (base.help if base else "") or (f"Empty: {kind.base_url}" if kind.base_url else "")
            placeholder = (base.placeholder if base else "") or kind.base_url
            label = base.label if base else "Base URL"
            self.add_text("base_url", label, help, placeholder, required=bool(base and base.required))
            self.add_widget(section("More"))
            self.add_rows(
                "headers", "Extra headers", HEADER_ROWS, "Sent with every call; values are kept with the secrets.", "Add header"
            )
            words = "A caller may send this provider's own key in place of a virtual key. Such calls have no budget."
            self.add_toggle("accept_client_keys", "Accept callers' own keys", words)
        self.set_values({"name": free_name(kind.kind, taken)} if provider is None else _shown(provider))

    def _add_keys(self, field: FieldView) -> None:
        new = self.provider is None
        help = " ".join(part for part in (field.help, ENV_HELP) if part)
        single = self.add_secret("api_key", field.label, help, field.placeholder, required=field.required)
        rows = Rows(KEY_ROWS, "Add key")
        hints = ", ".join(f"{one.label} {one.hint}" for one in self.provider.keys) if self.provider is not None else ""
        words = "Calls are spread over them by weight; a key that is refused or limited is passed over."
        self.several = self.add(
            "api_keys", "API keys", rows, f"Now {hints}. An empty key stays as it is. {words}" if hints else words
        )
        single.setVisible(new)
        self.several.setVisible(not new)
        if new:
            self.more = button("Use several keys", "plain", "key", self.on_several)
            holder = QWidget()
            row = QHBoxLayout(holder)
            row.setContentsMargins(0, 0, 0, 0)
            row.addWidget(self.more)
            row.addStretch(1)
            self.add_widget(holder)

    def on_several(self) -> None:
        """Rows in place of the one field; what was written moves along."""
        self.fields["api_key"].hide()
        self.more.hide()
        self.several.show()
        self.set_values({"api_keys": [{"label": "first", "api_key": self.value("api_key")}, {"label": "second"}]})

    def _add_option(self, field: FieldView) -> None:
        path = f"options.{field.name}"
        if field.secret:
            self.add_secret(path, field.label, field.help, field.placeholder, field.required)
        else:
            self.add_text(path, field.label, field.help, field.placeholder, field.required)

    def collect(self) -> dict[str, Any]:
        """What the form says, as the actions take it."""
        values: dict[str, Any] = {"name": self.value("name")}
        if self._takes_key and not self.several.isHidden():
            values["api_keys"] = [_credential(row) for row in self.value("api_keys")]
        elif self._takes_key:
            values["api_key"] = self.value("api_key") or None
        before = self.provider.options if self.provider is not None else {}
        options = {field.name: _as_kept(self.value(f"options.{field.name}"), before.get(field.name)) for field in self._own}
        values["options"] = {**before, **options} if self.provider is None else options
        if not self.kind.local:
            values["base_url"] = self.value("base_url") or None
            values["accept_client_keys"] = self.value("accept_client_keys")
            values["headers"] = self._headers()
        return values

    def _headers(self) -> dict[str, str | None]:
        """New and changed values; in a patch, null for each header that was taken out."""
        rows = {row["name"]: row["value"] for row in self.value("headers") if row["name"] or row["value"]}
        known = self.provider.headers if self.provider is not None else {}
        for at, (name, value) in enumerate(rows.items()):
            if not value and name not in known:
                raise Invalid(f"headers[{at}].value: is required", f"headers[{at}].value")
        gone: dict[str, str | None] = {name: None for name in known if name not in rows}
        return gone | {name: value for name, value in rows.items() if value}


def _shown(provider: ProviderView) -> dict[str, Any]:
    return {
        "name": provider.name,
        "base_url": provider.base_url,
        "accept_client_keys": provider.accept_client_keys,
        "api_keys": [{"label": one.label, "weight": one.weight} for one in provider.keys],
        "headers": [{"name": name} for name in provider.headers],
        **{f"options.{name}": value for name, value in provider.options.items()},
    }


def _credential(row: dict[str, Any]) -> dict[str, Any]:
    one = {"label": row["label"] or "default", "weight": row["weight"] or 1}
    return one | ({"api_key": row["api_key"]} if row["api_key"] else {})


def _as_kept(text: str, before: Any) -> Any:
    """Nothing where nothing is written; a number where a number stood."""
    if not text:
        return None
    if isinstance(before, bool) or not isinstance(before, int | float):
        return text
    try:
        return type(before)(text)
    except ValueError:
        return text
