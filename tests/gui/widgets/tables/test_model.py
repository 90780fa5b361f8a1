"""The table model, checked by Qt's model tester, and the table view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.tables.model import SORT, Column, TableFilter, TableModel
from conduit_desktop.gui.widgets.tables.view import TableView


@dataclass(frozen=True)
class Fruit:
    name: str
    weight: int | None = 0
    ripe: bool = True


COLUMNS: list[Column[Fruit]] = [
    Column("Name", lambda fruit: fruit.name),
    Column("Weight", lambda fruit: f"{fruit.weight} g", sort=lambda fruit: fruit.weight, align="right", width=90, hide_order=1),
    Column("State", lambda fruit: "ripe" if fruit.ripe else "green", pill=True, colour=lambda fruit: "success", width=90),
]


def fruits(*names: str) -> list[Fruit]:
    return [Fruit(name, len(name)) for name in names]


@pytest.fixture
def model() -> Iterator[TableModel[Fruit]]:
    made: TableModel[Fruit] = TableModel(COLUMNS, key=lambda fruit: fruit.name)
    tester = QAbstractItemModelTester(made, QAbstractItemModelTester.FailureReportingMode.Fatal)
    yield made
    del tester


def shown(view: TableView[Any], column: int = 0) -> list[str]:
    return [view.proxy.index(row, column).data() for row in range(view.proxy.rowCount())]


def test_rows_are_replaced_without_a_reset(model: TableModel[Fruit]):
    resets: list[int] = []
    model.modelReset.connect(lambda: resets.append(1))
    model.set_rows(fruits("apple", "pear", "fig"))
    model.set_rows([Fruit("pear", 99), *fruits("kiwi", "apple")])
    assert [fruit.name for fruit in model.rows] == ["apple", "pear", "kiwi"]
    assert model.row("pear") == Fruit("pear", 99)
    assert model.row("fig") is None
    assert resets == []


def test_only_rows_that_changed_are_announced(model: TableModel[Fruit]):
    model.set_rows(fruits("apple", "pear"))
    changed: list[int] = []
    model.dataChanged.connect(lambda first, last, roles: changed.append(first.row()))
    model.upsert([Fruit("pear", 1), *fruits("apple")])
    assert changed == [1]


def test_new_rows_are_inserted_at_the_top_and_the_oldest_trimmed(model: TableModel[Fruit]):
    model.set_rows(fruits("a", "b", "c"))
    model.upsert(fruits("z", "y"), at_top=True)
    model.trim(4)
    assert [fruit.name for fruit in model.rows] == ["z", "y", "a", "b"]
    assert model.place("c") is None
    assert model.place("b") == 3


names = st.lists(st.sampled_from("abcdefghij"), unique=True)


@given(st.lists(names, min_size=1, max_size=5))
@settings(max_examples=40)
def test_any_order_of_updates_leaves_exactly_the_wanted_rows(steps: list[list[str]]):
    made: TableModel[Fruit] = TableModel(COLUMNS, key=lambda fruit: fruit.name)
    tester = QAbstractItemModelTester(made, QAbstractItemModelTester.FailureReportingMode.Fatal)
    proxy = TableFilter(made)
    proxy.sort(0)
    for step in steps:
        made.set_rows(fruits(*step))
        assert {fruit.name for fruit in made.rows} == set(step)
        assert all(made.rows[made.place(name) or 0].name == name for name in step)
        assert [proxy.index(row, 0).data() for row in range(proxy.rowCount())] == sorted(step)
    del tester


def test_numbers_sort_as_numbers_and_unknown_ones_lowest(model: TableModel[Fruit], qtbot: QtBot):
    view: TableView[Fruit] = TableView(model)
    qtbot.addWidget(view)
    big = 2**40
    model.set_rows([Fruit("ten", 10), Fruit("nine", 9), Fruit("big", big), Fruit("none", None)])
    view.sort_by(1)
    assert shown(view) == ["none", "nine", "ten", "big"]
    view.sort_by(1, descending=True)
    assert shown(view) == ["big", "ten", "nine", "none"]
    assert isinstance(model.index(0, 1).data(SORT), float)


def test_every_word_of_the_filter_must_occur(model: TableModel[Fruit], qtbot: QtBot):
    view: TableView[Fruit] = TableView(model)
    qtbot.addWidget(view)
    model.set_rows([Fruit("red apple"), Fruit("green apple", ripe=False), Fruit("pear")])
    view.set_filter("APPLE green")
    assert shown(view) == ["green apple"]
    view.set_filter("")
    view.proxy.set_predicate(lambda fruit: fruit.ripe)
    assert shown(view) == ["red apple", "pear"]


def test_an_empty_table_shows_its_empty_state_and_a_filter_without_match_another(model: TableModel[Fruit], qtbot: QtBot):
    empty = EmptyState("tray", "No fruit", "Plant a tree.")
    view: TableView[Fruit] = TableView(model, empty)
    qtbot.addWidget(view)
    view.show()
    assert empty.isVisible()
    model.set_rows(fruits("fig"))
    assert view.table.isVisible()
    view.set_filter("melon")
    assert not view.table.isVisible()
    assert not empty.isVisible()
    view.set_filter("")
    assert view.table.isVisible()
    model.set_rows([])
    assert empty.isVisible()


def test_a_click_selects_a_row_by_its_key_and_enter_activates_it(model: TableModel[Fruit], qtbot: QtBot):
    view: TableView[Fruit] = TableView(model)
    qtbot.addWidget(view)
    view.resize(600, 300)
    view.show()
    model.set_rows(fruits("apple", "pear"))
    view.sort_by(0, descending=True)
    selected: list[Any] = []
    activated: list[Any] = []
    view.selected.connect(selected.append)
    view.activated.connect(activated.append)
    spot = view.table.visualRect(view.index("apple")).center()
    qtbot.mouseClick(view.table.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    assert selected == ["apple"]
    assert view.current() == Fruit("apple", 5)
    qtbot.keyClick(view.table, Qt.Key.Key_Return)
    assert activated == ["apple"]
    model.upsert(fruits("zucchini"), at_top=True)
    assert view.current() == Fruit("apple", 5)


def test_a_narrow_table_hides_columns_in_order(model: TableModel[Fruit], qtbot: QtBot):
    view: TableView[Fruit] = TableView(model)
    qtbot.addWidget(view)
    view.show()
    model.set_rows(fruits("apple"))
    view.resize(900, 200)
    assert not view.table.isColumnHidden(1)
    view.resize(300, 200)
    assert view.table.isColumnHidden(1)
    assert not view.table.isColumnHidden(2)


def test_an_index_outside_the_model_has_no_data(model: TableModel[Fruit]):
    model.set_rows(fruits("apple"))
    assert model.rowCount(model.index(0, 0)) == 0
    assert model.data(QModelIndex()) is None
    assert model.headerData(7, Qt.Orientation.Horizontal) is None


def test_a_change_in_a_row_repaints_all_its_columns(model: TableModel[Fruit]):
    model.set_rows(fruits("apple", "pear", "fig"))
    spans: list[tuple[int, int, int, int]] = []
    model.dataChanged.connect(lambda first, last, roles: spans.append((first.row(), first.column(), last.row(), last.column())))
    model.upsert([Fruit("pear", 1)])
    model.set_rows([Fruit("apple"), Fruit("pear", 1), Fruit("fig", 3, ripe=False)])
    assert spans == [(1, 0, 1, 2), (0, 0, 0, 2), (2, 0, 2, 2)]


def test_a_tooltip_of_a_cell_shows_markup_as_text():
    """A tooltip has no text format: Qt guesses whether it is HTML."""
    table: TableModel[Fruit] = TableModel([Column("Name", lambda fruit: fruit.name, tooltip=lambda fruit: fruit.name)], key=id)
    table.set_rows([Fruit("<b>fig</b>"), Fruit("fig")])
    escaped, plain = (table.index(row, 0).data(Qt.ItemDataRole.ToolTipRole) for row in range(2))
    assert "&lt;b&gt;fig" in escaped
    assert plain == "fig"
