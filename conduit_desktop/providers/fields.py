"""Inputs that the forms of several kinds share, and the reader of options that map one name to another."""

from __future__ import annotations

import re

from conduit_desktop.core.chat import Json
from conduit_desktop.providers import KindField

OPTIONAL_KEY = KindField("api_key", "API key", secret=True, help="Only if the server asks for one.")
BASE_URL = KindField("base_url", "Base URL")
NEEDED_BASE_URL = KindField("base_url", "Base URL", required=True, placeholder="https://host/v1")


def key_from(page: str, looks: str = "", needs: str = "") -> KindField:
    """The field for a vendor's key: the page where keys are made, how they begin, which permission they need."""
    help = f"Made at {page}{f', with {needs}' if needs else ''}."
    return KindField("api_key", "API key", required=True, secret=True, placeholder=looks, help=help)


def read_mapping(option: Json) -> dict[str, str]:
    """An option that maps names to names, keys in lower case: an object, or text such as `gpt-5=my-gpt5, gpt-4o=prod`.

    Text may separate its pairs with commas, semicolons or line breaks. Incomplete pairs are left out.
    """
    if isinstance(option, dict):
        pairs = [(str(name), str(value or "")) for name, value in option.items()]
    else:
        split = (pair.partition("=") for pair in re.split(r"[,;\n]", str(option or "")))
        pairs = [(name, value) for name, _, value in split]
    return {name.strip().lower(): value.strip() for name, value in pairs if name.strip() and value.strip()}
