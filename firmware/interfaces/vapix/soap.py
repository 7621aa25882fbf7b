"""SOAP at /vapix/services: one address, many operations, found by the name of the first element in the Body.

Prefixes of answers are fixed, because clients search for them literally. A fault has HTTP status 400 or 500 and the
envelope of SOAP 1.2, whatever the request's was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

from starlette.responses import Response

from firmware.core.actions import Level
from firmware.core.errors import Forbidden, Invalid, NotFound, StationError
from firmware.interfaces.vapix.asked import Address, Asked, plain
from firmware.interfaces.vapix.xml import Element, parse
from hal.errors import nearest

ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
KIND = "application/soap+xml; charset=utf-8"
HEAD = f'<?xml version="1.0" encoding="UTF-8"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV="{ENVELOPE}">'

Run = Callable[[Asked, Element], Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation: who may ask, and what makes the inside of the answer's Body."""

    run: Run
    level: Level = Level.VIEWER


# With and without the last stroke: some clients have it, some have not.
SERVICES = ("/vapix/services", "/vapix/services/")


class SoapServices:
    """The addresses at `paths`. `operations` are known by namespace and name of their request."""

    def __init__(self, operations: Mapping[tuple[str, str], Operation], paths: tuple[str, ...] = SERVICES) -> None:
        self.operations = operations
        self._paths = paths
        # Asked before the body is read: as much as the most open operation asks.
        self._level = min(operation.level for operation in operations.values())

    def addresses(self) -> tuple[Address, ...]:
        """One for each path."""
        return tuple(
            Address(path=path, endpoint=self._answer, level=self._level, methods=("POST",)) for path in self._paths
        )

    async def _answer(self, asked: Asked) -> Response:
        try:
            request = body_of(await asked.request.body())
            operation = self.operations.get((request.space, request.name))
            if operation is None:
                names = [name for _, name in self.operations]
                raise NotFound("Body", f"no operation {request.name[:60]!r}{nearest(request.name, names)}")
            asked.needs(operation.level)
            return plain(wrapped(await operation.run(asked, request)), kind=KIND)
        except Forbidden:
            raise  # the guard asks for a name and password, or says no
        except (Invalid, NotFound) as error:
            return fault("SOAP-ENV:Sender", f"{error.where}: {error.message}", 400)
        except StationError as error:
            return fault("SOAP-ENV:Receiver", f"{error.where}: {error.message}", 500)


def body_of(data: bytes) -> Element:
    """The first element in the Body of an envelope. Raises Invalid."""
    envelope = parse(data)
    body = envelope.child("Body")
    if envelope.name != "Envelope" or body is None or not body.children:
        raise Invalid("body", "is no SOAP envelope with something in its Body")
    return body.children[0]


def wrapped(inner: str) -> str:
    """An answer in its envelope."""
    return f"{HEAD}<SOAP-ENV:Body>{inner}</SOAP-ENV:Body></SOAP-ENV:Envelope>"


def fault(code: str, words: str, status: int) -> Response:
    """A refusal."""
    reason = f'<SOAP-ENV:Reason><SOAP-ENV:Text xml:lang="en">{escape(words)}</SOAP-ENV:Text></SOAP-ENV:Reason>'
    inner = f"<SOAP-ENV:Fault><SOAP-ENV:Code><SOAP-ENV:Value>{code}</SOAP-ENV:Value></SOAP-ENV:Code>{reason}"
    return plain(wrapped(f"{inner}</SOAP-ENV:Fault>"), status, KIND)
