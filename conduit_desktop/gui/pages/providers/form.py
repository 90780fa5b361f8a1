"""The form of one provider kind: API keys, options, base URL and headers."""

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
ENV_HELP = "Stored in the secret store. Use env:NAME to read it from an environment variable."


def free_name(wanted: str, taken: Sequence[str]) -> str:
    """`wanted` if it is free, else `wanted-2` and so on."""
    # In any case, as the gateway finds providers.
    lowered = {name.lower() for name in taken}
    return next(name for name in (wanted, *(f"{wanted}-{number}" for number in range(2, 1000))) if name.lower() not in lowered)


class ProviderForm(Form):
    """The fields of one kind, filled in for an existing provider."""

    def __init__(self, kind: KindView, taken: Sequence[str], provider: ProviderView | None) -> None:
        super().__init__()
        self.kind = kind
        self.provider = provider
        self._own = [field for field in kind.fields if field.name not in ("api_key", "base_url")]
        given = {field.name: field for field in kind.fields}
        self.add_text("name", "Name", "Clients can use name/model to call it directly.", required=True)
        self._takes_key = "api_key" in given
        if self._takes_key:
            self._add_keys(given["api_key"])
        for field in self._own:
            self._add_option(field)
        base = given.get("base_url")
        if not kind.local:
            help = (base.help if base else "") or (f"Default: {kind.base_url}" if kind.base_url else "")
            placeholder = (base.placeholder if base else "") or kind.base_url
            label = base.label if base else "Base URL"
            self.add_text("base_url", label, help, placeholder, required=bool(base and base.required))
            self.add_widget(section("Advanced"))
            self.add_rows(
                "headers",
                "Extra headers",
                HEADER_ROWS,
                "Sent with every request. Values are kept in the secret store.",
                "Add header",
            )
            help = (
                "Clients may send a key or login of this provider, which is passed on unchanged and never stored. A virtual key "
                "next to it, in the header x-conduit-key, sets the limits and the budget; without one there are none. Whether a "
                "subscription's login may be used through a gateway is for the vendor's terms to say."
            )
            self.add_toggle("accept_client_keys", "Accept clients' own API keys", help)
        self.set_values({"name": free_name(kind.kind, taken)} if provider is None else _shown(provider))

    def _add_keys(self, field: FieldView) -> None:
        new = self.provider is None
        help = " ".join(part for part in (field.help, ENV_HELP) if part)
        single = self.add_secret("api_key", field.label, help, field.placeholder, required=field.required)
        rows = Rows(KEY_ROWS, "Add key")
        hints = ", ".join(f"{one.label} {one.hint}" for one in self.provider.keys) if self.provider is not None else ""
        text = "Requests are distributed by weight. A key that is rejected or rate limited is skipped."
        self.several = self.add(
            "api_keys", "API keys", rows, f"Current keys: {hints}. Leave a key empty to keep it. {text}" if hints else text
        )
        # The stored key of an existing provider cannot be shown, so it has rows with labels and hints.
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
        """Replace the single field by rows, and keep the key that was entered."""
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
        """The values of the form, as `NewProvider` and `ProviderPatch` take them. Raises Invalid for a header without a value."""
        values: dict[str, Any] = {"name": self.value("name")}
        # Not `isVisible`, which is False for every widget of a form that is not on the screen yet.
        if self._takes_key and not self.several.isHidden():
            values["api_keys"] = [_credential(row) for row in self.value("api_keys")]
        elif self._takes_key:
            values["api_key"] = self.value("api_key") or None
        before = self.provider.options if self.provider is not None else {}
        options = {field.name: _option_value(self.value(f"options.{field.name}"), before.get(field.name)) for field in self._own}
        values["options"] = {**before, **options} if self.provider is None else options
        if not self.kind.local:
            values["base_url"] = self.value("base_url") or None
            values["accept_client_keys"] = self.value("accept_client_keys")
            values["headers"] = self._headers()
        return values

    def _headers(self) -> dict[str, str | None]:
        """New and changed values, and None for each removed header of an existing provider."""
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
    # Left out, not empty: the stored key of this label is then kept.
    return one | ({"api_key": row["api_key"]} if row["api_key"] else {})


def _option_value(text: str, before: Any) -> Any:
    """None for an empty text; a number if the stored value is a number."""
    if not text:
        return None
    # A bool is an int in Python, and `bool` of any text, even `false`, is True.
    if isinstance(before, bool) or not isinstance(before, int | float):
        return text
    try:
        return type(before)(text)
    except ValueError:
        return text
