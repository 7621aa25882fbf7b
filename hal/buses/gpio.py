"""The GPIO wire over any gpiozero factory: ours takes a group in one request, others pin by pin.

This is the seam where the same driver meets our factory over gpiod, lgpio, or gpiozero's mock pins.
"""

from __future__ import annotations

from collections.abc import Sequence

from hal.buses.pin_lines import PinInputs, PinOutputs
from hal.buses.pins import GroupFactory, InputWish, OutputWish, PinFactory
from hal.clock import Clock
from hal.types import Drive, EdgeKind, Pull
from hal.wires import InputLines, OutputLines


class FactoryGpio:
    """The lines of one gpiozero factory; implements Gpio. `name` is the bus name of the board file."""

    def __init__(self, factory: PinFactory, clock: Clock, name: str) -> None:
        self._factory = factory
        self._clock = clock
        self._name = name
        # Held here, for gpiozero keeps reservations only as long as their owner lives.
        self._groups: list[PinInputs | PinOutputs] = []

    async def inputs(
        self,
        owner: str,
        offsets: Sequence[int],
        *,
        pull: Pull = Pull.NONE,
        edges: EdgeKind = EdgeKind.BOTH,
        debounce_us: int = 0,
    ) -> InputLines:
        """Request lines as inputs for `owner`. Raises LineInUse, BusError."""
        wish = InputWish(pull, edges, debounce_us)
        if isinstance(self._factory, GroupFactory):
            return self._factory.request(offsets, wish, owner=owner)
        inputs = PinInputs(self._factory, self._clock, self._name, offsets, wish, owner)
        self._keep(inputs)
        return inputs

    async def outputs(
        self,
        owner: str,
        offsets: Sequence[int],
        *,
        initial: Sequence[bool],
        drive: Drive = Drive.PUSH_PULL,
    ) -> OutputLines:
        """Request lines as outputs at their first level. Raises LineInUse, BusError."""
        wish = OutputWish(tuple(initial), drive)
        if isinstance(self._factory, GroupFactory):
            return self._factory.request(offsets, wish, owner=owner)
        outputs = PinOutputs(self._factory, self._name, offsets, wish, owner)
        self._keep(outputs)
        return outputs

    def _keep(self, group: PinInputs | PinOutputs) -> None:
        self._groups = [*(kept for kept in self._groups if not kept.closed), group]

    def close(self) -> None:
        """Give every line back, then close the factory."""
        for group in self._groups:
            group.close()
        self._groups.clear()
        self._factory.close()
