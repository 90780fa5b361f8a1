"""The names under which the price catalog may have a model, best first.

Only what the vendors document is taken off a name: paths, regions and versions of clouds, and the date of a snapshot. Nothing is
matched by a beginning: a model whose name only begins like a known one has a price that nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

# `models/gemini-…` (Gemini API), `publishers/google/models/…` and the same below a project (Vertex AI).
_RESOURCE = re.compile(r"^(projects/[^/]+/locations/[^/]+/)?(publishers/(?P<publisher>[^/]+)/)?models/(?P<name>.+)$")
_ARN = re.compile(r"^arn:aws[\w-]*:bedrock:(?P<region>[\w-]*):\d*:(foundation-model|inference-profile)/(?P<name>.+)$")
# https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
_GEOGRAPHY = re.compile(r"^(us-gov|us|eu|apac|jp|au|ca|sa|in|uk|global)\.(?=[a-z0-9-]+\.)")
_AWS_VERSION = re.compile(r"(-v\d+)?(:\d+)?(:\d+k)?$")
_FIREWORKS = "accounts/fireworks/models/"
# https://openrouter.ai/docs/guides/routing/model-variants: they choose among providers, or add tools that are charged apart.
_OPENROUTER_VARIANT = re.compile(r":(nitro|floor|exacto|online)$")
_DATES = (
    re.compile(r"-(20\d{2})-(\d{2})-(\d{2})$"),
    re.compile(r"[-@](20\d{2})(\d{2})(\d{2})$"),
)
_STABLE = re.compile(r"-00[1-9]$")
"""Gemini's stable versions: `gemini-2.0-flash-001`."""
_FIRST_SNAPSHOT = date(2022, 1, 1)


def spellings(provider: str, model: str, region: str, today: date) -> Iterator[str]:
    """Names in lower case for a look-up at a provider of the catalog; `today` is the day of the request."""
    seen: set[str] = set()
    for name in _plain(provider, model.strip().lower(), region):
        for spelled in (name, *_other_dates(name), *_without_date(name, today)):
            if spelled and spelled not in seen:
                seen.add(spelled)
                yield spelled


def _plain(provider: str, name: str, region: str) -> Iterator[str]:
    """The name, and what is left of it without the paths and marks of the provider."""
    if provider == "aws":
        yield from _of_aws(name, region)
        return
    if match := _RESOURCE.match(name):
        if match["publisher"] not in (None, "google", "anthropic"):
            yield f"{match['publisher']}/{match['name']}"
        name = match["name"]
    if provider == "openai" and name.startswith("ft:"):
        # ft:gpt-4o-2024-08-06:organization:suffix:id
        name = ":".join(name.split(":")[:2])
    yield name
    if provider in ("google", "vertex") and name.startswith(("google/", "anthropic/")):
        yield name.partition("/")[2]
    elif provider == "fireworks":
        yield name.removeprefix(_FIREWORKS) if name.startswith(_FIREWORKS) else _FIREWORKS + name
    elif provider == "openrouter" and (plain := _OPENROUTER_VARIANT.sub("", name)) != name:
        yield plain
    elif provider == "github" and "/" not in name:
        yield f"openai/{name}"


def _of_aws(name: str, region: str) -> Iterator[str]:
    if match := _ARN.match(name):
        region, name = match["region"] or region, match["name"]
    plain = _AWS_VERSION.sub("", name)
    if region:
        yield from (f"{region}/{name}", f"{region}/{plain}")
    yield from (name, plain)
    # A model without a row for the geography costs there what it costs in its region.
    inside = _GEOGRAPHY.sub("", name)
    if inside != name:
        yield from (inside, _AWS_VERSION.sub("", inside))


def _other_dates(name: str) -> Iterator[str]:
    """The dates of snapshots are written with hyphens, without, and at Vertex AI behind an `@`."""
    if match := _DATES[1].search(name):
        year, month, day = match.groups()
        yield f"{name[: match.start()]}-{year}-{month}-{day}"
        yield f"{name[: match.start()]}-{year}{month}{day}"


def _without_date(name: str, today: date) -> Iterator[str]:
    """The model of which the name is a snapshot: its date is one of the past."""
    for pattern in _DATES:
        if match := pattern.search(name):
            year, month, day = map(int, match.groups())
            try:
                taken = date(year, month, day)
            except ValueError:
                return
            if _FIRST_SNAPSHOT <= taken <= today:
                yield name[: match.start()]
            return
    if name.startswith("gemini-") and (stable := _STABLE.sub("", name)) != name:
        yield stable
    if name.endswith("@default"):
        yield name.removesuffix("@default")
