"""The names of models without what vendors, regions and dates add, as in `us.anthropic.claude-sonnet-4-5-20250929-v1:0`."""

from __future__ import annotations

import re
from collections.abc import Iterator

# What Bedrock writes before a name: a region or `global`, then the maker. Names of its US government regions begin with `us-gov.`.
_MAKER = re.compile(
    r"^(?:[a-z-]{2,8}\.)?(?:ai21|amazon|anthropic|cohere|google|meta|minimax|mistral|moonshot(?:ai)?|nvidia|openai|qwen|twelvelabs"
    r"|writer|zai|deepseek(?!\.[vr]\d))\."
)
_DEEPSEEK = re.compile(r"^(?:[a-z-]{2,8}\.)?deepseek\.(?=[vr]\d)")
"""Bedrock's `deepseek.v3.2`: there the maker is a part of the name."""
_FINE_TUNED = re.compile(r"^ft:([^:]+).*")

# Versions with a dot (`4.5`), a hyphen (`4-5`, Anthropic) or a `p` (`4p5`, Fireworks) are one version.
_VERSION_POINT = re.compile(r"(?<=\d)[.p](?=\d)")
_SPELLINGS = (
    (re.compile(r"^gpt-35(?=-)"), "gpt-3-5"),  # Azure
    (re.compile(r"^meta-(?=llama)"), ""),  # Together, SambaNova, Hugging Face
    (re.compile(r"^llama(?=\d)"), "llama-"),  # Bedrock
)
# What follows the name of a model, from the outside to the inside. Only whole dates: `-0905` can be another model than the one
# without it (Kimi K2), and so can `-2402` (Mistral Large).
_ADDED = (
    re.compile(r":[^:]*$"),  # OpenRouter's `:free`, Bedrock's `:0`
    re.compile(r"@[\w-]+$"),  # Vertex: `@20250929`, `@default`
    re.compile(r"-v\d+$"),  # Bedrock: `-v1`
    re.compile(r"-latest$"),
    re.compile(r"-(?:20\d{2})-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])$"),
    re.compile(r"(?<=[a-z0-9])-preview(?:-\d{2}-\d{2,4})?$"),
    re.compile(r"(?:(?<=-flash)|(?<=-lite)|(?<=-pro))-\d{3}$"),  # Google: `gemini-2.0-flash-001`
)


def model_name(model: str) -> str:
    """The model's own name in lower case, without the path of a relay or an ARN, and without what Bedrock writes before it."""
    name = model.lower().rpartition("/")[2]
    return _MAKER.sub("", _DEEPSEEK.sub("deepseek-", name))


def canonical(model: str) -> str:
    """One spelling for all spellings of a name; dates and other additions stay."""
    name = _VERSION_POINT.sub("-", _FINE_TUNED.sub(r"\1", model_name(model)).replace("_", "-"))
    for pattern, better in _SPELLINGS:
        name = pattern.sub(better, name)
    return name


def family_names(model: str) -> Iterator[str]:
    """The canonical name, then what is left as one addition after the other is taken away: a date, `-latest`, `:free`, `-v1:0`."""
    name = canonical(model)
    yield name
    shorter = True
    while shorter:
        shorter = False
        for added in _ADDED:
            rest = added.sub("", name)
            if rest and rest != name:
                name, shorter = rest, True
                yield name
                break
