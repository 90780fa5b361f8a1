"""Multipart forms: what is in them, and one field exchanged."""

import email.parser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.core.errors import BadRequest
from conduit_desktop.wire.framing import multipart
from conduit_desktop.wire.framing.multipart import parse

KIND = "multipart/form-data; boundary=xyz"
FORM = (
    b"--xyz\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n"
    b"--xyz\r\nContent-Disposition: form-data; name=\"tags[]\"\r\n\r\none\r\n"
    b"--xyz\r\nContent-Disposition: form-data; name=\"tags[]\"\r\n\r\ntwo\r\n"
    b"--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a \\\"b\\\".mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n"
    b"\x00\xff--xy\r\n\r\nbytes\r\n--xyz--\r\n"
)  # fmt: skip


def standard(raw: bytes, content_type: str) -> list[tuple[str, str | None, bytes]]:
    """The parts as Python's own parser reads them."""
    parsed: Any = email.parser.BytesParser().parsebytes(f"content-type: {content_type}\r\n\r\n".encode() + raw)
    return [
        (str(part.get_param("name", header="content-disposition")), part.get_filename(), part.get_payload(decode=True))
        for part in parsed.get_payload()
    ]


def test_fields_and_files_are_found() -> None:
    form = parse(FORM, KIND)
    assert form.fields() == {"model": "whisper", "tags": ["one", "two"]}
    assert [part.filename for part in form.parts if part.filename] == ['a "b".mp3']
    assert form.files_size == len(b"\x00\xff--xy\r\n\r\nbytes")


def test_a_field_is_exchanged_and_everything_else_stays() -> None:
    form = parse(FORM, KIND)
    changed = parse(form.with_fields({"model": "gpt-4o-transcribe", "tags": None}), form.content_type)
    assert changed.fields() == {"model": "gpt-4o-transcribe"}
    assert standard(changed.body, form.content_type)[-1][2] == b"\x00\xff--xy\r\n\r\nbytes"


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.text(max_size=40), min_size=1), st.binary(max_size=200))
def test_any_form_keeps_its_file_when_the_model_is_exchanged(fields: dict[str, str], data: bytes) -> None:
    boundary = b"q8Zk31"
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + text.encode() for name, text in fields.items()]
    parts.append(b'Content-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + data)
    raw = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"
    form = parse(raw, "multipart/form-data; boundary=q8Zk31")
    assert form.fields() == fields
    changed = parse(form.with_fields({"model": "new"}), form.content_type)
    assert changed.fields() == {**fields, "model": "new"}
    file = changed.parts[-1]
    assert changed.body[file.start : file.end] == data


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"", KIND), (b"--xyz--\r\n", KIND), (b"--xyz\r\n", KIND), (FORM[:60], KIND), (FORM, "multipart/form-data"),
        (b"--xyz\r\n\r\nno headers\r\n--xyz--", KIND), (b"junk", KIND), (FORM, "multipart/form-data; boundary=\x01"),
        (b"--xyzmore\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--xyz--", KIND),
    ],
)  # fmt: skip
def test_a_body_that_is_not_a_form_is_refused(raw: bytes, kind: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(raw, kind)
    assert refused.value.code == "invalid_multipart"


@given(st.binary(max_size=300))
def test_no_bytes_make_the_parser_fail_otherwise(raw: bytes) -> None:
    for body in (raw, b"--xyz\r\n" + raw, FORM[:50] + raw):
        try:
            parse(body, KIND).fields()
        except BadRequest:
            pass
        else:
            assert b"--xyz" in body


@pytest.mark.parametrize("offset", range(-20, 3))
def test_a_delimiter_is_found_wherever_the_steps_of_the_search_cut_it(monkeypatch: pytest.MonkeyPatch, offset: int) -> None:
    monkeypatch.setattr(multipart, "_STEP", 64)
    head = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    form = head + b"x" * (640 + offset) + b"\r\n--xyz--\r\n"
    parsed = parse(form, KIND)
    assert parsed.files_size == 640 + offset
    assert parsed.with_fields({"model": "m"}).endswith(form)


def test_a_field_without_a_file_name_has_a_bound() -> None:
    part = b'--xyz\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n%b\r\n--xyz--\r\n'
    assert parse(part % (b"x" * 1_000_000), KIND).fields()["prompt"]
    with pytest.raises(BadRequest, match="its field 'prompt' has more than 1 MiB"):
        parse(part % (b"x" * 1_100_000), KIND)
