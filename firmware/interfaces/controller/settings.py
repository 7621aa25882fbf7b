"""Parameters of the HTTP way to a door controller: the group `controller_http`, owned by the network role.

Control never sees the address or the password. Manual 001, Reader protocol: protocol, address, user, password, reader.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from firmware.core.actions import Level
from firmware.core.params import Group, param
from firmware.interfaces.outgoing.fields import Pem, checked_url

DEFAULT_PORTS = {"https": 443, "http": 80}


class Authentication(StrEnum):
    """How we say who we are (RFC 7617, RFC 7616)."""

    NONE = "none"
    BASIC = "basic"
    DIGEST = "digest"


def _checked_url(url: str) -> str:
    return checked_url(url, tuple(DEFAULT_PORTS))


Url = Annotated[str, Field(max_length=512), AfterValidator(_checked_url)]


class ControllerHttp(Group):
    """Where the door controller is and how it is trusted."""

    group: ClassVar[str] = "controller_http"
    level: ClassVar[Level] = Level.ADMIN

    url: Url = param("", "Address of the controller, such as https://10.0.0.9/lintel; empty: none.")
    user: str = param("", "Our user name at the controller.", max_length=128)
    password: str = param("", "Our password at the controller.", max_length=256, secret=True, repr=False)
    authentication: Authentication = param(
        Authentication.DIGEST, "How we say who we are; Basic is for https only. Without a user name: not at all."
    )
    reader_id: str = param("", "Which of the controller's readers we are; empty: our own reader's name.", max_length=64)
    verify: bool = param(
        True, "Check the controller's certificate. UNSAFE when off: whoever is on the network can open the door."
    )
    ca: Pem = param(
        "", "The authority that signed the controller's certificate (PEM); empty: the system's and those installed."
    )
    plain_http: bool = param(
        False, "Allow http:// addresses. UNSAFE: whoever is on the network can read cards and open the door."
    )
    local: bool = param(False, "Allow a controller on this device itself or at a link-local address.")
    check_s: float = param(10.0, "Seconds between looks at whether the controller is there.", ge=1, le=300)

    @model_validator(mode="after")
    def _no_secret_in_the_clear(self) -> Self:
        if self.url.startswith("http:"):
            if not self.plain_http:
                raise ValueError("url is http://, which needs `plain_http` to be ticked; https:// is the safe choice")
            if self.authentication is Authentication.BASIC and self.user:
                raise ValueError("authentication basic over http:// would send the password in the clear; use digest")
        return self

    @property
    def host(self) -> str:
        """The host of the address, as certificates name it."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port of the address."""
        parts = urlsplit(self.url)
        return parts.port or DEFAULT_PORTS[parts.scheme]
