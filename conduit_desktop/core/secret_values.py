"""Redacts secrets by their value: every secret that this process has read or made is known here, and no text may show it.

A secret is added where it enters the process (`store/secrets`, the environment). Logs, errors, notifications and stored bodies pass
through `SECRETS.redact`.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

REDACTED = "[credential]"
_SHORT = 8
"""A shorter credential may be part of an ordinary word: it is redacted only as a whole word."""
# Local servers take any key, even `x`: redacting that would destroy every message.
_TOO_SHORT = 4
_PLACEHOLDERS = frozenset({
    "anything", "default", "demo", "dummy", "empty", "false", "key", "llama.cpp", "llamacpp", "lm-studio", "lmstudio", "local",
    "localhost", "no-key", "no-key-needed", "no-key-required", "none", "not-needed", "null", "ollama", "password", "secret",
    "sk-no-key-required", "test", "token", "true", "unused", "vllm",
})  # fmt: skip
"""What users type where a server needs no key: words of ordinary messages."""
_MOST = 10_000
"""Values that are known at most, the newest: each change of a key adds one."""
_KEY_NAME = re.compile(r"key|secret|token|password|passphrase|credential", re.IGNORECASE)
_END = 16
"""Characters of a beginning or an end by which a cut key is known: more than vendors show of one, or begin all of theirs with."""
_LONG_KEY = re.compile(r"(?=.*[0-9])[A-Za-z0-9][A-Za-z0-9_.=+/~-]{31,}")
_ESCAPED_BYTE = re.compile("%[0-9A-F]{2}")
_LEAST_PART = 16
"""Characters of a part of a credential, such as the private key of a service account, that is a secret by itself."""


def forms_of(secret: str) -> Iterator[str]:
    """The secret as it is, as in JSON, a URL, a form, HTML and hexadecimal, and what its base64 has whatever stands around it."""
    yield secret
    for ascii_only in (False, True):
        escaped = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield escaped
        yield escaped.replace("/", "\\/")  # as PHP writes it
    for quoted in (quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace")):
        yield quoted
        yield _ESCAPED_BYTE.sub(lambda found: found[0].lower(), quoted)
    yield html.escape(secret)
    if len(secret) >= _SHORT:
        data = secret.encode("utf-8", "surrogateescape")
        yield data.hex()
        yield data.hex().upper()
        yield from base64_forms(data)


def ends_of(secret: str) -> tuple[str, str] | None:
    """The beginning and the end of a long key: one of them is left where a text was cut or broken within it.

    None for what is no key by its shape, whose ends may be those of other texts: sentences, addresses, JSON.
    """
    return (secret[:_END], secret[-_END:]) if _LONG_KEY.fullmatch(secret) else None


def base64_forms(data: bytes) -> Iterator[str]:
    """What every base64 of a text with `data` in it contains, for each of the three places where it may begin."""
    for before in range(3):
        # The first and the last characters also hold bits of the neighbours.
        start, size = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        for alphabet in (None, b"-_"):
            encoded = base64.b64encode(b"\0" * before + data, alphabet).decode()
            yield encoded[start:size]


def without(form: str, text: str) -> str:
    """`text` without that form of a secret."""
    if form not in text:
        return text
    return text.replace(form, REDACTED) if len(form) >= _SHORT else re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", REDACTED, text)


def _in_base64(prefix: bytes) -> str:
    return "|".join(dict.fromkeys(re.escape(form) for form in base64_forms(prefix)))


# Only the digest of a virtual key is kept, so these are known by their shape, which is fully determined: prefix and 32 bytes.
_OWN_KEYS = re.compile(
    rf"cond[tm]_[A-Za-z0-9_-]{{43}}|(?:{_in_base64(b'condt_')}|{_in_base64(b'condm_')})[A-Za-z0-9+/_-]{{50,}}={{0,2}}"
)
_HAS_OWN_KEY = re.compile("cond[tm]_|" + "|".join(dict.fromkeys((_in_base64(b"condt_"), _in_base64(b"condm_")))))


class SecretValues:
    """The secrets of this process."""

    def __init__(self) -> None:
        self._values: dict[str, None] = {}
        self._forms: dict[str, None] | None = {}
        """The forms of all values, longest first; None after a change."""
        self._ends: dict[str, str] = {}
        """The value of each of the `ends_of` values."""
        self.generation = 0
        """Another number after each change, for what keeps redacted texts."""

    def add(self, *secrets: str | None) -> None:
        """Redact these from now on. What is too short, or a word that users type in place of a key, is left out."""
        for secret in secrets:
            if secret is None or secret in self._values or len(secret) < _TOO_SHORT or secret.lower() in _PLACEHOLDERS:
                continue
            self._values[secret] = None
            for part in _parts(secret):
                self._values[part] = None
            self._forms = None
            self.generation += 1
        while len(self._values) > _MOST:
            del self._values[next(iter(self._values))]

    def redact(self, text: str) -> str:
        """`text` without secrets."""
        for form in self._known_forms():
            if form in text:
                text = without(form, text)
        for end in self._ends:
            if end in text:
                text = _without_part(self._ends[end], end, text)
        return _OWN_KEYS.sub(REDACTED, text) if _HAS_OWN_KEY.search(text) else text

    def redact_values(self, value: Any) -> Any:
        """A JSON value without secrets in its texts."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, Mapping):
            return {name: self.redact_values(one) for name, one in value.items()}
        return [self.redact_values(one) for one in value] if isinstance(value, (list, tuple)) else value

    def redact_bytes(self, data: bytes) -> bytes:
        """The same of bytes; those that are not UTF-8 stay as they are."""
        text = data.decode("utf-8", "surrogateescape")
        redacted = self.redact(text)
        return data if redacted is text or redacted == text else redacted.encode("utf-8", "surrogateescape")

    def _known_forms(self) -> Iterable[str]:
        # Threads log too: a change meanwhile sets the attribute anew, and this list stays whole.
        forms = self._forms
        if forms is None:
            values = tuple(self._values)
            found = {form for value in values for form in forms_of(value)}
            self._ends = {end: value for value in values for end in ends_of(value) or ()}
            # The longest first: a secret may be a part of another.
            forms = self._forms = dict.fromkeys(sorted(found, key=len, reverse=True))
        return forms


def _without_part(secret: str, end: str, text: str) -> str:
    """`text` without the beginning, or the end, of a secret, and what else of it follows, or precedes."""
    while (at := text.find(end)) >= 0:
        start, stop = at, at + len(end)
        if secret.startswith(end):
            while stop - start < len(secret) and text[stop : stop + 1] == secret[stop - start]:
                stop += 1
        else:
            while stop - start < len(secret) and start > 0 and text[start - 1] == secret[-(stop - start) - 1]:
                start -= 1
        text = text[:start] + REDACTED + text[stop:]
    return text


def _parts(secret: str) -> Iterator[str]:
    """Secrets within a secret: fields of a service account's JSON, the secret of an access key (`ID:secret`)."""
    if secret[:1] == "{":
        try:
            value = json.loads(secret)
        except ValueError:
            return
        for name, part in value.items() if isinstance(value, dict) else ():
            if isinstance(part, str) and len(part) >= _LEAST_PART and _KEY_NAME.search(name):
                yield part
    elif ":" in secret and "://" not in secret:
        yield from (part for part in secret.split(":")[1:] if len(part) >= _LEAST_PART)


SECRETS = SecretValues()
"""Those of this process; logs have no other way to know them."""
