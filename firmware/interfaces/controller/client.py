"""One controller behind a URL: questions and answers over HTTP(S), bounded in time and size.

The name is resolved once an exchange and its address is judged and pinned (row 38); certificates are checked against
the name (row 46); redirects are not followed; compressed answers are not asked for and not read (row 36).
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Generator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx

from firmware.core.vocabulary.controller import AskAnswer, ControllerReader, ForwardParams
from firmware.interfaces.controller.contract import Garbled, NoAnswer, answer_of, question_of, readers_of
from firmware.interfaces.controller.settings import Authentication, ControllerHttp
from firmware.interfaces.outgoing.reach import Peer, Unreachable, find
from firmware.interfaces.outgoing.tls import Installed, trusting

WHAT = "door controller"
BODY_BYTES = 16 * 1024
CONNECT_S = 2.0
# A list of readers may take longer than a person at a door would wait.
READERS_S = 10.0
IDLE_S = 30.0
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "Lintel"}

Steps = Generator[httpx.Request, httpx.Response, None]


def tls_of(settings: ControllerHttp, installed: Installed) -> ssl.SSLContext:
    """How the controller's certificate is checked; TLS 1.2 at least."""
    context = trusting(settings.ca, installed)
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def auth_of(settings: ControllerHttp) -> httpx.Auth | None:
    """How we say who we are."""
    if not settings.user or settings.authentication is Authentication.NONE:
        return None
    if settings.authentication is Authentication.BASIC:
        return httpx.BasicAuth(settings.user, settings.password)
    return httpx.DigestAuth(settings.user, settings.password)


class ControllerClient:
    """Speaks to one controller with one set of settings; make another one when they change.

    It stands on the transport, not on a browser-like client: no cookies are kept, and every body is bounded, that of
    a refusal too.
    """

    def __init__(
        self, settings: ControllerHttp, device: str, installed: Installed = ssl.create_default_context
    ) -> None:
        """`installed` makes the context of whoever trusts all authorities of this device."""
        self._settings = settings
        self._device = device
        self._url = urlsplit(settings.url)
        self._auth = auth_of(settings)
        self._closed = False
        self._transport = httpx.AsyncHTTPTransport(
            verify=tls_of(settings, installed),
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=2, keepalive_expiry=IDLE_S),
            trust_env=False,
        )

    async def ask(self, question: ForwardParams, within_s: float) -> AskAnswer:
        """Ask about a credential. Raises NoAnswer, after `within_s` seconds at the latest."""
        id = secrets.token_hex(16)
        body = question_of(question, id=id, device=self._device, reader=self._settings.reader_id)
        answer = await self._exchange("POST", "/ask", body, within_s)
        try:
            return answer_of(answer, id=id)
        except Garbled as error:
            raise NoAnswer(str(error)) from error

    async def readers(self, within_s: float = READERS_S) -> tuple[ControllerReader, ...]:
        """The readers that the controller offers. Raises NoAnswer."""
        answer = await self._exchange("GET", "/readers", None, within_s)
        try:
            return readers_of(answer)
        except Garbled as error:
            raise NoAnswer(str(error)) from error

    async def close(self) -> None:
        """Give up the connections; what is under way gets no answer."""
        self._closed = True
        await self._transport.aclose()

    async def _exchange(self, method: str, path: str, body: Any, within_s: float) -> bytes:
        limit = asyncio.timeout(within_s)
        try:
            async with limit:
                try:
                    return await self._once(method, path, body)
                except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                    # The connection was kept from before and has been closed meanwhile; the question keeps its id.
                    return await self._once(method, path, body)
        except TimeoutError:
            if not limit.expired():
                raise
            raise NoAnswer(f"no answer within {within_s:g} s") from None
        except Unreachable as error:
            raise NoAnswer(str(error)) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoAnswer(reason_of(error)) from error

    async def _once(self, method: str, path: str, body: Any) -> bytes:
        if self._closed:
            raise NoAnswer("the settings were changed meanwhile")
        request = await self._request(method, path, body)
        steps = (self._auth or httpx.Auth()).auth_flow(request)
        answer: httpx.Request | bytes = next(steps)
        while isinstance(answer, httpx.Request):
            answer = await self._send(answer, steps)
        return answer

    async def _request(self, method: str, path: str, body: Any) -> httpx.Request:
        settings = self._settings
        target = await find(settings.host, settings.port, Peer(what=WHAT, local=settings.local, private=True))
        host = f"[{target.address}]" if ":" in target.address else target.address
        return httpx.Request(
            method,
            f"{self._url.scheme}://{host}:{target.port}{self._url.path}{path}",
            json=body,
            headers={"Host": self._url.netloc, **HEADERS},
            extensions={
                "sni_hostname": settings.host,
                "timeout": httpx.Timeout(READERS_S, connect=CONNECT_S).as_dict(),
            },
        )

    async def _send(self, request: httpx.Request, steps: Steps) -> httpx.Request | bytes:
        """Send once; the body of a good answer, or the next request of the log-in. Raises NoAnswer."""
        response = await self._transport.handle_async_request(request)
        response.request = request
        try:
            if (retry := _next(steps, response)) is not None:
                await _whole(response)  # so that the connection can be used again
                return retry
            if response.status_code != HTTPStatus.OK:
                raise NoAnswer(status_in_words(response.status_code))
            return await _whole(response)
        finally:
            await response.aclose()


def _next(steps: Steps, response: httpx.Response) -> httpx.Request | None:
    """The request that follows a response while logging in; None when there is none. Raises NoAnswer."""
    try:
        return steps.send(response)
    except StopIteration:
        return None
    except (KeyError, NotImplementedError, ValueError) as error:
        raise NoAnswer("the controller asks for a way to log in that we do not know") from error


async def _whole(response: httpx.Response) -> bytes:
    """The body of an answer. Raises NoAnswer for one that is too big or compressed."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise NoAnswer("the answer is compressed, which was not asked for")
    body = b""
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > BODY_BYTES:
            raise NoAnswer(f"the answer is longer than {BODY_BYTES} bytes")
    return body


def status_in_words(status: int) -> str:
    """Why an HTTP status is no answer."""
    if 300 <= status < 400:
        return f"the controller answers with a redirect ({status}), which is not followed"
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return f"the controller refuses our user name or password ({status})"
    return f"the controller answers with status {status}"


def reason_of(error: Exception) -> str:
    """A transport error in words: what the certificate lacks, or that nobody is there."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the controller's certificate is not good: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"the controller speaks no TLS we can accept ({cause.reason or cause})"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return "nobody answers at the controller's address"
    return f"the exchange broke off ({type(error).__name__})"
