"""A whole horn speaker as a person starts it: what is said to it, its switch, its settings, crashes, power cuts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.device import Device, running, until


@pytest.fixture(scope="module")
def horn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """One horn speaker for all tests here; each leaves it as it was."""
    with running(tmp_path_factory.mktemp("horn") / "state", "horn_speaker") as found:
        found.set_up()
        found.all_ready()
        yield found


def state(device: Device, topic: str, key: str = "") -> dict[str, Any] | None:
    """The state of an output, input or meter now; None while there is none."""
    answer = device.api.get("/state")
    assert answer.status_code == 200, answer.text
    for each in answer.json()["states"]:
        if each["topic"] == topic and key in ("", each.get("port"), each.get("output"), each.get("input")):
            found: dict[str, Any] = each
            return found
    return None


def meter_dbfs(device: Device) -> float:
    """What the level meter of the microphone says now."""
    level = state(device, "audio/level", "mic1")
    return -999.0 if level is None else float(level["rms_dbfs"])


def hears(device: Device) -> None:
    """See the meter of the microphone follow a tone that somebody plays to it."""
    device.ask("hear", "tone:1000:50:-20")
    until("the meter at -20 dBFS", lambda: abs(meter_dbfs(device) + 20) <= 1)
    device.ask("hear", "quiet")
    until("silence again", lambda: meter_dbfs(device) == -60)


def present(device: Device) -> bool:
    """Whether speaker and microphone are there."""
    out, inp = state(device, "audio/output"), state(device, "audio/input")
    return bool(out and inp and out["present"] and inp["present"])


def test_what_somebody_says_moves_the_level_meter_and_a_witness_hears_the_same(horn: Device) -> None:
    since_s = horn.ask("state")["now_s"]
    hears(horn)
    heard = horn.ask("heard", "microphone", "--since", f"{since_s:.3f}")
    (sound,) = heard["sounds"]
    assert sound["pitch_hz"] == pytest.approx(1000, abs=5)  # it may have been short
    assert sound["rms_dbfs"] == pytest.approx(-20, abs=0.5)
    assert horn.ask("heard", "--since", f"{since_s:.3f}")["sounds"] == []  # the speaker itself said nothing


def act(device: Device, action: str, **params: object) -> None:
    """Invoke an action as the administrator."""
    answer = device.api.post(f"/actions/{action}", json=params)
    assert answer.status_code == 200, answer.text


def now(device: Device) -> str:
    """This moment, as `heard --since` takes it."""
    return f"{device.ask('state')['now_s']:.3f}"


def loud_dbfs(device: Device, since: str) -> float:
    """How loud the speaker's loudest sample has been since then."""
    return float(device.ask("heard", "--since", since)["peak_dbfs"])


def calls(device: Device, dbfs: float = -12.0) -> bool:
    """Whether the speaker gives its call now, as loud as that, and nothing else."""
    since = now(device)
    until("the call", lambda: abs(loud_dbfs(device, since) - dbfs) < 0.3)
    return True


def falls_silent(device: Device) -> None:
    """See the speaker give nothing for longer than the pauses of its call."""

    def silent() -> bool:
        heard = device.ask("heard", "--since", f"{max(0.0, float(now(device)) - 1.5):.3f}")
        return heard["length_s"] > 1.3 and heard["sounds"] == []

    until("silence", silent)


def test_gain_and_mute_of_the_output_are_heard_and_its_meter_and_state_show_what_sounds(horn: Device) -> None:
    act(horn, "device.locate", duration_s=600)
    calls(horn)
    until("it in the state", lambda: (state(horn, "audio/output") or {})["playing"] == ["locate"])
    until("the meter at -12 dBFS", lambda: (state(horn, "audio/level", "speaker1") or {})["peak_dbfs"] == -12)
    act(horn, "audio.set_output", gain_db=-20.0)
    until("the quieter call", lambda: calls_at(horn, -32.0))
    act(horn, "audio.set_output", gain_db=0.0, muted=True)
    falls_silent(horn)
    act(horn, "audio.set_output", muted=False)
    calls(horn)
    act(horn, "device.locate_stop")
    falls_silent(horn)
    until("an end in the state", lambda: (state(horn, "audio/output") or {})["playing"] == [])


