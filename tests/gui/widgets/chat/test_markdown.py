"""Streaming markdown: split the same for any fragments, drawn rarely, and without remote content."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication, QTextDocument
from pytestqt.qtbot import QtBot

from conduit_desktop.gui.widgets.chat.code import CodeBlock
from conduit_desktop.gui.widgets.chat.highlight import LONGEST_LINE, pattern
from conduit_desktop.gui.widgets.chat.markdown import MarkdownView
from conduit_desktop.gui.widgets.chat.markdown_blocks import (
    LONG_LIST,
    PROSE_SIZE,
    CodeChunk,
    MarkdownSplitter,
    ProseChunk,
    split_markdown,
)
from conduit_desktop.gui.widgets.chat.prose import ProseView, open_link

ANSWER = "# Title\n\nSome *words*.\n\n```python\nprint(1)\n\nprint(2)\n```\n\nAnd more.\n"
TEXTS = st.lists(st.sampled_from(["```", "~~~", "```py", "\n", "\n\n", "words ", "- item", "    ", "`", "| a | b |"]), max_size=40)


def test_prose_and_code_are_separated():
    """A fence ends prose; blank lines inside it are part of the code."""
    assert split_markdown(ANSWER) == [
        ProseChunk("# Title\n\nSome *words*."),
        CodeChunk("print(1)\n\nprint(2)", "python"),
        ProseChunk("And more."),
    ]


def test_a_shorter_fence_inside_a_longer_one_is_code():
    """A model that explains markdown nests fences."""
    assert split_markdown("````md\n```py\nx\n```\n````") == [CodeChunk("```py\nx\n```", "md")]


def test_long_prose_is_split_at_a_paragraph_and_a_short_list_is_not():
    listed = "\n\n".join(f"{n}. {'word ' * 30}" for n in range(1, 20))
    assert PROSE_SIZE < len(listed) < LONG_LIST
    assert split_markdown(f"{listed}\n\nA paragraph.") == [ProseChunk(listed), ProseChunk("A paragraph.")]


def test_a_very_long_list_is_split_at_an_item_and_keeps_its_numbers(qtbot: QtBot):
    """Rendering all of it ten times a second would stall the server."""
    listed = "\n".join(f"{n}. {'word ' * 10}" for n in range(1, 300))
    first, second, *_ = split_markdown(listed)
    assert isinstance(second, ProseChunk)
    number = int(second.text.split(".")[0])
    assert first == ProseChunk("\n".join(listed.split("\n")[: number - 1]))
    view = ProseView()
    qtbot.addWidget(view)
    view.show_markdown(second.text)
    block = view.document().begin()
    assert block.textList().itemText(block) == f"{number}."


def test_an_open_fence_is_shown_as_code():
    """A partial fence must not be shown as prose."""
    splitter = MarkdownSplitter()
    splitter.feed("Look:\n``")
    assert splitter.open_block() == ProseChunk("Look:\n``")
    splitter.feed("`py\nprint(")
    assert splitter.settled == [ProseChunk("Look:")]
    assert splitter.open_block() == CodeChunk("print(", "py")
    splitter.feed(")\n``")
    splitter.feed("`")
    assert splitter.open_block() == CodeChunk("print()", "py")


@given(TEXTS, st.integers(1, 7))
def test_any_split_of_a_text_makes_the_same_blocks(pieces: list[str], size: int):
    text = "".join(pieces)
    splitter = MarkdownSplitter()
    for start in range(0, len(text), size):
        splitter.feed(text[start : start + size])
    assert splitter.close() == split_markdown(text)


def test_many_deltas_are_drawn_once(qtbot: QtBot):
    """A repaint for each token would stall every stream of the server in this process."""
    view = MarkdownView()
    qtbot.addWidget(view)
    drawn: list[None] = []
    view.grew.connect(lambda: drawn.append(None))
    for word in ["word "] * 500:
        view.append(word)
    assert drawn == []
    view.flush()
    assert len(drawn) == 1
    assert view.markdown() == "word " * 500


def test_settled_blocks_keep_their_widgets_while_the_text_grows(qtbot: QtBot):
    view = MarkdownView()
    qtbot.addWidget(view)
    view.append("First.\n\n```js\n1\n```\n")
    view.flush()
    before = view.findChildren(CodeBlock)
    view.append("Then **this**.")
    view.finish()
    assert view.findChildren(CodeBlock) == before
    assert [prose.toPlainText() for prose in view.findChildren(ProseView)] == ["First.", "Then this."]


def test_code_is_copied_without_its_fence(qtbot: QtBot):
    view = MarkdownView()
    qtbot.addWidget(view)
    view.set_markdown(ANSWER)
    (code,) = view.findChildren(CodeBlock)
    code.copy_button.click()
    assert QGuiApplication.clipboard().text() == "print(1)\n\nprint(2)"
    assert code.copy_button.text().strip() == "Copied"


def test_an_image_in_a_response_is_not_fetched(qtbot: QtBot):
    """Fetching it would report to its server that the response was read; a file: URL would read a local file."""
    view = ProseView()
    qtbot.addWidget(view)
    view.show_markdown("![x](file:///etc/hostname) ![y](http://127.0.0.1:9/pixel.png)")
    for address in ("file:///etc/hostname", "http://127.0.0.1:9/pixel.png"):
        assert view.loadResource(QTextDocument.ResourceType.ImageResource.value, QUrl(address)) is None


def test_html_in_a_response_is_shown_as_text(qtbot: QtBot):
    view = ProseView()
    qtbot.addWidget(view)
    view.show_markdown("a <b>bold</b> <script>x</script>")
    assert view.toPlainText() == "a <b>bold</b> <script>x</script>"


def test_only_web_and_mail_links_open(monkeypatch):
    """A model can write any link; file: and custom schemes start programs."""
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    for address in ("https://a.b/c", "file:///bin/sh", "javascript:x", "vscode://x", "mailto:a@b.c"):
        open_link(QUrl(address))
    assert opened == ["https://a.b/c", "mailto:a@b.c"]


def test_code_is_coloured_by_token():
    """A URL in a string is part of the string, and a # inside a word starts no comment."""
    found = [(one.lastgroup, one.group()) for one in pattern("python").finditer('return "http://x#y", 12  # why')]
    assert found == [("word", "return"), ("text", '"http://x#y"'), ("number", "12"), ("comment", "# why")]
    found = [(one.lastgroup, one.group()) for one in pattern("js").finditer("const a = b /* c */; // d")]
    assert found == [("word", "const"), ("comment", "/* c */"), ("comment", "// d")]


def test_a_very_long_line_is_not_coloured(qtbot: QtBot):
    code = CodeBlock("x = 1\n" + "1 " * LONGEST_LINE, "python")
    qtbot.addWidget(code)
    short, long = code.body.document().firstBlock(), code.body.document().lastBlock()
    assert len(short.layout().formats()) == 1
    assert long.layout().formats() == []
