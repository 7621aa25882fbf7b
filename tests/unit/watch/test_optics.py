"""The IR-cut filter and the lamp before a camera: coils that are treated well, and pictures that follow."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hal.board import parse_board
from hal.errors import BoardError, BusError
from hal.pictures import CameraMode, CameraSettings, Frame, Size
from hal.planes import samples
from hal.sim.scene.peer import CameraPeer
from hal.sim.scene.source import SceneFrames
from tests.effort import examples
from tests.unit.watch.board import BOARD, Bench, on_the_bench


def coil(bench: Bench, line: str) -> list[float]:
    """How long each pulse of a line was, in seconds."""
    return [pulse.width_s for pulse in bench.world.find(f"line:{line}").traces[""].pulses()]  # type: ignore[union-attr]


def test_a_filter_on_a_bridge_moves_by_one_pulse_and_stays() -> None:
    async def scene(bench: Bench) -> None:
        moved = bench.hardware.cut_filters["filter1"]
        assert moved.is_before() is None
        moved.move(False)
        await bench.clock.sleep(5)
        assert bench.filter("filter1").trace.value is False
        assert moved.is_before() is False
        assert coil(bench, "gpio0:17") == [0.1]
        assert coil(bench, "gpio0:16") == []
        moved.move(True)
        await bench.clock.sleep(5)
        assert bench.filter("filter1").trace.value is True
        assert coil(bench, "gpio0:16") == [0.1]

    on_the_bench(scene)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1.5)), min_size=1, max_size=12))
@settings(max_examples=examples(30))
def test_however_fast_it_is_told_its_coil_is_never_shorted_or_burnt_and_the_last_word_counts(
    orders: list[tuple[bool, float]],
) -> None:
    async def scene(bench: Bench) -> None:
        moved, peer = bench.hardware.cut_filters["filter1"], bench.filter("filter1")
        for before, pause_s in orders:
            moved.move(before)
            await bench.clock.sleep(pause_s)
        await bench.clock.sleep(3)
        assert peer.trace.value is orders[-1][0]
        assert moved.is_before() is orders[-1][0]
        assert (peer.shorted, peer.burnt) == (0, 0)
        assert {*coil(bench, "gpio0:16"), *coil(bench, "gpio0:17")} <= {0.1}

    on_the_bench(scene)


def test_closing_in_the_middle_of_a_pulse_ends_it() -> None:
    async def scene(bench: Bench) -> None:
        bench.hardware.cut_filters["filter1"].move(False)
        await bench.clock.sleep(0.03)
        await bench.assembled.close()
        (width_s,) = coil(bench, "gpio0:17")
        assert width_s == pytest.approx(0.03)
        with pytest.raises(BusError, match="filter1: moved after it was closed"):
            bench.hardware.cut_filters["filter1"].move(True)

    on_the_bench(scene)


def test_a_coil_that_cannot_be_switched_off_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(bench: Bench) -> None:
        moved = bench.hardware.cut_filters["filter1"]
        told: list[BusError] = []
        moved.on_trouble(told.append)
        lines = moved._lines  # type: ignore[attr-defined]
        really = lines.set
        moved.move(False)

        def broken(*levels: bool) -> None:
            raise BusError("gpio0", "the chip is gone")

        monkeypatch.setattr(lines, "set", broken)
        await bench.clock.sleep(2.5)
        assert {str(error) for error in told} == {"filter1: its coil cannot be switched off: the chip is gone"}
        monkeypatch.setattr(lines, "set", really)
        await bench.clock.sleep(1.5)
        assert len(coil(bench, "gpio0:17")) == 1

    on_the_bench(scene)


def test_a_held_filter_follows_its_line_and_is_before_the_sensor_when_the_firmware_is_gone() -> None:
    async def scene(bench: Bench) -> None:
        held, peer = bench.hardware.cut_filters["filter2"], bench.filter("filter2")
        held.move(False)
        await bench.clock.sleep(0.1)
        assert peer.trace.value is False
        await bench.assembled.close()
        await bench.clock.sleep(0.1)
        assert peer.trace.value is True

    on_the_bench(scene)


def test_a_lamp_is_off_when_the_firmware_is_gone() -> None:
    async def scene(bench: Bench) -> None:
        lamp = bench.world.find("illumination:lamp1")
        bench.hardware.illuminations["lamp1"].on()
        assert lamp.traces[""].value is True
        await bench.assembled.close()
        assert lamp.traces[""].value is False

    on_the_bench(scene)


def test_the_camera_sees_the_light_the_lamp_and_the_filter() -> None:
    async def scene(bench: Bench) -> None:
        peer = bench.world.find("camera:entrance")
        assert isinstance(peer, CameraPeer)
        camera, frames = SceneFrames(peer, bench.clock), list[Frame]()
        mode = CameraMode(size=Size(320, 180), fps=10)
        await camera.start(mode, CameraSettings(), frames.append, lambda error: None)

        async def brightness() -> float:
            await bench.clock.sleep(0.5)
            return float(samples(frames[-1].main.y).mean())

        day = await brightness()
        bench.light_chip.light(0.5)
        night = await brightness()
        assert night < day / 10
        bench.hardware.illuminations["lamp1"].on()
        assert await brightness() == pytest.approx(night, abs=2)  # the filter keeps the lamp's light out
        for name in ("filter1", "filter2"):
            bench.hardware.cut_filters[name].move(False)
        assert await brightness() > day / 2
        await camera.stop()

    on_the_bench(scene)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('filter1 = { compatible = "ir-cut", before = "gpio0:20" }', "a bridge has both lines, before and away"),
        ('filter1 = { compatible = "ir-cut" }', "moved by before and away, or by line"),
        ('light1 = { compatible = "opt3001", bus = "i2c1", address = 0x48 }', "0x44 to 0x47"),
        ('shock1 = { compatible = "lis3dh", bus = "i2c2" }', "i2c1"),
        ('shock1 = { compatible = "lis3dh", bus = "i2c1", address = 0x19 }', "address 0x19 of i2c1 is already"),
        ('shock1 = { compatible = "lis3dhh", bus = "i2c1" }', "did you mean 'lis3dh'"),
        ('lamp1 = { compatible = "illumination", line = "gpio0:19", wavelength_nm = 900 }', "850"),
    ],
)
def test_a_mistake_in_a_node_is_one_line_that_names_it(line: str, complaint: str) -> None:
    name = line.split()[0]
    lines = [line if each.startswith(f"{name} ") else each for each in BOARD.splitlines()]
    with pytest.raises(BoardError) as error:
        parse_board("\n".join(lines), "watch bench")
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)