def calls_at(device: Device, dbfs: float) -> bool:
    """Whether the last second and a half was that loud."""
    since = f"{max(0.0, float(now(device)) - 1.5):.3f}"
    return abs(loud_dbfs(device, since) - dbfs) < 0.3


def test_the_microphone_disable_switch_wins_and_the_state_says_so(horn: Device) -> None:
    horn.ask("hold", "microphone:microphone.disable")
    until("switched off", lambda: (state(horn, "audio/input") or {}).get("switched_off"))
    act(horn, "audio.set_input", enabled=True, muted=False, gain_db=0.0)
    said = state(horn, "audio/input")
    assert said is not None
    assert (said["hears"], said["enabled"]) == (False, True)
    until("silence", lambda: meter_dbfs(horn) == -60)
    since_s = f"{horn.ask('state')['now_s']:.3f}"
    horn.ask("hear", "tone:1000:50:-20")
    until("a second of the tone in the room", lambda: _length_s(horn.ask("heard", "mic1", "--since", since_s)) > 1.0)
    assert meter_dbfs(horn) == -60
    horn.ask("hear", "quiet")
    horn.ask("release", "microphone:microphone.disable")
    until("switched on", lambda: (state(horn, "audio/input") or {}).get("hears"))
    hears(horn)


def test_settings_beyond_the_board_are_one_line_and_nothing_changes(horn: Device) -> None:
    before = horn.api.get("/params/audio").json()
    for body, words in (
        ({"speaker1": {"gain_db": 3}}, "gain_db 3 is not between -60 and 0"),
        ({"mic1": {"input_type": "line"}}, "input_type 'line' is not one of this board; valid: microphone"),
        ({"speaker2": {"gain_db": 0}}, "did you mean 'speaker1'?"),
    ):
        answer = horn.api.patch("/params/audio", json=body)
        assert answer.status_code == 400, answer.text
        assert words in answer.json()["error"]["message"]
    assert horn.api.get("/params/audio").json() == before


def test_a_media_role_that_is_killed_comes_back_hearing_and_the_door_side_has_noticed_nothing(horn: Device) -> None:
    control = horn.pid("control")
    act(horn, "device.locate", duration_s=600)
    calls(horn)
    horn.ask("hear", "noise:50:-30")  # in the middle of a sound
    killed = horn.kill("media")
    horn.wait_ready("media", killed)
    until("speaker and microphone again", lambda: present(horn))
    until("what goes on in the room", lambda: abs(meter_dbfs(horn) + 30) <= 1)
    horn.ask("hear", "quiet")
    calls(horn)  # control still wants to be found, and the room has lived on
    act(horn, "device.locate_stop")
    falls_silent(horn)
    hears(horn)
    after = horn.ask("state")["roles"]
    assert (after["control"]["pid"], after["control"]["restarts"]) == (control, 0)
    assert after["network"]["restarts"] == 0


def test_without_power_it_is_silent_and_then_it_hears_again_with_the_settings_it_had(horn: Device) -> None:
    act(horn, "audio.set_output", gain_db=-9.0)
    act(horn, "device.locate", duration_s=600)
    calls(horn, -21.0)
    horn.ask("power", "off")
    falls_silent(horn)
    horn.ask("power", "on")
    horn.all_ready()
    until("speaker and microphone again", lambda: present(horn))
    said = state(horn, "audio/output")
    assert said is not None
    assert said["gain_db"] == -9
    hears(horn)
    falls_silent(horn)  # nobody wants to be found any more
    act(horn, "audio.set_output", gain_db=0.0)


def _length_s(heard: dict[str, Any]) -> float:
    return float(sum(sound["length_s"] for sound in heard["sounds"]))
