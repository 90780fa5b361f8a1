"""Forms: values by path, and errors at their fields."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from conduit_desktop.gui.widgets.forms.editors import Combo, Number, SecretText, TextList, Toggle
from conduit_desktop.gui.widgets.forms.form import Form
from conduit_desktop.gui.widgets.forms.row_editor import RowField, Rows


def built() -> Form:
    form = Form()
    form.add_text("name", "Name", "What you call it")
    form.add_secret("api_key", "API key")
    form.add_number("budget_usd", "Budget", unit="USD", decimals=2)
    form.add_combo("period", "Period", [("Each day", "daily"), ("Each month", "monthly")])
    form.add_toggle("enabled", "Enabled")
    form.add_list("models", "Models")
    form.add_rows(
        "targets",
        "Targets",
        [RowField("provider", "Provider", "combo", ["openai"]), RowField("weight", "Weight", "number", default=1)],
    )
    return form


def test_values_are_returned_as_they_were_set(qtbot: QtBot):
    form = built()
    qtbot.addWidget(form)
    values = {
        "name": "work",
        "api_key": "k",
        "budget_usd": 2.5,
        "period": "monthly",
        "enabled": True,
        "models": ["a", "b*"],
        "targets": [{"provider": "openai", "weight": 3}, {"provider": "my own", "weight": 1}],
    }
    form.set_values(values)
    assert form.values() == values


def test_setting_values_does_not_emit_changed(qtbot: QtBot):
    form = built()
    qtbot.addWidget(form)
    touched: list[str] = []
    form.changed.connect(touched.append)
    form.set_values({"name": "x", "period": "monthly", "enabled": True, "models": ["m"], "targets": [{"provider": "openai"}]})
    assert touched == []
    form.show()
    qtbot.keyClicks(form.fields["name"].editor.focus_target(), "y")
    qtbot.mouseClick(form.fields["enabled"].editor.focus_target(), Qt.MouseButton.LeftButton)
    assert touched == ["name", "enabled"]
    assert form.value("enabled") is False


def test_an_error_is_shown_at_its_field_until_the_next_edit(qtbot: QtBot):
    form = built()
    qtbot.addWidget(form)
    form.show()
    form.show_errors({"name": "Is taken", "nowhere": "The file is locked"})
    assert form.fields["name"].error.text() == "Is taken"
    assert form.fields["name"].error.isVisible()
    assert not form.fields["name"].help.isVisible()
    assert form.error.text() == "The file is locked"
    qtbot.keyClicks(form.fields["name"].editor.focus_target(), "2")
    assert not form.fields["name"].error.isVisible()
    form.clear_errors()
    assert not form.error.isVisible()


def test_an_error_inside_a_row_is_shown_in_that_row(qtbot: QtBot):
    form = built()
    qtbot.addWidget(form)
    form.show()
    form.set_values({"targets": [{"provider": "a"}, {"provider": "b"}]})
    form.show_errors({"targets.1.provider": "No such provider"})
    rows = form.fields["targets"].editor
    assert isinstance(rows, Rows)
    assert [row.error.text() for row in rows.rows] == ["", "No such provider"]
    form.show_errors({"targets": "At least one"})
    assert form.fields["targets"].error.text() == "At least one"


def test_rows_are_added_and_removed_and_keep_hidden_values(qtbot: QtBot):
    form = built()
    qtbot.addWidget(form)
    form.show()
    form.set_values({"targets": [{"provider": "openai", "weight": 1, "id": "kept"}]})
    rows = form.fields["targets"].editor
    assert isinstance(rows, Rows)
    qtbot.mouseClick(rows.add_button, Qt.MouseButton.LeftButton)
    assert len(rows.rows) == 2
    assert rows.value()[0] == {"provider": "openai", "weight": 1, "id": "kept"}
    rows.rows[0].removed.emit()
    assert [row["weight"] for row in rows.value()] == [1]


def test_a_secret_is_masked_until_its_button_is_clicked(qtbot: QtBot):
    secret = SecretText()
    qtbot.addWidget(secret)
    secret.show()
    assert secret.line.echoMode() == QLineEdit.EchoMode.Password
    qtbot.mouseClick(secret.eye, Qt.MouseButton.LeftButton)
    assert secret.line.echoMode() == QLineEdit.EchoMode.Normal


def test_a_number_field_returns_a_number_none_or_the_invalid_text(qtbot: QtBot):
    number = Number(decimals=2)
    qtbot.addWidget(number)
    assert number.value() is None
    for text, value in (("12", 12.0), ("1,250.5", 1250.5), ("1,5", "1,5"), ("1,25", "1,25"), ("abc", "abc")):
        number.line.setText(text)
        assert number.value() == value
    whole = Number()
    qtbot.addWidget(whole)
    whole.line.setText("7")
    assert whole.value() == 7
    assert isinstance(whole.value(), int)
    for text in ("nan", "-inf", "1e400", "1e30", "9007199254740993"):
        whole.line.setText(text)
        assert whole.value() == text, "what JSON or a float cannot hold is refused by the action, with the field's name"
    whole.set_value(0.0000005)
    assert whole.line.text() == "0.0000005"


def test_a_combo_keeps_its_value_when_its_choices_change(qtbot: QtBot):
    combo = Combo(["a", "b"])
    qtbot.addWidget(combo)
    combo.set_value("b")
    combo.set_choices(["b", "c"])
    assert combo.value() == "b"
    free = Combo(["a"], editable=True)
    qtbot.addWidget(free)
    free.set_value("of my own")
    assert free.value() == "of my own"


def test_a_list_takes_lines_and_commas(qtbot: QtBot):
    texts = TextList()
    qtbot.addWidget(texts)
    texts.area.setPlainText(" a, b\n\nc ")
    assert texts.value() == ["a", "b", "c"]


def test_space_toggles_a_switch(qtbot: QtBot):
    toggle = Toggle()
    qtbot.addWidget(toggle)
    toggle.show()
    edits: list[int] = []
    toggle.edited.connect(lambda: edits.append(1))
    qtbot.keyClick(toggle.switch, Qt.Key.Key_Space)
    assert toggle.value() is True
    assert edits == [1]
