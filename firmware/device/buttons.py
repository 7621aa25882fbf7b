"""Service `buttons`: presses become gestures, decided on release; a button held too long is stuck.

A gesture asks for the action that the product gives it (`press.py`); a stuck button asks for nothing.

A press that was already there at start has no known beginning: its release makes no gesture. What it may be is
a factory reset (`reset_button.py`).

An administrator may simulate a finger (manual 001, "Interactive device image"): `button.hold` and `button.let_go` make
the gestures a finger makes. They never reach the factory reset, which is for who stands at the device, and a finger
that comes meanwhile is the one that counts. Who forgets to let go has made a stuck press, which asks for nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from firmware.core.actions import NOTHING, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.errors import Busy, Invalid, NotFound, Unavailable
from firmware.core.events import Event
from firmware.core.vocabulary.device import ButtonGesture, ButtonParams, ButtonSimulated, ButtonState, GestureKind
from firmware.device.config import ButtonConfig, DeviceConfig
from firmware.device.press import Presses
from firmware.device.reset_button import ResetButton
from hal.clock import Timer
from hal.errors import nearest
from hal.ports import Button, Hardware, InputChange


def gesture_of(held_s: float, long_s: float) -> GestureKind:
    """What a press of `held_s` seconds was; exactly `long_s` is long."""
    return GestureKind.LONG if held_s >= long_s else GestureKind.SHORT


@dataclass(slots=True)
class _Button:
    name: str
    config: ButtonConfig
    port: Button
    pressed_ns: int | None = None
    stuck: Timer | None = None
    ripe: Timer | None = None
    simulated: bool = False

    def stop_timers(self) -> None:
        for timer in (self.stuck, self.ripe):
            if timer is not None:
                timer.cancel()
        self.stuck = self.ripe = None


class ButtonsService:
    """Publishes `ButtonState`, `ButtonGesture` and `ButtonAction` of the product's buttons."""

    name: ClassVar[str] = "buttons"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"button"})

    def __init__(self, core: Core, hardware: Hardware, config: DeviceConfig, powered_ns: int | None = None) -> None:
        """`powered_ns` is when the power came, at the first start since then.

        Raises Invalid for a node that is no button of the board.
        """
        self._core = core
        self._reset = None if config.procedure is None else ResetButton(core, config.procedure, powered_ns)
        self._presses = Presses(core)
        self._buttons: list[_Button] = []
        self._open = False
        for name, button in config.buttons.items():
            port = hardware.buttons.get(button.node)
            if port is None:
                hint = nearest(button.node, hardware.buttons)
                raise Invalid(f"rooms.device.buttons.{name}.node", f"no button {button.node!r} on this board{hint}")
            self._buttons.append(_Button(name, button, port))

    async def start(self) -> None:
        """Say how every button is and watch it."""
        for action, owner, summary in (
            ("button.hold", self._hold, "Simulate a finger on a button, until button.let_go."),
            ("button.let_go", self._let_go, "Take the simulated finger away."),
        ):
            self._core.actions.register(action, ButtonParams, owner, summary=summary, level=Level.ADMIN)
        for button in self._buttons:
            button.port.watch(lambda change, button=button: self._moved(button, change))  # type: ignore[misc]
            pressed = button.port.pressed()
            button.pressed_ns = None
            self._core.bus.publish(ButtonState(button=button.name, pressed=pressed))
            if pressed:
                self._expect_release(button, self._core.clock.now_ns())
        if self._reset is not None:
            self._reset.first(frozenset(button.name for button in self._buttons if button.port.pressed()))
        self._open = True

    async def run(self) -> None:
        """Report and carry out until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._presses.run(), name="what buttons ask for")
            if self._reset is not None:
                group.create_task(self._reset.run(), name="the reset button")

    async def stop(self) -> None:
        """Stop watching."""
        self._open = False
        if self._reset is not None:
            self._reset.stop()
        for button in self._buttons:
            button.port.watch(None)
            button.stop_timers()
            button.simulated = False
        self._presses.stop()

    def _expect_release(self, button: _Button, since_ns: int) -> None:
        stuck_ns = round(button.config.stuck_s * 1e9)
        button.stuck = self._core.clock.call_at(since_ns + stuck_ns, self._is_stuck, button)

    def _moved(self, button: _Button, change: InputChange) -> None:
        button.simulated = False
        self._followed(button, change, None)

    def _followed(self, button: _Button, change: InputChange, simulated: Event | None) -> None:
        """A finger, or what simulates one."""
        state = self._core.bus.publish(ButtonState(button=button.name, pressed=change.active), cause=simulated)
        button.stop_timers()
        if self._reset is not None and simulated is None:
            self._reset.moved(button.name, change)
        if change.active:
            button.pressed_ns = change.t_ns
            self._expect_release(button, change.t_ns)
            if button.config.long is not None:
                ripe_ns = change.t_ns + round(button.config.long_s * 1e9)
                button.ripe = self._core.clock.call_at(ripe_ns, self._is_ripe, button)
            return
        if button.pressed_ns is not None:
            held_s = (change.t_ns - button.pressed_ns) / 1e9
            button.pressed_ns = None
            self._gesture(button, gesture_of(held_s, button.config.long_s), held_s, state)

    def _is_ripe(self, button: _Button) -> None:
        """It is time to let go, which a light may show."""
        button.ripe = None
        self._core.bus.publish(ButtonState(button=button.name, pressed=True, ripe=True))

    def _is_stuck(self, button: _Button) -> None:
        button.stop_timers()
        button.pressed_ns = None  # the press has its gesture now; the release makes no second one
        state = self._core.bus.publish(ButtonState(button=button.name, pressed=True))
        self._gesture(button, GestureKind.STUCK, button.config.stuck_s, state)
        if button.simulated:
            button.simulated = False
            self._core.bus.publish(ButtonState(button=button.name, pressed=False))

    def _gesture(self, button: _Button, kind: GestureKind, held_s: float, state: ButtonState | None) -> None:
        gesture = self._core.bus.publish(ButtonGesture(button=button.name, gesture=kind, held_s=held_s), cause=state)
        action = {GestureKind.SHORT: button.config.short, GestureKind.LONG: button.config.long}.get(kind)
        if action is not None:
            self._presses.ask(gesture, action)

    # a simulated finger

    async def _hold(self, invocation: Invocation) -> Nothing:
        button = self._find(invocation)
        if button.simulated or button.port.pressed():
            raise Busy("button.hold", f"button {button.name!r} is pressed already")
        button.simulated = True
        self._simulate(button, invocation, pressed=True)
        return NOTHING

    async def _let_go(self, invocation: Invocation) -> Nothing:
        button = self._find(invocation)
        if not button.simulated:
            raise NotFound("button.let_go", f"no simulated finger is on button {button.name!r}")
        button.simulated = False
        self._simulate(button, invocation, pressed=False)
        return NOTHING

    def _simulate(self, button: _Button, invocation: Invocation, *, pressed: bool) -> None:
        told = ButtonSimulated(button=button.name, pressed=pressed, by=invocation.caller.name)
        fact = self._core.bus.publish(told, cause=invocation.cause)
        self._followed(button, InputChange(self._core.clock.now_ns(), pressed), fact)

    def _find(self, invocation: Invocation) -> _Button:
        wish = invocation.params
        assert isinstance(wish, ButtonParams)
        known = {button.name: button for button in self._buttons}
        if wish.button not in known:
            raise NotFound(f"{invocation.action}.button", f"no button {wish.button!r}{nearest(wish.button, known)}")
        if not self._open:
            raise Unavailable(invocation.action, "the buttons are not running")
        return known[wish.button]
