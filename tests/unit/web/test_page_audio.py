"""Audio: levels as they come, what people may set, clips, and what a speaker test heard, drawn and in figures."""

from __future__ import annotations

from datetime import UTC, datetime

from firmware.core.vocabulary.audio import LevelState, OutputState
from firmware.core.vocabulary.clips import ClipState, Playing, PlayingState
from firmware.core.vocabulary.speaker_test import Finding, SpeakerTestResult, SpeakerTestState, ToneFigure, Verdict
from firmware.interfaces.web.plot import FLOOR_DBFS, HEIGHT, TOP, height_of
from tests.bench.sim import SimBench
from tests.unit.web.visit import Visit, visitors

OUTPUT = OutputState(output="speaker1", name="speaker", present=True, gain_db=-6.0, muted=False, playing=())
CLIP = ClipState(
    clip="0123456789ab", name="Welcome", format="wav", encoding="PCM 16 bit", rate_hz=16_000, channels=1, length_s=1.5,
    size=48_000,
)  # fmt: skip
TONES = (
    ToneFigure(hz=500, level_dbfs=-30, noise_dbfs=-80, distortion_percent=1, calibrated_dbfs=-20, change_db=-10),
    ToneFigure(hz=4000, level_dbfs=-22, noise_dbfs=-75, distortion_percent=2, calibrated_dbfs=-22, change_db=0),
)


def value(page: Visit, tag: str) -> list[object]:
    return [element.props.get("value") for element in page.elements() if element.tag == tag]


async def test_a_level_moves_and_a_viewer_sees_but_sets_nothing(bench: SimBench) -> None:
    async with visitors(bench) as people:
        await people.account("vic", "viewer")
        page = await people.open("/audio", "vic")
        bench.control_bus.publish(OUTPUT)
        await page.sees("Output speaker")
        bench.control_bus.publish(LevelState(port="speaker1", peak_dbfs=-9, rms_dbfs=-17))
        await page.sees("-17 dBFS, peak -9 dBFS")
        assert value(page, "meter") == [-17]
        assert page.buttons("Save") == page.buttons("Calibrate") == page.buttons("Test the speaker") == []
        otto = await people.open("/audio")
        assert otto.field("Gain (dB)").value == "-6"
        await otto.type("Gain (dB)", "loud")
        await otto.press("Save")
        assert otto.fault("Gain (dB)") == "'loud' is not a number"


async def test_a_clip_that_plays_can_be_stopped_and_one_that_is_gone_is_not_shown(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/audio")
        assert "There is no clip yet." in page.text
        bench.control_bus.publish(CLIP)
        await page.sees("Welcome")
        assert len(page.buttons("Play Welcome")) == 1
        playing = Playing(playing="p1", clip=CLIP.clip, name=CLIP.name, volume=100, repeat=0)
        bench.control_bus.publish(PlayingState(active=True, clips=(playing,)))
        await page.sees(lambda _: bool(page.buttons("Stop Welcome")))
        bench.control_bus.forget(ClipState, CLIP.clip)
        await page.sees("There is no clip yet.")


async def test_the_result_of_a_speaker_test_is_drawn_and_told_in_figures(bench: SimBench) -> None:
    result = SpeakerTestResult(
        verdict=Verdict.FAILED, findings=(Finding.QUIETER,), tones=TONES, ended_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    async with visitors(bench) as people:
        page = await people.open("/audio")
        bench.control_bus.publish(SpeakerTestState(calibrated_at=result.ended_at, result=result))
        await page.sees("The speaker has failed. a tone is quieter than calibrated")
        assert {"500 Hz", "4 kHz", "-30.0 dBFS", "-10.0 dB", "+0.0 dB"} <= set(page.text.splitlines())
        bars = [element for element in page.elements() if element.tag == "rect"]
        heights = [float(bar.props["height"]) for bar in bars]
        assert heights[0] < heights[2]
        assert len(bars) == 4


def test_a_level_outside_of_the_drawing_stays_in_it() -> None:
    assert (height_of(20), height_of(0), height_of(-300)) == (TOP, TOP, TOP + HEIGHT)
    assert height_of(FLOOR_DBFS / 2) == TOP + HEIGHT / 2
