"""Actions of the certificate that lets one device take test firmware: install, show, delete (administrators only).

It also saves the time, once an hour while the clock is set: certificates are judged at no earlier one.
What reads certificates is loaded on the writer thread, when one is looked at: most devices never have one.
"""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from firmware.core.actions import NOTHING, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.errors import NotFound, Unavailable
from firmware.core.vocabulary.device import DeviceInfo
from firmware.core.vocabulary.upgrade import CertificateChanged, CertificateParams, CertificateView
from firmware.upgrade.context import at_least
from firmware.upgrade.saved_time import SavedTime

if TYPE_CHECKING:
    from firmware.upgrade.certificates import Device
    from firmware.upgrade.custom import CustomCertificate, Installed

NAME = "own.der"
SAVED_S = 3600.0


class CertificateService:
    """Owns `certificate.install`, `certificate.info` and `certificate.delete`."""

    name: ClassVar[str] = "certificate"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core, folder: Path, keyring: Path, saved: SavedTime) -> None:
        """`folder` is where the certificate lies, `keyring` where the vendor's roots are."""
        self._core = core
        self._folder = folder
        self._keyring = keyring
        self._saved = saved

    async def start(self) -> None:
        """Offer the actions."""
        add = self._core.actions.register
        add(
            "certificate.install",
            CertificateParams,
            self._install,
            level=Level.ADMIN,
            answer=CertificateView,
            summary="Take test firmware of the holder of this certificate, which is bound to this device.",
        )
        add(
            "certificate.info",
            Nothing,
            self._info,
            level=Level.ADMIN,
            answer=CertificateView,
            summary="The certificate for test firmware, and whether it counts.",
        )
        add(
            "certificate.delete",
            Nothing,
            self._delete,
            level=Level.ADMIN,
            summary="Take release firmware only.",
        )

    async def run(self) -> None:
        """Save the time now and every hour, until cancelled."""
        clock = self._core.clock
        while True:
            if clock.trusted():
                save = partial(self._saved.note, clock.utc())
                with contextlib.suppress(Unavailable):  # the store tells of it; an hour later it may be well again
                    await self._core.shared.run(save, what="time")
            await clock.sleep(SAVED_S)

    async def stop(self) -> None:
        """Nothing to give back."""

    async def _install(self, invocation: Invocation) -> CertificateView:
        wish = invocation.params
        assert isinstance(wish, CertificateParams)

        def install() -> Installed:
            return self._own().install(wish.certificate.encode(), self._device(), acknowledged=wish.acknowledged)

        installed = await self._core.shared.run(install, what="certificate")
        self._tell("installed", installed.subject, invocation)
        return view(installed)

    async def _info(self, invocation: Invocation) -> CertificateView:
        found = await self._core.shared.run(lambda: self._own().info(self._device()), what="certificate", writes=False)
        return CertificateView(state="none") if found is None else view(found)

    async def _delete(self, invocation: Invocation) -> Nothing:
        if not await self._core.shared.run(lambda: self._own().delete(), what="certificate"):
            raise NotFound("certificate", "none is installed")
        self._tell("deleted", "", invocation)
        return NOTHING

    def _own(self) -> CustomCertificate:
        """The certificate's keeper; blocks."""
        from firmware.upgrade.custom import CustomCertificate

        return CustomCertificate(self._folder, self._keyring)

    def _device(self) -> Device:
        """This device now; blocks."""
        from firmware.upgrade.certificates import Device

        info, clock = self._core.bus.state(DeviceInfo), self._core.clock
        assert info is not None, "the device service starts first"
        now = at_least(clock.utc(), self._saved.read())
        return Device(serial=info.serial, chip_id=info.chip_id, now=now, clock_trusted=clock.trusted())

    def _tell(self, change: str, subject: str, invocation: Invocation) -> None:
        event = CertificateChanged(change=change, subject=subject, by=invocation.caller.name)
        self._core.bus.publish(event, cause=invocation.cause)


def view(installed: Installed) -> CertificateView:
    """As interfaces see it."""
    return CertificateView(
        state=installed.state,
        subject=installed.subject,
        issuer=installed.issuer,
        valid_from=installed.valid_from.isoformat(),
        valid_to=installed.valid_to.isoformat(),
        sha256=installed.sha256,
    )
