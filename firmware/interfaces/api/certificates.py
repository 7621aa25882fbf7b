"""Certificates over the native API: the actions of the certificates room under paths of their own."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import Invalid
from firmware.core.vocabulary.certificates import (
    CertificateAdd,
    CertificateCreate,
    CertificateList,
    CertificateView,
    SigningRequest,
    Subject,
)
from firmware.interfaces.api.routes import Routes, answer, caller_of, object_of


class Certificates:
    """The endpoints of certificates."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def add_to(self, routes: Routes) -> None:
        """Add the routes."""
        add, admin = routes.add, Level.ADMIN
        add("GET", "/certificates", self.list, level=admin, gives=CertificateList, summary="All certificates")
        add("POST", "/certificates", self.upload, level=admin, takes=CertificateAdd, gives=CertificateView, status=201,
            summary="Add a certificate from a PEM, CER or PFX file, or the answer to a signing request")  # fmt: skip
        add("POST", "/certificates/create", self.create, level=admin, takes=CertificateCreate, gives=CertificateView,
            status=201, summary="Make a new key with a self-signed certificate")  # fmt: skip
        add("POST", "/certificates/{name}/request", self.request, level=admin, takes=Subject, gives=SigningRequest,
            summary="A signing request (PKCS #10) with the key of a certificate; {} keeps its subject")  # fmt: skip
        add("DELETE", "/certificates/{name}", self.remove, level=admin, status=204,
            summary="Remove a certificate and its key")  # fmt: skip

    async def list(self, request: Request) -> Response:
        """All certificates, never their keys."""
        return await self._ask(request, "certificates.list", {})

    async def upload(self, request: Request) -> Response:
        """From a file."""
        return await self._ask(request, "certificates.add", await object_of(request), 201)

    async def create(self, request: Request) -> Response:
        """A new one."""
        return await self._ask(request, "certificates.create", await object_of(request), 201)

    async def request(self, request: Request) -> Response:
        """A signing request."""
        subject = await object_of(request)
        if "name" in subject:
            raise Invalid("certificates.request.name", "is not written in the body: it is in the path")
        wish = {"name": request.path_params["name"], "subject": subject}
        return await self._ask(request, "certificates.request", wish)

    async def remove(self, request: Request) -> Response:
        """One less."""
        await self._ask(request, "certificates.remove", {"name": request.path_params["name"]})
        return Response(status_code=204)

    async def _ask(self, request: Request, action: str, data: object, status: int = 200) -> Response:
        return answer(await self._core.link.command(action, data, caller_of(request)), status)
