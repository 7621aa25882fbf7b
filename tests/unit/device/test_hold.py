"""What a hold of the reset button means: pure, at its edges, and for every sequence of fingers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.errors import Invalid
from firmware.core.values import decode
from firmware.core.vocabulary.device import HoldOutcome
from firmware.device import DeviceConfig
from firmware.device.hold import Hold, Procedure, Stage
from hal.board import load_board

NS = 1_000_000_000
STATION = Procedure(button="control", from_s=15, to_s=30, stuck_s=60)
DOME = Procedure(button="control", from_s=15, to_s=30, stuck_s=60, together="power")

# The manuals' "Reset to factory default settings", one line a product.
MANUALS = {
    "door_station": (15, 30, None),
    "plate_camera": (15, 30, None),
    "horn_speaker": (10, 60, None),
    "network_speaker": (10, 60, None),
    "ptz_dome": (15, 30, "power"),
}


@pytest.mark.parametrize("name", MANUALS)
def test_every_board_has_the_procedure_of_its_manual(name: str) -> None:
    room = decode(DeviceConfig, dict(load_board(name).rooms["device"]), where="rooms.device")
    assert room.procedure is not None
    assert room.procedure.button == "control"
    assert (room.procedure.from_s, room.procedure.to_s, room.procedure.together) == MANUALS[name]
    assert room.procedure.stuck_s == 60


@pytest.mark.parametrize(
    ("held_s", "outcome", "stage"),
    [
        (0.0, "too_short", Stage.EARLY),
        (14.999_999_999, "too_short", Stage.EARLY),
        (15.0, "reset", Stage.READY),
        (30.0, "reset", Stage.READY),
        (30.000_000_001, "too_long", Stage.LATE),
        (59.999, "too_long", Stage.LATE),
        (60.0, "stuck", Stage.LATE),
        (86_400.0, "stuck", Stage.LATE),
    ],
)
def test_a_release_from_15_to_30_seconds_resets_and_no_other(held_s: float, outcome: str, stage: Stage) -> None:
    assert STATION.judge(held_s).value == outcome
    assert STATION.stage(held_s) is stage


def test_without_an_end_of_its_own_a_hold_that_is_stuck_is_no_reset() -> None:
    speaker = Procedure(button="control", from_s=10, to_s=60, stuck_s=60)
    assert speaker.judge(59.9) is HoldOutcome.RESET
    assert speaker.judge(60.0) is HoldOutcome.STUCK


def decided(procedure: Procedure, first: frozenset[str], moves: list[tuple[float, str, bool]]) -> HoldOutcome | None:
    hold = Hold(procedure, 7 * NS, first)
    for t_s, button, pressed in moves:
        hold.moved(button, pressed, 7 * NS + round(t_s * NS))
    return hold.outcome


def test_the_dome_resets_when_control_is_let_go_while_power_is_still_held() -> None:
    both = frozenset({"control", "power"})
    assert decided(DOME, both, [(20, "control", False), (40, "power", False)]) is HoldOutcome.RESET


@pytest.mark.parametrize(
    ("first", "moves"),
    [
        ({"control"}, [(20, "control", False)]),  # power was never down
        ({"control"}, [(5, "power", True), (20, "control", False)]),  # it came later
        ({"control", "power"}, [(10, "power", False), (20, "control", False)]),  # it went before
        ({"control", "power"}, [(10, "power", False), (11, "power", True), (20, "control", False)]),
    ],
)
def test_the_dome_does_not_reset_without_power_held_throughout(
    first: set[str], moves: list[tuple[float, str, bool]]
) -> None:
    assert decided(DOME, frozenset(first), moves) is HoldOutcome.ALONE


def test_a_press_that_begins_after_the_first_look_is_never_a_hold() -> None:
    assert decided(STATION, frozenset(), [(0.1, "control", True), (20, "control", False)]) is HoldOutcome.NOT_HELD


def test_only_the_first_release_counts() -> None:
    moves = [(2.0, "control", False), (2.1, "control", True), (20.0, "control", False)]
    assert decided(STATION, frozenset({"control"}), moves) is HoldOutcome.TOO_SHORT


MOVES = st.lists(
    st.tuples(st.floats(0, 100, allow_nan=False), st.sampled_from(["control", "power"]), st.booleans()), max_size=12
).map(lambda moves: sorted(moves, key=lambda move: move[0]))


@given(
    procedure=st.sampled_from([STATION, DOME]),
    first=st.frozensets(st.sampled_from(["control", "power"])),
    moves=MOVES,
)
def test_a_reset_needs_the_button_from_the_first_look_to_its_first_release_in_time_and_its_partner_throughout(
    procedure: Procedure, first: frozenset[str], moves: list[tuple[float, str, bool]]
) -> None:
    releases = [t_s for t_s, button, pressed in moves if button == "control" and not pressed]
    wanted = False
    if "control" in first and releases:
        at = moves.index(next(move for move in moves if move[1] == "control" and not move[2]))
        in_time = 15 * NS <= round(releases[0] * NS) <= 30 * NS
        let_go = any(button == "power" and not pressed for _, button, pressed in moves[:at])
        wanted = in_time and (procedure.together is None or ("power" in first and not let_go))
    assert (decided(procedure, first, moves) is HoldOutcome.RESET) == wanted


BUTTONS = {"control": {"node": "control"}, "power": {"node": "power"}}


@pytest.mark.parametrize(
    ("reset", "complaint"),
    [
        ({"button": "contrl", "from_s": 10}, "no button 'contrl'; did you mean 'control'"),
        ({"button": "control", "from_s": 15, "to_s": 10}, "from_s (15) must be below to_s (10)"),
        ({"button": "control", "from_s": 15, "to_s": 90}, "at most stuck_s of the button (60)"),
        ({"button": "control", "from_s": 0}, "greater than 0"),
        ({"button": "control", "from_s": 15, "together": "powr"}, "no button 'powr'; did you mean 'power'"),
        ({"button": "control", "from_s": 15, "together": "control"}, "is the button itself"),
        ({"button": "control", "from": 15}, "has no 'from'; did you mean 'from_s'"),
    ],
)
def test_a_procedure_that_cannot_be_is_refused_with_its_place(reset: dict[str, object], complaint: str) -> None:
    with pytest.raises(Invalid) as refused:
        decode(DeviceConfig, {"buttons": BUTTONS, "reset": reset}, where="rooms.device")
    assert "rooms.device" in str(refused.value)
    assert complaint in str(refused.value)
