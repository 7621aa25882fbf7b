"""What all readers on the wall have for whoever stands before them: a place for cards, keys, a lamp, a beeper."""

from __future__ import annotations

from collections.abc import Mapping

from hal.errors import OutOfRange
from hal.sim.peers.base import Gesture, Peer, Place
from hal.sim.peers.light import Lamp
from hal.sim.peers.switch import Load

KEYS = "0123456789*#"
KEY_PACE_NS = 100_000_000


class CardReaderPeer(Peer):
    """A reader of either kind; what it does with cards and keys is said by its kind."""

    kind = "reader"

    def __init__(
        self, place: Place, name: str, *, led: Lamp | None, beeper: Load | None, keypad: bool, alias: str | None
    ) -> None:
        super().__init__(place, name, alias=alias)
        self._led = led
        self._beeper = beeper
        self._keypad = keypad
        self._plugged = True

    @property
    def parts(self) -> Mapping[str, Peer]:
        parts: dict[str, Peer] = {}
        if self._led is not None:
            parts["led"] = self._led
        if self._beeper is not None:
            parts["beeper"] = self._beeper
        return parts

    @property
    def led(self) -> Lamp:
        """Its lamp. Raises OutOfRange for a reader without one."""
        if self._led is None:
            raise OutOfRange(self.title, "has no led")
        return self._led

    @property
    def beeper(self) -> Load:
        """Its beeper. Raises OutOfRange for a reader without one."""
        if self._beeper is None:
            raise OutOfRange(self.title, "has no beeper")
        return self._beeper

    def state(self) -> dict[str, object]:
        """Plugged or not, and what its parts show."""
        return {"plugged": self._plugged} | {name: part.state() for name, part in self.parts.items()}

    @property
    def alive(self) -> bool:
        """Whether it has a cable and power."""
        return self._plugged and self.place.powered

    # what people do

    def swipe(self, card: str) -> Gesture:
        """Show a card: `FORMAT:FACILITY:NUMBER`, or its bits. Raises OutOfRange."""
        raise NotImplementedError

    def keys(self, text: str) -> Gesture:
        """Press keys, 100 ms from one to the next. Raises OutOfRange for a key no keypad has."""
        raise NotImplementedError

    def check_keys(self, text: str) -> None:
        """Raises OutOfRange for a reader without keypad, or a key that none has."""
        if not self._keypad:
            raise OutOfRange(self.title, "has no keypad")
        wrong = next((key for key in text if key not in KEYS), None)
        if wrong is not None or not text:
            raise OutOfRange(self.title, f"no key {wrong or ''!r}; valid: {' '.join(KEYS)}")

    def unplug(self) -> None:
        """Pull the cable: nothing is sent any more, lamp and beeper are off."""
        self._connect(False)

    def plug(self) -> None:
        """Put the cable back."""
        self._connect(True)

    def _connect(self, plugged: bool) -> None:
        self._plugged = plugged
        if self._led is not None:
            self._led.connect(plugged)
        if self._beeper is not None:
            self._beeper.connect(plugged)
