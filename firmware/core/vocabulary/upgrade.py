"""Words of the upgrade room: what is installed, what is being tried, how the newest change of firmware ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from firmware.core.events import Pulse, State, topic


class UpgradeStage(StrEnum):
    """Where an upgrade is. CHECKING: a bundle is at the gate, nothing has been written."""

    IDLE = "idle"
    CHECKING = "checking"
    INSTALLING = "installing"
    STAGED = "staged"
    TRIAL = "trial"
    COMMITTED = "committed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotView:
    """What a slot holds."""

    slot: str
    state: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastOutcome:
    """How the newest upgrade, rollback or reset ended: ok, failed or reverted, and why."""

    id: str
    what: str
    outcome: str
    why: str
    before: str
    after: str
    seen: bool


@topic("upgrade/state")
@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeState(State):
    """Firmware in both slots, and what is under way; `progress` in percent, `confirm_left_s` until it is undone."""

    stage: UpgradeStage
    running: str
    slots: tuple[SlotView, ...]
    rollback_ok: bool
    id: str = ""
    mode: str = ""
    target: str = ""
    progress: int = 0
    confirm_left_s: int | None = None
    last: LastOutcome | None = None


@topic("upgrade/refused")
@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeRefused(Pulse):
    """A bundle was not let in, or could not be installed; nothing of the running firmware changed."""

    code: str
    why: str
    by: str


@topic("upgrade/ended")
@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeEnded(Pulse):
    """An upgrade, rollback or reset came to its end."""

    upgrade: str
    what: str
    outcome: str
    why: str
    before: str
    after: str


@topic("upgrade/note")
@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeNote(Pulse):
    """Something that the start found and put right, in words."""

    text: str


LARGEST_BUNDLE = 2 * 1024**3
# Room that a bundle on its way leaves on the medium: control must go on writing.
SPARE_BYTES = 8 * 1024 * 1024


class InstallMode(StrEnum):
    """What becomes of the settings, and what makes the new firmware stay (manuals, "Maintenance", Upgrade)."""

    STANDARD = "standard"
    FACTORY_DEFAULT = "factory_default"
    AUTOMATIC_ROLLBACK = "automatic_rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallParams:
    """Install the bundle that lies in the spool under this name, or in the part of it for whoever sits at the device.

    `confirm_within_s` belongs to automatic rollback: the new firmware must be confirmed within that time.
    """

    spool: Annotated[str, Field(pattern=r"^(?:console/)?[0-9a-f]{32}$")]
    mode: InstallMode = InstallMode.STANDARD
    confirm_within_s: Annotated[int, Field(ge=30, le=86_400)] = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmParams:
    """Keep the firmware on trial; with `id` only that of this upgrade."""

    id: Annotated[str, Field(max_length=64)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeAnswer:
    """What was accepted; the device restarts into it in a moment."""

    id: str
    version: str
    mode: str


@topic("upgrade/certificate")
@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateChanged(Pulse):
    """The certificate that lets this one device take test firmware was `installed` or `deleted`."""

    change: str
    subject: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateParams:
    """Install this certificate (PEM); `acknowledged` that test firmware is not supported as releases are."""

    certificate: Annotated[str, Field(min_length=1, max_length=16_384)]
    acknowledged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateView:
    """The installed certificate; `state` is `none`, `ok`, or the code why it counts for nothing now."""

    state: str
    subject: str = ""
    issuer: str = ""
    valid_from: str = ""
    valid_to: str = ""
    sha256: str = ""
