"""What a gesture of a button asks for, carried out through the action table, wherever the owner runs.

The answer is a fact with the gesture as its cause, also when the owner is away or the board has none. A finger
that presses again meanwhile is told that the action is under way: nothing is queued.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from firmware.core.actions import Caller, Level
from firmware.core.context import Core
from firmware.core.errors import Busy, StationError, Unavailable
from firmware.core.vocabulary.device import ButtonAction, ButtonGesture
from firmware.device.config import PressAction
from hal.errors import HalError

log = logging.getLogger(__name__)

DONE = "done"


@dataclass(frozen=True, slots=True)
class _Wish:
    gesture: ButtonGesture
    action: PressAction


class Presses:
    """The actions of one role's buttons: `ask` at any time, `run` carries out."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._wishes: asyncio.Queue[_Wish] = asyncio.Queue()
        self._under_way: set[PressAction] = set()

    def ask(self, gesture: ButtonGesture, action: PressAction) -> None:
        """Ask for an action once; while it is under way another press is refused as busy."""
        wish = _Wish(gesture, action)
        if action in self._under_way:
            self._tell(wish, Busy.code, f"{action}: is under way")
            return
        self._under_way.add(action)
        self._wishes.put_nowait(wish)

    async def run(self) -> None:
        """Carry out until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                wish = await self._wishes.get()
                group.create_task(self._carry_out(wish), name=f"button {wish.gesture.button}: {wish.action}")

    def stop(self) -> None:
        """Forget what was asked for and not begun."""
        while not self._wishes.empty():
            self._wishes.get_nowait()
        self._under_way.clear()

    async def _carry_out(self, wish: _Wish) -> None:
        caller = Caller(f"button {wish.gesture.button}", Level.SYSTEM, "button")
        try:
            await self._core.link.command(wish.action, {}, caller, cause=wish.gesture.id)
        except StationError as error:
            self._tell(wish, error.code, str(error))
        except HalError as error:
            self._tell(wish, Unavailable.code, str(error))
        except Exception:  # a fault of an action's owner must not end the buttons
            log.exception("the owner of %s failed", wish.action)
            self._tell(wish, Unavailable.code, f"{wish.action}: failed inside; the log says how")
        else:
            self._tell(wish, DONE, "")
        finally:
            self._under_way.discard(wish.action)

    def _tell(self, wish: _Wish, code: str, message: str) -> None:
        gesture = wish.gesture
        self._core.bus.publish(
            ButtonAction(
                button=gesture.button, gesture=gesture.gesture, action=wish.action, code=code, message=message
            ),
            cause=gesture,
        )
