"""Parameters of the cloud connection: the group `cloud`, owned by the network role; a restore keeps them.

When it is wanted is the parameter `cloud` of the group `network`. Manuals 000, 001 and 003, One-click cloud connection:
allow, proxy settings, owner authentication key.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from firmware.core.actions import Level
from firmware.core.params import Group, Scope, param
from firmware.interfaces.outgoing.fields import Pem, checked_url

PORT = 443
PROXY_PORT = 3128
KEY_CHARS = 16  # the least an owner key has: anything shorter can be guessed


def _dispatcher(url: str) -> str:
    return checked_url(url, ("wss", "https"))


def _proxy(url: str) -> str:
    return checked_url(url, ("http",), path=False)


def _key(text: str) -> str:
    if text and not (text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("is sent in a header: letters, digits and signs without spaces")
    if text and len(text) < KEY_CHARS:
        raise ValueError(f"is too short: it has at least {KEY_CHARS} characters")
    return text


Dispatcher = Annotated[str, Field(max_length=512), AfterValidator(_dispatcher)]
Proxy = Annotated[str, Field(max_length=512), AfterValidator(_proxy)]
Key = Annotated[str, Field(max_length=256), AfterValidator(_key)]


class CloudSettings(Group):
    """Where the dispatcher is, how it is trusted, and how we say whose device this is."""

    group: ClassVar[str] = "cloud"
    level: ClassVar[Level] = Level.ADMIN

    url: Dispatcher = param(
        "", "Address of the dispatcher, such as wss://cloud.example/device; empty: none.", scope=Scope.KEEP
    )
    owner_key: Key = param(
        "", "The key that tells the dispatcher whose device this is.", secret=True, repr=False, scope=Scope.KEEP
    )
    ca: Pem = param(
        "",
        "The authority that signed the dispatcher's certificate (PEM); empty: the system's and those installed.",
        scope=Scope.KEEP,
    )  # fmt: skip
    local: bool = param(
        False, "Allow a dispatcher on a private network, at a link-local address or on this device.", scope=Scope.KEEP
    )
    proxy: Proxy = param(
        "", "An HTTP proxy on the way, such as http://proxy.example:3128; empty: none.", scope=Scope.KEEP
    )
    proxy_user: str = param("", "Our user name at the proxy (Basic).", max_length=128, scope=Scope.KEEP)
    proxy_password: str = param(
        "", "Our password at the proxy.", max_length=256, secret=True, repr=False, scope=Scope.KEEP
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.url and not self.owner_key:
            raise ValueError("url needs an owner_key, or anybody could pass for this device")
        if ":" in self.proxy_user:
            raise ValueError("proxy_user: a colon cannot be in it (RFC 7617)")
        return self

    @property
    def host(self) -> str:
        """The host of the dispatcher, as its certificate names it."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port of the dispatcher."""
        return urlsplit(self.url).port or PORT

    @property
    def target(self) -> str:
        """The path of the dispatcher."""
        return urlsplit(self.url).path or "/"

    @property
    def proxy_address(self) -> tuple[str, int]:
        """Host and port of the proxy."""
        parts = urlsplit(self.proxy)
        return parts.hostname or "", parts.port or PROXY_PORT
