"""What facts say by a name of their own, in words that are translated: reasons of a decision, alarms, stages."""

from __future__ import annotations

from collections.abc import Mapping

from firmware.core.vocabulary.access import DoorAlarmKind, Reason
from firmware.core.vocabulary.upgrade import UpgradeStage
from firmware.interfaces.web.words import N_

REASONS: Mapping[Reason, str] = {
    Reason.GRANTED: N_("granted"),
    Reason.UNKNOWN: N_("unknown credential"),
    Reason.UNREADABLE: N_("unreadable card"),
    Reason.NOT_YET: N_("not valid yet"),
    Reason.EXPIRED: N_("no longer valid"),
    Reason.USED_UP: N_("no uses left"),
    Reason.SCHEDULE: N_("outside schedule"),
    Reason.DOOR: N_("not for this door"),
    Reason.CLOCK: N_("time is not known"),
    Reason.DISABLED: N_("entry list is off"),
    Reason.STORAGE: N_("use could not be recorded"),
    Reason.THROTTLED: N_("too many failures"),
    Reason.BLOCKED: N_("entry is blocked"),
    Reason.MODE: N_("not enough at this reader"),
    Reason.NO_PIN: N_("PIN is missing"),
    Reason.WRONG_PIN: N_("wrong PIN"),
    Reason.DOUBLE_USE: N_("used elsewhere a moment ago"),
    Reason.NO_DATA: N_("required card data is missing"),
    Reason.CONTROLLER: N_("the controller denies"),
    Reason.CONTROLLER_AWAY: N_("the controller does not answer"),
    Reason.BUSY: N_("too much waits for the controller"),
}
ALARMS: Mapping[DoorAlarmKind, str] = {
    DoorAlarmKind.FORCED: N_("forced open"),
    DoorAlarmKind.HELD_OPEN: N_("held open too long"),
    DoorAlarmKind.CONTACT: N_("door contact"),
    DoorAlarmKind.EXIT: N_("exit button"),
    DoorAlarmKind.STRIKE: N_("strike"),
}
STAGES: Mapping[UpgradeStage, str] = {
    UpgradeStage.IDLE: N_("nothing under way"),
    UpgradeStage.CHECKING: N_("the file is being checked"),
    UpgradeStage.INSTALLING: N_("being installed"),
    UpgradeStage.STAGED: N_("installed, the device restarts"),
    UpgradeStage.TRIAL: N_("on trial"),
    UpgradeStage.COMMITTED: N_("being made the firmware of this device"),
}


def reason_text(value: str) -> str:
    """The text to translate for a reason as facts write it; what is no reason stays as it is."""
    return REASONS.get(Reason(value), value) if value in set(Reason) else value
