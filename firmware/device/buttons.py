"""Service `buttons`: presses become gestures, decided on release; a button held too long is stuck.

A press that was already there at start has no known beginning: its release makes no gesture. What it may be is
a factory reset (`reset_button.py`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from firmware.core.context import Core
from firmware.core.errors import Invalid
from firmware.core.vocabulary.device import ButtonGesture, ButtonState, GestureKind
from firmware.device.config import ButtonConfig, DeviceConfig
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

    def stop_timer(self) -> None:
        if self.stuck is not None:
            self.stuck.cancel()
            self.stuck = None


class ButtonsService:
    """Publishes `ButtonState` and `ButtonGesture` of the product's buttons."""

    name: ClassVar[str] = "buttons"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"button"})

    def __init__(self, core: Core, hardware: Hardware, config: DeviceConfig, powered_ns: int | None = None) -> None:
        """`powered_ns` is when the power came, at the first start since then.

        Raises Invalid for a node that is no button of the board.
        """
        self._core = core
        self._reset = None if config.procedure is None else ResetButton(core, config.procedure, powered_ns)
        self._buttons: list[_Button] = []
        for name, button in config.buttons.items():
            port = hardware.buttons.get(button.node)
            if port is None:
                hint = nearest(button.node, hardware.buttons)
                raise Invalid(f"rooms.device.buttons.{name}.node", f"no button {button.node!r} on this board{hint}")
            self._buttons.append(_Button(name, button, port))

    async def start(self) -> None:
        """Say how every button is and watch it."""
        for button in self._buttons:
            button.port.watch(lambda change, button=button: self._moved(button, change))  # type: ignore[misc]
            pressed = button.port.pressed()
            button.pressed_ns = None
            self._core.bus.publish(ButtonState(button=button.name, pressed=pressed))
            if pressed:
                self._expect_release(button, self._core.clock.now_ns())
        if self._reset is not None:
            self._reset.first(frozenset(button.name for button in self._buttons if button.port.pressed()))

    async def run(self) -> None:
        """Report until cancelled."""
        if self._reset is not None:
            await self._reset.run()
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Stop watching."""
        if self._reset is not None:
            self._reset.stop()
        for button in self._buttons:
            button.port.watch(None)
            button.stop_timer()

    def _expect_release(self, button: _Button, since_ns: int) -> None:
        stuck_ns = round(button.config.stuck_s * 1e9)
        button.stuck = self._core.clock.call_at(since_ns + stuck_ns, self._is_stuck, button)

    def _moved(self, button: _Button, change: InputChange) -> None:
        state = self._core.bus.publish(ButtonState(button=button.name, pressed=change.active))
        button.stop_timer()
        if self._reset is not None:
            self._reset.moved(button.name, change)
        if change.active:
            button.pressed_ns = change.t_ns
            self._expect_release(button, change.t_ns)
            return
        if button.pressed_ns is not None:
            held_s = (change.t_ns - button.pressed_ns) / 1e9
            button.pressed_ns = None
            self._gesture(button, gesture_of(held_s, button.config.long_s), held_s, state)

    def _is_stuck(self, button: _Button) -> None:
        button.stuck = None
        button.pressed_ns = None  # the press has its gesture now; the release makes no second one
        state = self._core.bus.state(ButtonState, button.name)
        self._gesture(button, GestureKind.STUCK, button.config.stuck_s, state)

    def _gesture(self, button: _Button, kind: GestureKind, held_s: float, state: ButtonState | None) -> None:
        self._core.bus.publish(ButtonGesture(button=button.name, gesture=kind, held_s=held_s), cause=state)
