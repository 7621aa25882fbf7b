"""Service `tampering`: watches the small stream of every camera for tampering, two to four times a second."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import ClassVar

from firmware.core.actions import NOTHING, Invocation, Nothing
from firmware.core.context import Core
from firmware.core.errors import NotFound
from firmware.core.events import Event
from firmware.core.vocabulary.station import ParamsChanged
from firmware.core.vocabulary.video import Signal, VideoSource
from firmware.core.vocabulary.watch import (
    TamperingDetected,
    TamperingEnded,
    TamperingRelearnParams,
    TamperingState,
)
from firmware.video.frames import small_luma
from firmware.video.scene_features import features_of
from firmware.video.source import Source
from firmware.video.tamper_rules import LOOKS_HZ, Finding, TamperRules, TamperWatch
from firmware.video.tamper_settings import TamperGroup, TamperSettings, tamper_group
from hal.errors import nearest
from hal.pictures import Frame


class TamperingService:
    """Owns parameter group `tampering` and the action `tampering.relearn`; publishes what it finds."""

    name: ClassVar[str] = "tampering"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"camera"})

    def __init__(self, core: Core, sources: Mapping[str, Source]) -> None:
        self._core = core
        self._sources = sources
        self._names = {source.alias: name for name, source in sources.items()} | {name: name for name in sources}
        self._group = tamper_group(sources, self._settings_of)
        self._watches: dict[str, TamperWatch] = {}

    def _settings_of(self, camera: str) -> TamperSettings:
        return self._core.params.get(self._group).of(camera)

    async def start(self) -> None:
        """Load the parameters; every scene is learned anew."""
        params = self._core.params
        params.declare(self._group)
        await params.load(self._group)
        self._core.actions.register(
            "tampering.relearn",
            TamperingRelearnParams,
            self._relearn,
            summary="Take what a camera sees now for its scene, once it has been still for 10 s.",
        )
        self._watches = {name: TamperWatch(self._rules(name)) for name in self._sources}
        for name in self._sources:
            self._publish(name)

    async def run(self) -> None:
        """Look at the pictures and follow the parameters until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, source in self._sources.items():
                tasks.create_task(self._look(name, source))
            with self._core.bus.subscribe(ParamsChanged, VideoSource) as notices:
                async for notice in notices:
                    self._heard(notice.event)

    async def stop(self) -> None:
        """Withdraw the states: nobody looks any more."""
        for name in self._sources:
            self._core.bus.forget(TamperingState, name)

    def _rules(self, name: str) -> TamperRules:
        settings = self._settings_of(name)
        return TamperRules(delay_s=settings.trigger_delay_s, on_dark=settings.trigger_on_dark)

    def _heard(self, event: Event) -> None:
        if isinstance(event, ParamsChanged) and event.group == TamperGroup.group:
            for name in set(event.names) & self._watches.keys():
                self._watches[name].rules = self._rules(name)
        elif isinstance(event, VideoSource) and event.phase is Signal.NO_SIGNAL and event.source in self._watches:
            self._watches[event.source].no_signal()
            self._publish(event.source)

    async def _look(self, name: str, source: Source) -> None:
        with source.tap.follow(hz=LOOKS_HZ) as follower:
            while True:
                frame = await follower.next()
                if self._watches[name].is_due(frame.t_ns):
                    self._judge(name, frame)

    def _judge(self, name: str, frame: Frame) -> None:
        features = features_of(small_luma(frame), limited=frame.main.limited)
        self._tell(name, self._watches[name].feed(frame.t_ns, features))

    def _tell(self, name: str, finding: Finding, *, cause: str | None = None) -> None:
        """Publish what follows from a look, or from an order."""
        because: Event | str | None = cause
        if finding.detected is not None:
            because = self._core.bus.publish(
                TamperingDetected(camera=name, what=finding.detected, after_s=round(finding.after_s, 1))
            )
        elif finding.ended:
            because = self._core.bus.publish(TamperingEnded(camera=name, relearned=finding.relearned), cause=cause)
        self._publish(name, because)

    def _publish(self, name: str, cause: Event | str | None = None) -> None:
        watch = self._watches[name]
        state = TamperingState(
            camera=name,
            alias=self._sources[name].alias,
            phase=watch.phase,
            tampered=watch.tampered is not None,
            what=watch.tampered,
            dark=watch.dark,
        )
        self._core.bus.publish(state, cause=cause)

    async def _relearn(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, TamperingRelearnParams)
        name = self._names.get(params.camera)
        if name is None:
            raise NotFound(
                "tampering.relearn.camera", f"no camera {params.camera!r}{nearest(params.camera, self._names)}"
            )
        self._tell(name, self._watches[name].relearn(), cause=invocation.cause)
        return NOTHING
