"""Secrets are redacted by their value, in every form in which they travel."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from conduit_desktop.core.secret_values import REDACTED, SecretValues

SECRET = 'Tr0ub4dor & "3" käse/+'


@pytest.fixture
def known() -> SecretValues:
    values = SecretValues()
    values.add(SECRET)
    return values


@pytest.mark.parametrize("around", ["", "a", "ab", "abc", "user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode], ids=["standard", "url-safe"])
def test_a_secret_in_base64_is_redacted_wherever_it_begins(known: SecretValues, around: str, encode) -> None:
    encoded = encode(f"{around}{SECRET}{around}".encode()).decode()
    shown = known.redact(f"Authorization: Basic {encoded}")
    assert REDACTED in shown
    left = shown.split()[-1].replace(REDACTED, "").rstrip("=")
    assert len(left) <= 4 * (len(around) * 2 + 2) / 3 + 2, "more of the secret is left than the bits next to its neighbours"


def test_a_secret_is_redacted_as_it_is_in_json_and_in_a_url(known: SecretValues) -> None:
    text = f"{SECRET}, {json.dumps({'key': SECRET}, ensure_ascii=False)}, https://x/?key={quote(SECRET, safe='')}"
    assert known.redact(text) == f'{REDACTED}, {{"key": "{REDACTED}"}}, https://x/?key={REDACTED}'


def test_a_secret_without_any_known_prefix_is_redacted_in_bytes() -> None:
    values = SecretValues()
    values.add("0123abcd4567")
    assert values.redact_bytes(b"\xff 0123abcd4567 \xfe") == b"\xff [credential] \xfe"


def test_virtual_keys_and_master_keys_are_redacted_though_only_their_digest_is_kept() -> None:
    values, key = SecretValues(), "condt_" + "aB3-_" * 8 + "xyz"
    for text in (key, key.replace("condt_", "condm_")):
        for before in ("", "x", "xy"):
            encoded = base64.b64encode(f"{before}{text}".encode()).decode()
            assert REDACTED in values.redact(encoded), before
        assert values.redact(f"Bearer {text}.") == f"Bearer {REDACTED}."


def test_the_longer_of_two_secrets_is_redacted_first() -> None:
    values = SecretValues()
    values.add("abcdefgh", "abcdefghijkl")
    assert values.redact("abcdefghijkl abcdefgh") == f"{REDACTED} {REDACTED}"


def test_what_users_type_in_place_of_a_key_redacts_no_ordinary_word() -> None:
    values = SecretValues()
    values.add("x", "ollama", "not-needed", "", None)
    assert values.redact("ollama: x is not-needed") == "ollama: x is not-needed"


def test_parts_of_a_credential_that_are_secrets_themselves_are_redacted() -> None:
    values = SecretValues()
    values.add(
        json.dumps(
            {
                "type": "service_account",
                "private_key": "-----BEGIN\nMIIEvQIBADANBg\n-----END",
                "client_email": "me@example.org",
            }
        )
    )
    values.add("AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMIK7MDENG/bPxRfiCYEXAMPLEKEY")
    assert "MIIEvQ" not in values.redact("bad key -----BEGIN\nMIIEvQIBADANBg\n-----END")
    assert "me@example" in values.redact("me@example.org")
    assert values.redact("with wJalrXUtnFEMIK7MDENG/bPxRfiCYEXAMPLEKEY") == f"with {REDACTED}"


def test_the_number_of_known_values_is_bounded() -> None:
    values = SecretValues()
    values.add(*(f"secret-number-{number}" for number in range(10_050)))
    assert values.redact("secret-number-10049") == REDACTED
    assert len(values._values) == 10_000


@pytest.mark.parametrize(
    "encode",
    [
        lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1].replace("/", "\\/"),
        lambda secret: json.dumps(secret)[1:-1],
        quote_plus,
        lambda secret: quote(secret, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace("%C3%A4", "%c3%a4"),
        html.escape,
        lambda secret: secret.encode().hex(),
        lambda secret: secret.encode().hex().upper(),
    ],
    ids=["slashes escaped", "ascii", "form", "lower-case url", "html", "hex", "upper-case hex"],
)
def test_a_secret_is_redacted_as_other_programs_write_it(known: SecretValues, encode: Callable[[str], str]) -> None:
    assert known.redact(f"<{encode(SECRET)}>") == f"<{REDACTED}>"


KEY = "sk-proj-a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"Incorrect key {KEY[:-3]}", f"Incorrect key {REDACTED}"), (f"{KEY[:20]}… is wrong", f"{REDACTED}… is wrong"),
        (f"{KEY[:24]}\n{KEY[24:]}", f"{REDACTED}\n{REDACTED}"), (f"…{KEY[-18:]}", f"…{REDACTED}"),
        (f"{KEY[:16]}{KEY[:16]}", REDACTED * 2), (f"{KEY[:8]}****{KEY[-4:]}", f"{KEY[:8]}****{KEY[-4:]}"),
    ],
)  # fmt: skip
def test_a_key_that_a_message_cuts_or_breaks_is_redacted_but_for_what_vendors_show_of_it(text: str, left: str) -> None:
    values = SecretValues()
    values.add(KEY)
    assert values.redact(text) == left


def test_the_beginning_of_a_secret_that_is_no_key_redacts_no_other_text() -> None:
    values = SecretValues()
    values.add("https://hooks.example.com/services/T0123456789/B0123456789", "a passphrase of 5 words that is long enough")
    values.add('{"type": "service_account", "project_id": "p-0123456789"}', "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101")
    text = (
        "https://hooks.example.com/other, a passphrase of 5 words, Mozilla/5.0 (X11; Linux i686), " + '{"type": "service_account"}'
    )
    assert values.redact(text) == text


def test_a_change_of_the_secrets_is_noticed_by_who_keeps_redacted_texts() -> None:
    values = SecretValues()
    before = values.generation
    values.add("0123abcd4567")
    assert values.generation != before
    before = values.generation
    values.add("0123abcd4567")
    assert values.generation == before
