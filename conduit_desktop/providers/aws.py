"""What kinds on AWS share: credentials from a key, a profile or the machine, and requests signed with SigV4 by botocore."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.providers import KindField, OutboundRequest, ProviderKind, Secrets

DEFAULT_REGION = "us-east-1"
# Access key ID, secret and optional session token. An API key has no colon.
_KEY_PAIR = re.compile(r"\s*([A-Z0-9]{16,128})\s*:\s*([A-Za-z0-9/+=]{20,})(?:\s*:\s*(\S+))?\s*")
_REGION = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-\d)\.")

KEY = KindField(
    "api_key",
    "API key, or access key ID:secret",
    secret=True,
    placeholder="ABSK…  or  AKIA…:secret[:session token]",
    help="A Bedrock API key, or an access key with its secret. Empty: what the profile or this computer's environment holds.",
)
REGION = KindField("region", "Region", placeholder=DEFAULT_REGION, help="Where your models are enabled.")
PROFILE = KindField("profile", "Profile", placeholder="default", help="A profile of ~/.aws, where there is no key.")


@dataclass(frozen=True, slots=True, repr=False)
class KeyPair:
    """An access key with its secret; `token` for temporary ones. Never printed."""

    access_key: str
    secret_key: str
    token: str | None = None


def key_pair(api_key: str) -> KeyPair | None:
    """The access key in `ID:secret` or `ID:secret:token`; None for an API key, which is a bearer token."""
    found = _KEY_PAIR.fullmatch(api_key)
    return KeyPair(found[1], found[2], found[3]) if found else None


def _refused(text: str) -> UpstreamError:
    return UpstreamError(text, status=401, reason="auth")


class AwsKind(ProviderKind):
    """A kind whose requests are signed for `service`, or carry a bearer token where the configured key is one."""

    service: str
    renews_credentials = True

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        configured = str(config.options.get("region") or "").strip()
        # A signature holds the region, which has to be that of the host: a base URL may name another than the default.
        in_url = _REGION.search(config.base_url or "")
        self.region = configured or (in_url[1] if in_url else DEFAULT_REGION)
        self.price_region = self.region
        self._profile = str(config.options.get("profile") or "").strip() or None
        self._found: Any = None
        self._ready = False
        self._finding = asyncio.Lock()

    async def credentials(self, secrets: Secrets) -> Secrets:
        """`secrets`, or without a key those of the profile or the machine; botocore renews them shortly before they expire.

        Raises UpstreamError (reason `auth`).
        """
        # Signing needs botocore too: the first call with an access key imports it in a thread, as that would block the event loop.
        if secrets.api_key and (self._ready or key_pair(secrets.api_key) is None):
            return secrets
        # Without the lock, calls that start together would each read the files and call the token service.
        async with self._finding:
            pair = await asyncio.to_thread(self._find, bool(secrets.api_key))
        return replace(secrets, api_key=pair) if pair else secrets

    def _find(self, has_key: bool) -> str:
        """The access key as `ID:secret[:token]`. Blocking: botocore is imported, reads files, and may call a token service."""
        try:
            import botocore.auth
            import botocore.session
            from botocore.exceptions import BotoCoreError
        except ImportError as error:
            raise _refused(f"{self.label} needs the package botocore: install conduit-desktop[aws].") from error
        self._ready = True
        if has_key:
            return ""
        try:
            if self._found is None:
                self._found = botocore.session.Session(profile=self._profile).get_credentials()
            frozen = self._found.get_frozen_credentials() if self._found is not None else None
        except BotoCoreError as error:
            # The next call searches again, so that repaired credentials are found without a restart.
            self._found = None
            # botocore's message may quote a credentials file, so only the class of the error is shown.
            raise _refused(f"The AWS credentials cannot be used ({type(error).__name__}).") from error
        if frozen is None:
            raise _refused("No AWS credentials were found on this computer; enter a key or a profile.")
        pair = ":".join(filter(None, (frozen.access_key, frozen.secret_key, frozen.token)))
        if key_pair(pair) is None:  # it would be sent as a bearer token
            raise _refused("The AWS credentials that were found are not an access key.")
        return pair

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """A bearer token, where the key is one; empty for access keys, which sign the whole request instead."""
        return {} if key_pair(secrets.api_key) is not None else super().headers(secrets, dialect)

    def signed(self, outbound: OutboundRequest, secrets: Secrets) -> OutboundRequest:
        """The request, signed where the key is an access key. Nothing of it may change afterwards."""
        pair = key_pair(secrets.api_key)
        if pair is None:
            return outbound
        # Imported here because botocore is an optional dependency, and slow to import.
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        request = AWSRequest(outbound.method, outbound.url, outbound.headers, outbound.body)
        SigV4Auth(Credentials(pair.access_key, pair.secret_key, pair.token), self.service, self.region).add_auth(request)
        outbound.headers = {name.lower(): str(value) for name, value in request.headers.items()}
        return outbound

    def prepare(
        self,
        endpoint: Any,
        model: str,
        dialect: str,
        stream: bool,
        body: bytes | bytearray,
        secrets: Secrets,
        relayed: Mapping[str, str],
    ) -> OutboundRequest:
        """The whole request; the signature covers the body."""
        return self.signed(super().prepare(endpoint, model, dialect, stream, body, secrets, relayed), secrets)
