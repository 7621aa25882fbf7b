"""The reader on its lines: frames end in time, stuck lines and late edges are noticed."""

from __future__ import annotations

from wires_in_memory import MS, MemoryGpio, S

from hal.drivers.digital import DigitalOutput
from hal.drivers.light import Light
from hal.drivers.wiegand import WiegandReader
from hal.sim.time import VirtualClock, virtual_run
from hal.types import CardBits, Colour, Key, Pattern, Pull, ReaderFact, ReaderFault, ReaderTrouble

D0, D1, RED, GREEN, BEEPER = 23, 24, 25, 8, 7
CARD = "10000000100000000000000010"


class Rig:
    """A reader and the far end of its data lines."""

    def __init__(self, gpio: MemoryGpio, reader: WiegandReader) -> None:
        self.gpio = gpio
        self.clock = gpio.clock
        self.reader = reader
        self.facts: list[ReaderFact] = []
        reader.watch(self.facts.append)

    @classmethod
    async def open(cls, clock: VirtualClock, *, gpio: MemoryGpio | None = None) -> Rig:
        gpio = gpio or MemoryGpio(clock)
        led = await Light.open("front.led", gpio, {Colour.RED: RED, Colour.GREEN: GREEN}, clock, active_high=False)
        beeper = await DigitalOutput.open("front.beeper", gpio, BEEPER, clock, active_high=False)
        return cls(gpio, await WiegandReader.open("front", gpio, D0, D1, clock, led=led, beeper=beeper))

    async def pulse(self, bit: str) -> None:
        line = D1 if bit == "1" else D0
        self.gpio.put(line, False)
        await self.clock.sleep(0.00004)
        self.gpio.put(line, True)

    async def send(self, bits: str) -> int:
        """Pulses of 40 us, 2 ms apart; returns the time of the last falling edge."""
        last_ns = 0
        for n, bit in enumerate(bits):
            if n:
                await self.clock.sleep(0.00196)
            last_ns = self.clock.now_ns()
            await self.pulse(bit)
        return last_ns


def test_a_card_is_reported_idle_time_after_its_last_pulse_with_that_pulses_time() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        assert rig.gpio.pulls[D0] is rig.gpio.pulls[D1] is Pull.UP
        last_ns = await rig.send(CARD)
        await clock.sleep((last_ns + 25 * MS - clock.now_ns()) / S - 1e-6)
        assert rig.facts == []
        await clock.sleep(2e-6)
        assert rig.facts == [CardBits(last_ns, "front", CARD)]
        rig.reader.close()

    virtual_run(main)


def test_frames_that_follow_each_other_at_exactly_the_idle_time_are_all_read() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        for number in range(10):
            last_ns = await rig.send(f"{number:04b}")
            await clock.sleep((last_ns + 25 * MS - clock.now_ns()) / S)
        await clock.sleep(1)
        assert [fact.key for fact in rig.facts if isinstance(fact, Key)] == list("0123456789")
        assert len(rig.facts) == 10
        rig.reader.close()

    virtual_run(main)


def test_row_9_a_burst_delivered_late_in_one_go_is_still_one_frame_each() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        await clock.sleep(2)
        begin_ns = clock.now_ns() - 1500 * MS
        for frame in range(3):
            for n, bit in enumerate(CARD):
                t_ns = begin_ns + frame * 200 * MS + n * 2 * MS
                rig.gpio.deliver(D1 if bit == "1" else D0, False, t_ns)
        await clock.sleep(1)
        assert [fact.bits for fact in rig.facts if isinstance(fact, CardBits)] == [CARD] * 3
        assert len(rig.facts) == 3
        rig.reader.close()

    virtual_run(main)


def test_row_9_the_second_half_of_a_frame_may_come_after_a_stall() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        begin_ns = clock.now_ns()
        for n, bit in enumerate(CARD):
            # The loop is told of the first half after 40 ms and of the second 0.5 ms after that: all long overdue.
            late_ns = (40_000 + (500 if n >= 13 else 0)) * 1000
            line = D1 if bit == "1" else D0
            clock.call_at(begin_ns + late_ns, rig.gpio.deliver, line, False, begin_ns + n * 300_000)
        await clock.sleep(1)
        assert [fact.bits for fact in rig.facts if isinstance(fact, CardBits)] == [CARD]
        assert len(rig.facts) == 1
        rig.reader.close()

    virtual_run(main)


def test_a_line_that_is_low_when_a_frame_ends_may_be_the_first_bit_of_the_next() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        last_ns = await rig.send(CARD)
        await clock.sleep((last_ns + 25 * MS - clock.now_ns()) / S - 1e-5)
        rig.gpio.levels[D0] = False  # low already, but its edge is still on its way
        await clock.sleep(1e-4)
        rig.gpio.deliver(D0, False, clock.now_ns() - 50_000)
        rig.gpio.levels[D0] = True
        await clock.sleep(0.002)
        await rig.send(CARD[1:])
        await clock.sleep(0.1)
        assert [fact.bits for fact in rig.facts if isinstance(fact, CardBits)] == [CARD, "0" + CARD[1:]]
        assert len(rig.facts) == 2
        rig.reader.close()

    virtual_run(main)


def test_row_9_lost_edges_discard_the_frame_and_the_next_card_is_read() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        await rig.send(CARD[:10])
        rig.gpio.put(D0, False, lost=True)
        rig.gpio.put(D0, True)
        await clock.sleep(0.002)
        await rig.send(CARD[10:])
        await clock.sleep(0.1)
        await rig.send(CARD)
        await clock.sleep(0.1)
        assert [type(fact) for fact in rig.facts] == [ReaderFault, CardBits]
        assert rig.reader.discarded == {ReaderTrouble.LOST: 1}
        rig.reader.close()

    virtual_run(main)


def test_row_9_a_line_that_stays_low_is_stuck_and_its_frame_is_discarded() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        await rig.send(CARD)
        await clock.sleep(0.002)
        rig.gpio.put(D0, False)
        await clock.sleep(60)
        assert [(fact.trouble, fact.bits) for fact in rig.facts if isinstance(fact, ReaderFault)] == [
            (ReaderTrouble.STUCK, 27)
        ]
        rig.gpio.put(D0, True)
        await rig.send(CARD)
        await clock.sleep(0.1)
        assert isinstance(rig.facts[-1], CardBits)
        rig.reader.close()

    virtual_run(main)


def test_a_line_that_is_low_from_the_start_is_told_to_whoever_listens() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        gpio.levels[D1] = False
        rig = await Rig.open(clock, gpio=gpio)
        await clock.sleep(10)
        assert [(fact.trouble, fact.bits) for fact in rig.facts if isinstance(fact, ReaderFault)] == [
            (ReaderTrouble.STUCK, 0)
        ]
        rig.reader.close()

    virtual_run(main)


def test_closing_a_reader_in_the_middle_of_a_frame_leaves_nothing_on_and_nothing_open() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        assert rig.reader.led is not None
        assert rig.reader.beeper is not None
        rig.reader.led.show(Pattern.flash(Colour.GREEN, on_ms=100))
        rig.reader.beeper.on()
        await rig.send(CARD[:20])
        rig.reader.close()
        rig.reader.close()
        assert (rig.gpio.levels[RED], rig.gpio.levels[GREEN], rig.gpio.levels[BEEPER]) == (True, True, True)
        assert rig.gpio.owners == {}
        await clock.sleep(1)
        assert rig.facts == []

    virtual_run(main)
