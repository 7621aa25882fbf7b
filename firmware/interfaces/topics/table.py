"""Which events of the device are told under which topics. Ports, relays and inputs are numbered as in `numbers.py`.

A card's bits and credentials are never among them: whoever listens may be a viewer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from firmware.core.context import Core
from firmware.core.events import Event
from firmware.core.vocabulary.access import AccessDenied, AccessGranted, DoorAlarm, DoorState, Position
from firmware.core.vocabulary.device import DevicePhase, NetworkState, Phase
from firmware.core.vocabulary.io import PortState, RelayChanged, VirtualInputState
from firmware.core.vocabulary.sound_detection import SoundDetection
from firmware.core.vocabulary.speaker_test import SpeakerTested
from firmware.core.vocabulary.station import StorageAlarm
from firmware.core.vocabulary.video import Signal, VideoSource
from firmware.core.vocabulary.watch import DayNight, DayNightState, ShockDetected, TamperingDetected
from firmware.interfaces.topics.numbers import Numbers
from firmware.interfaces.topics.told import Item, Said, Topic
from hal.types import Direction

E = TypeVar("E", bound=Event)

BOOLEAN = "xsd:boolean"
INTEGER = "xsd:int"
ON = ("0", "1")
ACTIVE = ("active", "inactive")


def topics(core: Core) -> tuple[Topic, ...]:
    """Every topic this device may tell of."""
    numbers = Numbers(core)
    return (*_io(numbers), *_device(), *_doors(), *_media())


def _of(event: type[E], say: Callable[[E], Said | None]) -> Callable[[Event], Said | None]:
    """The items of one class of event."""

    def checked(given: Event) -> Said | None:
        assert isinstance(given, event), "the table asks by class"
        return say(given)

    return checked


def flag(on: bool) -> str:
    """A state as 0 or 1."""
    return "1" if on else "0"


def _io(numbers: Numbers) -> tuple[Topic, ...]:
    def port(state: PortState) -> Said:
        return Said(source={"port": str(numbers.port(state.port))}, data={"state": flag(state.active)})

    def digital_input(state: PortState) -> Said | None:
        if state.direction is not Direction.INPUT:
            return None
        token = str(numbers.port(state.port))
        return Said(source={"InputToken": token}, data={"LogicalState": str(state.active).lower()})

    def relay(state: RelayChanged) -> Said:
        token = str(numbers.relay(state.relay))
        return Said(source={"RelayToken": token}, data={"LogicalState": "active" if state.on else "inactive"})

    def virtual(state: VirtualInputState) -> Said:
        return Said(source={"port": str(state.input)}, data={"active": flag(state.active)})

    return (
        Topic(
            path="tns1:Device/tnsaxis:IO/Port",
            nice="Digital port",
            event=PortState,
            say=_of(PortState, port),
            source=(Item(name="port", type=INTEGER, nice="Port number"),),
            data=(Item(name="state", type=BOOLEAN, nice="Active", values=ON),),
        ),
        Topic(
            path="tns1:Device/Trigger/DigitalInput",
            nice="Digital input",
            event=PortState,
            say=_of(PortState, digital_input),
            source=(Item(name="InputToken"),),
            data=(Item(name="LogicalState", type=BOOLEAN, nice="Active"),),
        ),
        Topic(
            path="tns1:Device/Trigger/Relay",
            nice="Relays and outputs",
            event=RelayChanged,
            say=_of(RelayChanged, relay),
            source=(Item(name="RelayToken"),),
            data=(Item(name="LogicalState", nice="Active", values=ACTIVE),),
        ),
        Topic(
            path="tns1:Device/tnsaxis:IO/VirtualInput",
            nice="Virtual input",
            event=VirtualInputState,
            say=_of(VirtualInputState, virtual),
            source=(Item(name="port", type=INTEGER, nice="Input number"),),
            data=(Item(name="active", type=BOOLEAN, nice="Active", values=ON),),
        ),
    )


def _device() -> tuple[Topic, ...]:
    def ready(state: DevicePhase) -> Said:
        return Said(data={"ready": flag(state.phase is not Phase.STARTING)})

    def network(state: NetworkState) -> Said:
        return Said(source={"interface": "Any"}, data={"lost": flag(not state.up)})

    def storage(alarm: StorageAlarm) -> Said:
        return Said(source={"disk_id": alarm.role}, data={"disruption": "1", "problem": alarm.problem.value})

    def shock(happened: ShockDetected) -> Said:
        return Said(source={"sensor": happened.sensor}, data={"shock": "1"})

    return (
        Topic(
            path="tns1:Device/tnsaxis:Status/SystemReady",
            nice="System ready",
            event=DevicePhase,
            say=_of(DevicePhase, ready),
            data=(Item(name="ready", type=BOOLEAN, nice="Ready", values=ON),),
        ),
        Topic(
            path="tns1:Device/tnsaxis:Network/Lost",
            nice="Network lost",
            event=NetworkState,
            say=_of(NetworkState, network),
            source=(Item(name="interface", nice="Interface", values=("Any",)),),
            data=(Item(name="lost", type=BOOLEAN, nice="Lost", values=ON),),
        ),
        Topic(
            path="tnsaxis:Storage/Disruption",
            nice="Storage disruption",
            event=StorageAlarm,
            say=_of(StorageAlarm, storage),
            source=(Item(name="disk_id", nice="Storage"),),
            data=(Item(name="disruption", type=BOOLEAN, values=ON), Item(name="problem", nice="Problem")),
        ),
        Topic(
            path="tns1:Device/tnsaxis:Tampering/ShockDetected",
            nice="Shock detected",
            event=ShockDetected,
            say=_of(ShockDetected, shock),
            source=(Item(name="sensor", nice="Sensor"),),
            data=(Item(name="shock", type=BOOLEAN, values=ON),),
            stateful=False,
        ),
    )


def _doors() -> tuple[Topic, ...]:
    positions = {Position.OPEN: "Open", Position.CLOSED: "Closed", Position.UNKNOWN: "Unknown"}

    def leaf(state: DoorState) -> Said:
        return Said(source={"DoorToken": state.door}, data={"State": positions[state.position]})

    def lock(state: DoorState) -> Said:
        return Said(source={"DoorToken": state.door}, data={"State": "Unlocked" if state.released else "Locked"})

    def alarm(state: DoorAlarm) -> Said:
        kinds = {"forced": "DoorForcedOpen", "held_open": "DoorOpenTooLong"}
        what = kinds.get(state.kind.value, state.kind.value)
        return Said(source={"DoorToken": state.door, "Kind": what}, data={"State": what if state.active else "Normal"})

    def granted(happened: AccessGranted) -> Said:
        return Said(source={"AccessPointToken": happened.reader}, data={"External": "false", "Door": happened.door})

    def denied(happened: AccessDenied) -> Said:
        return Said(
            source={"AccessPointToken": happened.reader}, data={"Reason": happened.reason.value, "Door": happened.door}
        )

    door = Item(name="DoorToken", nice="Door")
    point = Item(name="AccessPointToken", nice="Reader")
    return (
        Topic(path="tns1:Door/State/DoorPhysicalState", nice="Door position", event=DoorState,
              say=_of(DoorState, leaf), source=(door,), data=(Item(name="State", values=tuple(positions.values())),)),
        Topic(path="tns1:Door/State/LockPhysicalState", nice="Strike", event=DoorState, say=_of(DoorState, lock),
              source=(door,), data=(Item(name="State", values=("Locked", "Unlocked")),)),
        Topic(path="tns1:Door/State/DoorAlarm", nice="Door alarm", event=DoorAlarm, say=_of(DoorAlarm, alarm),
              source=(door, Item(name="Kind")), data=(Item(name="State"),)),
        Topic(path="tns1:AccessControl/AccessGranted/Credential", nice="Access granted", event=AccessGranted,
              say=_of(AccessGranted, granted), source=(point,), stateful=False,
              data=(Item(name="External", type=BOOLEAN), Item(name="Door"))),
        Topic(path="tns1:AccessControl/Denied/Credential", nice="Access denied", event=AccessDenied,
              say=_of(AccessDenied, denied), source=(point,), stateful=False,
              data=(Item(name="Reason"), Item(name="Door"))),
    )  # fmt: skip


def _media() -> tuple[Topic, ...]:
    def loud(state: SoundDetection) -> Said:
        return Said(source={"channel": "1"}, data={"triggered": flag(state.above)})

    def tested(happened: SpeakerTested) -> Said:
        return Said(data={"result": happened.verdict.value})

    def day(state: DayNightState) -> Said:
        token = {"VideoSourceConfigurationToken": "1"}
        return Said(source=token, data={"day": flag(state.mode is DayNight.DAY)})

    def light(state: DayNightState) -> Said | None:
        if state.illumination is None:
            return None
        return Said(source={"id": "0"}, data={"state": "ON" if state.illumination else "OFF"})

    def tampered(happened: TamperingDetected) -> Said:
        return Said(source={"channel": "1"}, data={"tampering": "1", "cause": happened.what.value})

    def video(state: VideoSource) -> Said:
        lost = state.phase is not Signal.RUNNING
        return Said(source={"VideoSource": state.source}, data={"State": str(lost).lower()})

    return (
        Topic(path="tns1:AudioSource/tnsaxis:TriggerLevel", nice="Audio detection", event=SoundDetection,
              say=_of(SoundDetection, loud), source=(Item(name="channel", type=INTEGER),),
              data=(Item(name="triggered", type=BOOLEAN, nice="Above alarm level", values=ON),)),
        Topic(path="tnsaxis:AudioControl/SpeakerTest", nice="Speaker test result", event=SpeakerTested,
              say=_of(SpeakerTested, tested), data=(Item(name="result"),), stateful=False),
        Topic(path="tns1:VideoSource/tnsaxis:DayNightVision", nice="Day night vision", event=DayNightState,
              say=_of(DayNightState, day), source=(Item(name="VideoSourceConfigurationToken", type=INTEGER),),
              data=(Item(name="day", type=BOOLEAN, nice="Day", values=ON),)),
        Topic(path="tns1:Device/tnsaxis:Light/Status", nice="Light", event=DayNightState, say=_of(DayNightState, light),
              source=(Item(name="id", type=INTEGER, nice="Light"),), data=(Item(name="state", values=("ON", "OFF")),)),
        Topic(path="tns1:VideoSource/tnsaxis:Tampering", nice="Camera tampering", event=TamperingDetected,
              say=_of(TamperingDetected, tampered), source=(Item(name="channel", type=INTEGER),), stateful=False,
              data=(Item(name="tampering", type=BOOLEAN, values=ON), Item(name="cause"))),
        Topic(path="tns1:VideoSource/SignalLoss", nice="No signal", event=VideoSource, say=_of(VideoSource, video),
              source=(Item(name="VideoSource"),), data=(Item(name="State", type=BOOLEAN, nice="Lost"),)),
    )  # fmt: skip
