"""One external reader at work: its link follows the settings, its keys follow what it shows to have.

The reader's port is told what to do; what it reports becomes states. Everything that waits (storage, the
reader's answer) runs in `serve`, one after the other, and never holds up a card.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.errors import Busy, Refused, StationError, Unavailable
from firmware.core.pace import Pace
from firmware.core.vocabulary.osdp import (
    KeyChange,
    ReaderCondition,
    ReaderDowngrade,
    ReaderInstall,
    ReaderKeyChanged,
    ReaderLink,
)
from firmware.core.vocabulary.station import UnsafeSetting
from firmware.osdp.keys import KeyBook
from firmware.osdp.settings import ReaderSettings
from hal.clock import Timer
from hal.errors import HalError
from hal.osdp.keys import new_key
from hal.ports import SerialReader
from hal.types import LinkPhase, LinkSettings, LinkStatus, PeerCondition

# How often a reader that does not take its first key yet is asked again, while install mode is armed.
INSTALL_EVERY_S = 2.0
# How long after a key was set the reader may take to show that it has it.
SHOW_WITHIN_S = 5.0
RETRY_S = 10.0
# Counts alone are told this often: a journal line for every answer would wear the storage out.
COUNTS_EVERY_S = 60.0
COUNTS = ("retries", "check_errors", "refusals", "round_trip_us")

log = logging.getLogger("firmware.osdp")


class Attendant:
    """Looks after one reader."""

    def __init__(
        self,
        core: Core,
        node: str,
        alias: str,
        port: SerialReader,
        keys: KeyBook,
        settings: Callable[[], ReaderSettings],
    ) -> None:
        self.node = node
        self.alias = alias
        self.port = port
        self._core = core
        self._keys = keys
        self._settings = settings
        self._conditions: Pace[ReaderCondition] = Pace(core.clock, core.bus.publish)
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._armed: Timer | None = None
        self._open = False
        self._downgraded = False
        self._counted: int | None = None
        self._secured = asyncio.Event()

    @property
    def _bus(self) -> Bus:
        return self._core.bus

    @property
    def place(self) -> str:
        """Where the settings of this reader stand."""
        return f"osdp.{self.alias}"

    # life

    def open(self) -> None:
        """Say how the reader is, listen to it, and talk to it if that is wished."""
        self._open = True
        self.port.on_link(self._linked)
        self.port.on_condition(self._condition)
        self._bus.publish(ReaderInstall(reader=self.node, armed=False))
        self.apply()

    def close(self) -> None:
        """Stop talking and listening; install mode ends with it."""
        self._open = False
        self.disarm()
        self.port.on_link(None)
        self.port.on_condition(None)
        self._conditions.close()
        self.port.disconnect()

    def apply(self) -> None:
        """Let the link follow settings and keys."""
        if not self._open:
            return
        settings, known = self._settings(), self._keys.of(self.node)
        self._downgraded = False
        self._secured.clear()
        if settings.insecure:
            self._bus.publish(UnsafeSetting(place=f"{self.place}.insecure", detail=self._insecure(known.secured)))
        else:
            self._bus.forget(UnsafeSetting, f"{self.place}.insecure")
        if not settings.use:
            if self._armed is not None:
                self.disarm()
            self.port.disconnect()
            self._publish(self.port.link)
            return
        self._connect(known.raw(), plain=settings.insecure and not known.secured)
        self._publish(self.port.link)

    def _connect(self, keys: tuple[bytes, ...], *, plain: bool) -> None:
        settings = self._settings()
        if not self._open or not settings.use:
            return  # switched off while an install was under way
        try:
            self.port.connect(LinkSettings(address=settings.address, baud=settings.baud, keys=keys, plain=plain))
        except HalError as error:
            log.error("external reader %s: %s", self.alias, error)

    def _insecure(self, secured: bool) -> str:
        if secured:
            return f"reader {self.alias} may talk in clear text; it was seen with a secure channel, so it never does"
        return f"reader {self.alias} may talk in clear text: cards can be read and replayed on its wire"

    async def serve(self) -> None:
        """Carry out what waits, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            async with self._lock:
                await self._settle_key()
                if self._armed is not None:
                    await self._try_install()

    def _again(self, after_s: float) -> None:
        self._core.clock.call_later(after_s, self._wake.set)

    # what the reader reports

    def _linked(self, status: LinkStatus) -> None:
        self._publish(status)
        if status.phase is LinkPhase.CONNECTED and status.secure:
            self._downgraded = False
            self._secured.set()
            if status.key is not None:
                self._wake.set()
        known = self._keys.of(self.node)
        if known.secured and status.can_secure is False and not self._downgraded:
            self._downgraded = True
            detail = "it was seen with a secure channel and now says that it has none"
            log.warning("external reader %s: %s", self.alias, detail)
            self._bus.publish(ReaderDowngrade(reader=self.node, detail=detail))

    def _publish(self, status: LinkStatus) -> None:
        settings, known = self._settings(), self._keys.of(self.node)
        reason = status.reason
        if not settings.use:
            reason = "it is switched off"
        elif (
            not known.keys and not settings.insecure and self._armed is None and status.phase is not LinkPhase.CONNECTED
        ):
            reason = reason or "it has no key; arm install mode, or import the key it has"
        link = ReaderLink(
            reader=self.node,
            alias=self.alias,
            phase=status.phase,
            reason=reason,
            secure=status.secure,
            secured=known.secured,
            keyed=bool(known.keys),
            address=settings.address,
            baud=settings.baud,
            retries=status.retries,
            check_errors=status.check_errors,
            refusals=status.refusals,
            round_trip_us=status.round_trip_us,
            vendor=status.vendor,
            model=status.model,
            serial=status.serial,
            version=status.version,
        )
        before = self._bus.state(ReaderLink, self.node)
        quiet = self._counted is not None and self._core.clock.now_ns() - self._counted < COUNTS_EVERY_S * 1e9
        if before is not None and quiet:
            link = replace(link, **{name: getattr(before, name) for name in COUNTS})
        else:
            self._counted = self._core.clock.now_ns()
        self._bus.publish(link)

    def _condition(self, said: PeerCondition) -> None:
        self._conditions.put(
            "",
            ReaderCondition(
                reader=self.node,
                tamper=said.tamper,
                power_failed=said.power_failed,
                inputs=said.inputs,
                outputs=said.outputs,
            ),
        )

    # keys

    async def _settle_key(self) -> None:
        """Keep the key that the reader has shown to have, and no other."""
        status, known = self.port.link, self._keys.of(self.node)
        if not status.secure or status.key is None or status.key >= len(known.keys):
            return
        if known.secured and len(known.keys) == 1:
            return
        try:
            await self._keys.use(self.node, known.raw()[status.key])
        except Unavailable as error:
            log.error("the key of external reader %s is in use and could not be kept: %s", self.alias, error)
            self._again(RETRY_S)
            return
        if status.key:
            self.apply()  # or every new connection would ask for the other key first
        self._publish(self.port.link)

    def arm(self, for_s: float) -> None:
        """Give the reader its first key within `for_s` seconds. Raises Refused for a reader that is off, or keyed."""
        if not self._settings().use:
            raise Refused("reader.install", f"reader {self.alias!r} is switched off ({self.place}.use)")
        known = self._keys.of(self.node)
        if known.secured or known.imported:
            raise Refused("reader.install", f"reader {self.alias!r} has a key; 'reader.forget' comes first")
        self._stop_timer()
        self._armed = self._core.clock.call_later(for_s, self._install_over)
        self._bus.publish(ReaderInstall(reader=self.node, armed=True, for_s=for_s))
        self._wake.set()

    def disarm(self) -> None:
        """Close install mode."""
        self._stop_timer()
        self._bus.publish(ReaderInstall(reader=self.node, armed=False))

    def _install_over(self) -> None:
        self._told(KeyChange.FAILED, "install mode is over and the reader has taken no key")
        self.disarm()
        self._publish(self.port.link)

    def _stop_timer(self) -> None:
        if self._armed is not None:
            self._armed.cancel()
            self._armed = None

    async def _try_install(self) -> None:
        """Offer the first key: kept here before the reader hears of it, so that no power cut can lose it."""
        try:
            if not self._keys.of(self.node).keys:
                await self._keys.offer(self.node, new_key())
            key = self._keys.of(self.node).raw()[0]
            self._secured.clear()
            self._connect((), plain=False)
            await self._give(key)
            # Even when it did not say so: an answer that was lost on the wire leaves the reader with the key.
            self._connect((key,), plain=False)
            await self._shown()
            await self._keys.use(self.node, key)
        except (HalError, StationError) as error:
            log.info("external reader %s takes no first key yet: %s", self.alias, error)
            self._again(INSTALL_EVERY_S)
            return
        self.disarm()
        self._told(KeyChange.INSTALLED)
        # Whoever listened in the attended window knows that key: the reader gets another one at once.
        try:
            await self._rotate()
        except StationError as error:
            self._told(KeyChange.FAILED, f"the first key was not rotated: {error.message}")

    async def _give(self, key: bytes) -> None:
        try:
            await self.port.install(key)
        except HalError as error:
            log.info("external reader %s: %s", self.alias, error)

    async def rotate(self) -> None:
        """Give the reader a new key inside its secure channel. Raises Refused, Unavailable, Busy."""
        if self._lock.locked():
            raise Busy("reader.rotate_key", f"the keys of reader {self.alias!r} are being changed")
        async with self._lock:
            await self._settle_key()
            await self._rotate()

    async def _rotate(self) -> None:
        if not self.port.link.secure:
            raise Refused("reader.rotate_key", f"reader {self.alias!r} has no secure channel now")
        key = new_key()
        await self._keys.offer(self.node, key)
        try:
            await self.port.set_key(key)
        except HalError as error:
            self._told(KeyChange.FAILED, str(error))
            self.apply()  # with both keys: the reader decides which one it has
            raise Unavailable("reader.rotate_key", str(error)) from error
        try:
            await self._keys.prefer(self.node, key)
        finally:
            self.apply()  # the link counts its keys as they are kept, also when the new order could not be kept
        await self._shown()
        await self._settle_key()
        self._told(KeyChange.ROTATED)

    async def _shown(self) -> None:
        """Wait until the reader has opened a secure channel. Raises Unavailable."""
        if self.port.link.secure:
            return
        timer = self._core.clock.call_later(SHOW_WITHIN_S, self._secured.set)
        try:
            await self._secured.wait()
        finally:
            timer.cancel()
        if not self.port.link.secure:
            raise Unavailable(self.place, f"the reader shows no secure channel within {SHOW_WITHIN_S:g} s")

    async def bring(self, key: bytes) -> None:
        """Use a key that the reader has already. Raises Unavailable."""
        async with self._lock:
            await self._keys.forget(self.node)
            await self._keys.offer(self.node, key, imported=True)
        self.apply()
        self._told(KeyChange.IMPORTED)

    async def forget(self) -> None:
        """Forget key and history: the reader was replaced. Raises Unavailable."""
        async with self._lock:
            await self._keys.forget(self.node)
        self.apply()
        self._told(KeyChange.FORGOTTEN)

    def _told(self, change: KeyChange, detail: str = "") -> None:
        self._bus.publish(ReaderKeyChanged(reader=self.node, change=change, detail=detail))
