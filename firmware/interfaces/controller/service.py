"""Service `controller_net`: asks the door controller behind a URL, and looks whether it is there.

Owns `controller.ask` (for control only), `controller.readers` and the parameter group `controller_http`. It looks
only while control says that the controller is connected this way.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from firmware.core.actions import Invocation, Level, Nothing
from firmware.core.bus import Subscription
from firmware.core.context import Core
from firmware.core.errors import Unavailable
from firmware.core.vocabulary.certificates import CertificateChanged
from firmware.core.vocabulary.controller import (
    AskAnswer,
    AskParams,
    ControllerPeer,
    ControllerProtocol,
    ControllerReader,
    ControllerReaders,
    ControllerRisk,
    ControllerState,
    ControllerWarning,
    ForwardParams,
)
from firmware.core.vocabulary.device import DeviceInfo
from firmware.core.vocabulary.station import ParamsChanged
from firmware.interfaces.controller.contract import NoAnswer
from firmware.interfaces.controller.settings import ControllerHttp
from firmware.interfaces.outgoing.tls import Installed
from hal.errors import nearest

if TYPE_CHECKING:
    from firmware.interfaces.controller.client import ControllerClient

UNSAFE = {
    ControllerRisk.UNVERIFIED: "the controller's certificate is not checked (controller_http.verify is off)",
    ControllerRisk.PLAIN_HTTP: "cards and answers go over the network in the clear (http://)",
    ControllerRisk.LOCAL_ADDRESS: "a controller on this device itself or at a link-local address is allowed",
}


class Nobody:
    """Stands where a client would, while no address is set: most devices never load one."""

    async def ask(self, question: ForwardParams, within_s: float) -> AskAnswer:
        """Raises NoAnswer."""
        raise NoAnswer("no address is set (controller_http.url)")

    async def readers(self) -> tuple[ControllerReader, ...]:
        """Raises NoAnswer."""
        raise NoAnswer("no address is set (controller_http.url)")

    async def close(self) -> None:
        """Nothing to give up."""


def client_of(settings: ControllerHttp, device: str, installed: Installed) -> ControllerClient | Nobody:
    """A client for these settings."""
    if not settings.url:
        return Nobody()
    from firmware.interfaces.controller.client import ControllerClient

    return ControllerClient(settings, device, installed)


class ControllerHttpService:
    """The way out to a controller on the network; restartable, nothing at the door waits for it for long."""

    name: ClassVar[str] = "controller_net"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"reader"})

    def __init__(self, core: Core, installed: Installed) -> None:
        """`installed` makes the context of a client that trusts all authorities of this device."""
        self._core = core
        self._installed = installed
        self._client: ControllerClient | Nobody | None = None
        self._settings: ControllerHttp | None = None

    async def start(self) -> None:
        """Load the settings and take questions."""
        self._core.params.declare(ControllerHttp)
        await self._core.params.load(ControllerHttp)
        self._core.actions.register(
            "controller.ask",
            AskParams,
            self._ask,
            summary="Ask the controller behind the URL about a credential.",
            level=Level.SYSTEM,
            answer=AskAnswer,
            private=True,
        )
        self._core.actions.register(
            "controller.readers",
            Nothing,
            self._readers,
            summary="Connect to the door controller and list the readers it offers.",
            level=Level.ADMIN,
            answer=ControllerReaders,
        )
        await self._renew()

    async def run(self) -> None:
        """Follow the settings, and look at the controller every `check_s`, until cancelled."""
        with self._core.bus.subscribe(ParamsChanged, ControllerState, CertificateChanged) as changes:
            while True:
                await self._renew()
                await self._look()
                await self._pause(changes)

    async def stop(self) -> None:
        """Close the connections and take back what was said of the controller."""
        await self._drop()
        self._core.bus.forget(ControllerPeer)
        for risk in UNSAFE:
            self._core.bus.forget(ControllerWarning, risk.value)

    # settings

    async def _renew(self) -> None:
        """A client for the settings as they are now."""
        settings = self._core.params.get(ControllerHttp)
        if settings is self._settings and self._client is not None:
            return
        info = self._core.bus.state(DeviceInfo)
        former, self._client = self._client, client_of(settings, "" if info is None else info.serial, self._installed)
        self._settings = settings
        standing = {
            ControllerRisk.UNVERIFIED: not settings.verify and settings.url.startswith("https:"),
            ControllerRisk.PLAIN_HTTP: settings.url.startswith("http:"),
            ControllerRisk.LOCAL_ADDRESS: settings.local,
        }
        for risk, stands in standing.items():
            if stands:
                self._core.bus.publish(ControllerWarning(risk=risk, detail=UNSAFE[risk]))
            else:
                self._core.bus.forget(ControllerWarning, risk.value)
        if former is not None:
            await former.close()  # last: whoever asks meanwhile has the new one already

    async def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _pause(self, changes: Subscription) -> None:
        """Wait until the next look is due: after `check_s`, or at once when what we look at has changed."""
        wanted = self._wanted()
        limit = asyncio.timeout(self._core.params.get(ControllerHttp).check_s if wanted else None)
        try:
            async with limit:
                while self._core.params.get(ControllerHttp) is self._settings and self._wanted() is wanted:
                    if isinstance((await changes.get()).event, CertificateChanged):
                        self._settings = None  # whom we trust has changed: another client
        except TimeoutError:
            if not limit.expired():
                raise

    # looking and asking

    def _wanted(self) -> bool:
        state = self._core.bus.state(ControllerState)
        return state is not None and state.protocol is ControllerProtocol.HTTP

    async def _look(self) -> None:
        if not self._wanted() or self._client is None:
            self._core.bus.forget(ControllerPeer)
            return
        client, settings = self._client, self._settings
        try:
            readers = await client.readers()
        except NoAnswer as error:
            self._tell(client, str(error))
            return
        ids = [reader.id for reader in readers]
        if settings is not None and settings.reader_id and settings.reader_id not in ids:
            hint = nearest(settings.reader_id, ids)
            self._tell(client, f"the controller has no reader {settings.reader_id!r}{hint}")
            return
        self._tell(client, "")

    def _tell(self, client: ControllerClient | Nobody, trouble: str) -> None:
        # What a client of former settings found out is nobody's business any more.
        if client is self._client and self._wanted():
            self._core.bus.publish(ControllerPeer(reachable=not trouble, reason=trouble))

    async def _ask(self, invocation: Invocation) -> AskAnswer:
        params = invocation.params
        assert isinstance(params, AskParams)
        await self._renew()
        client = self._client
        if client is None:
            return AskAnswer(lost=True, reason="the client is not running")
        try:
            answer = await client.ask(params.question, params.within_s)
        except NoAnswer as error:
            self._tell(client, str(error))
            return AskAnswer(lost=True, reason=str(error))
        self._tell(client, "")
        return answer

    async def _readers(self, invocation: Invocation) -> ControllerReaders:
        await self._renew()
        client = self._client
        if client is None:
            raise Unavailable("controller.readers", "the client is not running")
        try:
            return ControllerReaders(readers=await client.readers())
        except NoAnswer as error:
            raise Unavailable("controller.readers", str(error)) from error
