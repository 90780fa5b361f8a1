"""Redacts secrets by their value: every secret that this process has read or made is known here, and no text may show it.

A secret is added where it enters the process (`store/secrets`, the environment). Logs, errors, notifications and stored bodies pass
through `SECRETS.redact`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

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
_LEAST_PART = 16
"""Characters of a part of a credential, such as the private key of a service account, that is a secret by itself."""


def forms_of(secret: str) -> Iterator[str]:
    """The secret as it is, as in JSON, as in a URL, and the parts of its base64 that do not depend on what stands around it."""
    yield secret
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield quote(secret, safe="", errors="replace")
    if len(secret) >= _SHORT:
        yield from base64_forms(secret.encode("utf-8", "surrogateescape"))


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

    def add(self, *secrets: str | None) -> None:
        """Redact these from now on. What is too short, or a word that users type in place of a key, is left out."""
        for secret in secrets:
            if secret is None or secret in self._values or len(secret) < _TOO_SHORT or secret.lower() in _PLACEHOLDERS:
                continue
            self._values[secret] = None
            for part in _parts(secret):
                self._values[part] = None
            self._forms = None
        while len(self._values) > _MOST:
            del self._values[next(iter(self._values))]

    def redact(self, text: str) -> str:
        """`text` without secrets."""
        for form in self._known_forms():
            if form in text:
                text = without(form, text)
        return _OWN_KEYS.sub(REDACTED, text) if _HAS_OWN_KEY.search(text) else text

    def redact_bytes(self, data: bytes) -> bytes:
        """The same of bytes; those that are not UTF-8 stay as they are."""
        text = data.decode("utf-8", "surrogateescape")
        redacted = self.redact(text)
        return data if redacted is text or redacted == text else redacted.encode("utf-8", "surrogateescape")

    def _known_forms(self) -> Iterable[str]:
        # Threads log too: a change meanwhile sets the attribute anew, and this list stays whole.
        forms = self._forms
        if forms is None:
            found = {form for value in tuple(self._values) for form in forms_of(value)}
            # The longest first: a secret may be a part of another.
            forms = self._forms = dict.fromkeys(sorted(found, key=len, reverse=True))
        return forms


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
