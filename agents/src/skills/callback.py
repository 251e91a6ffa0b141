"""The noun: where a caller wants word of a task to be sent."""

import base64
import binascii
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field

from agents.src.errors import InvalidRequest
from agents.src.records import Frozen
from agents.src.tasks import Callback, special_host

PREFIX = "whsec_"
SHORTEST_SECRET, LONGEST_SECRET = 24, 64
"""Bytes."""
ADDRESS = r"^https?://[\x21-\x7e]+$"


def web_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError("is no address; one looks like https://example.com/hooks/tasks") from None
    if not re.match(ADDRESS, url) or not usable or "\\" in url:
        raise ValueError("must look like https://example.com/hooks/tasks: http or https, a host, no spaces, ASCII only")
    if "@" in parts.netloc:
        raise ValueError("must hold no user name or password; what is sent is signed with the secret instead")
    return url


def signing_secret(secret: str) -> str:
    how = f"must be {PREFIX} and the base64 of {SHORTEST_SECRET} to {LONGEST_SECRET} random bytes, as Standard Webhooks says"
    encoded = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(how) from None
    if not secret.startswith(PREFIX) or not SHORTEST_SECRET <= len(key) <= LONGEST_SECRET:
        raise ValueError(how)
    return secret


class CallbackRequest(Frozen):
    """Where a caller wants to be told."""

    model_config = ConfigDict(strict=True)

    url: Annotated[
        str,
        AfterValidator(web_address),
        Field(max_length=2000, description="Told by POST.", examples=["https://example.com/hooks/tasks"], pattern=ADDRESS),
    ]
    secret: Annotated[
        str | None,
        AfterValidator(lambda secret: signing_secret(secret) if secret is not None else None),
        Field(repr=False, description="Signs what is sent: `whsec_` and the base64 of 24 to 64 bytes. Never shown again."),
    ] = None

    def kept(self, *, private: bool) -> Callback:
        """Raises InvalidRequest where the host is a special address, unless `private`. A name is looked up when it is sent to."""
        kind = None if private else special_host(urlsplit(self.url).hostname or "")
        if kind:
            detail = f"nothing is sent to a {kind} address; CALLBACK_PRIVATE_ADDRESSES on the server allows it."
            fault = {"pointer": "#/callback/url", "detail": detail}
            raise InvalidRequest(f"#/callback/url: {detail}", errors=[fault])
        return Callback(url=self.url, secret=self.secret)
