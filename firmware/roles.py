"""Which services exist, in which role each runs, and why a board has it on or off.

A service names the node kinds it `needs`; the board's capabilities decide. `require` in the board file turns
a missing one into an error instead of silent absence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware.core.link.awaited import Awaited
from hal.board import AudioInNode, AudioOutNode, Board
from hal.errors import BoardError, nearest

SOUND_HZ = 48_000  # one rate for mixers, clips and microphones


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One service as data: its role, what it needs of the board, and one sentence of what it does.

    A service of media says besides which actions and groups of parameters it will own: while that role is away,
    whoever asks for them is told to try again, and not that there are none. `private` ones are for other roles alone.
    """

    name: str
    role: str
    summary: str
    needs: frozenset[str] = frozenset()
    wants: Callable[[Board], str | None] = lambda board: None  # why the product data leaves it off
    actions: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def _no_doors(board: Board) -> str | None:
    return None if board.rooms.get("access", {}).get("doors") else "the product has no door"


def _no_lights(board: Board) -> str | None:
    return None if board.rooms.get("device", {}).get("lights") else "the product has no light table"


def _no_night(board: Board) -> str | None:
    helps = {"ir_cut", "illumination"} & board.capabilities
    return None if helps else "the board has no IR-cut filter and no illumination"


def _no_serial_reader(board: Board) -> str | None:
    return None if _on_osdp(board, "reader") else "the board has no reader on RS-485"


def _no_osdp(board: Board) -> str | None:
    return None if _on_osdp(board, "reader", "panel") else "the board has no OSDP port"


def _no_input_lines(board: Board) -> str | None:
    lines = any(node.has_lines for node in board.nodes.values() if isinstance(node, AudioInNode))
    return None if lines else "no microphone of the board has lines around it"


def has_sound(board: Board) -> bool:
    """Whether the board has a speaker or a microphone."""
    return bool({"speaker", "microphone"} & board.capabilities)


def _no_sound(board: Board) -> str | None:
    return None if has_sound(board) else "the board has no speaker and no microphone"


def _on_osdp(board: Board, *kinds: str) -> bool:
    return any(node.compatible.startswith("osdp-") and node.kind in kinds for node in board.nodes.values())


DUTIES = (
    Duty(name="device", role="control", summary="identity and phase of the device"),
    Duty(name="upgrade", role="control", summary="installs, tries, confirms and undoes firmware; resets"),
    Duty(name="maintenance", role="control", summary="restart of the device"),
    Duty(name="clock", role="control", summary="time zone, time servers, and the clock set by hand"),
    Duty(name="network", role="control", summary="applies the network settings, and takes back what cuts it off"),
    Duty(name="journal", role="control", summary="every fact with its cause, kept on disk"),
    Duty(
        name="lights", role="control", summary="status LED and indicators", needs=frozenset({"led"}), wants=_no_lights
    ),
    Duty(name="buttons", role="control", summary="gestures of the buttons", needs=frozenset({"button"})),
    Duty(name="io", role="control", summary="configurable terminals", needs=frozenset({"port"})),
    Duty(name="relays", role="control", summary="relays that move no door", needs=frozenset({"relay"})),
    Duty(name="virtual_inputs", role="control", summary="inputs that programs set"),
    Duty(name="doors", role="control", summary="release, contact, alarms", needs=frozenset({"relay"}), wants=_no_doors),
    Duty(
        name="access",
        role="control",
        summary="readers, entries, decisions",
        needs=frozenset({"reader"}),
        wants=_no_doors,
    ),
    Duty(
        name="osdp_readers",
        role="control",
        summary="readers on RS-485 and their keys",
        needs=frozenset({"reader"}),
        wants=_no_serial_reader,
    ),
    Duty(name="osdp_trace", role="control", summary="decoded trace of OSDP ports", wants=_no_osdp),
    Duty(
        name="controller",
        role="control",
        summary="somebody's door controller behind this device",
        needs=frozenset({"reader"}),
        wants=_no_doors,
    ),
    Duty(name="shocks", role="control", summary="hits of the device", needs=frozenset({"accelerometer"})),
    Duty(name="light", role="control", summary="the light around the device", needs=frozenset({"light_sensor"})),
    Duty(name="day_night", role="control", summary="IR-cut filter and illumination", wants=_no_night),
    Duty(
        name="input_lines",
        role="control",
        summary="the lines around microphones, and the switch that disables them",
        needs=frozenset({"microphone"}),
        wants=_no_input_lines,
    ),
    Duty(name="rules", role="control", summary="what follows from what"),
    Duty(
        name="sound",
        role="media",
        summary="speakers and microphones: mixer, gain, levels",
        wants=_no_sound,
        actions=("audio.set_output", "audio.set_input"),
        groups=("audio",),
    ),
    Duty(
        name="clips",
        role="media",
        summary="audio clips, kept and played",
        needs=frozenset({"speaker"}),
        actions=("clip.play", "clip.stop", "clip.rename", "clip.delete"),
        private=("clip.add", "clip.lend"),
    ),
    Duty(
        name="speaker_test",
        role="media",
        summary="calibration and test of the speaker by its microphone",
        needs=frozenset({"speaker", "microphone"}),
        actions=("speaker_test.calibrate", "speaker_test.run"),
        groups=("speaker_test",),
    ),
    Duty(name="locate", role="media", summary="a sound to find the device by", needs=frozenset({"speaker"})),
    Duty(
        name="sound_detector",
        role="media",
        summary="says when it becomes loud",
        needs=frozenset({"microphone"}),
    ),
    Duty(
        name="sound_streams",
        role="media",
        summary="sound to those who listen and from those who talk over the network",
        wants=_no_sound,
    ),
    Duty(
        name="speech",
        role="media",
        summary="echo and noise cancellation, automatic gain",
        needs=frozenset({"microphone"}),
    ),
    Duty(
        name="pictures",
        role="media",
        summary="cameras, their settings, and pictures for whoever looks",
        needs=frozenset({"camera"}),
        groups=("image", "video"),
    ),
    Duty(
        name="tampering",
        role="media",
        summary="cameras that are covered, blurred or turned",
        needs=frozenset({"camera"}),
        actions=("tampering.relearn",),
        groups=("tampering",),
    ),
    Duty(
        name="night_pictures",
        role="media",
        summary="black and white at night",
        needs=frozenset({"camera", "ir_cut"}),
    ),
    Duty(name="accounts", role="network", summary="who may do what"),
    Duty(name="logs", role="network", summary="access, audit and system log, and where they are sent"),
    Duty(name="certificates", role="network", summary="who the device is to others, and whom it trusts"),
    Duty(name="carrier", role="network", summary="whether a cable or radio has a link (real boards)"),
    Duty(
        name="controller_net",
        role="network",
        summary="the way to a door controller over HTTP",
        needs=frozenset({"reader"}),
        wants=_no_doors,
    ),
    Duty(name="api", role="network", summary="native API and status page over HTTP"),
    Duty(name="rtsp", role="network", summary="events over RTSP"),
    Duty(name="discovery", role="network", summary="answers programs that look for devices"),
    Duty(name="cloud", role="network", summary="a connection to the owner's dispatcher"),
)


def why_off(duty: Duty, board: Board) -> str | None:
    """Why a service does not run on this board; None when it does."""
    missing = sorted(duty.needs - board.capabilities)
    if missing:
        return f"the board has no {', no '.join(missing)}"
    return duty.wants(board)


def check_rates(board: Board) -> None:
    """Raises BoardError for a card of another rate than this firmware's sound: before anything is started."""
    for name, node in board.nodes.items():
        if isinstance(node, AudioOutNode | AudioInNode) and node.rate_hz != SOUND_HZ:
            raise BoardError(board.name, f"nodes.{name}.rate_hz: sound is {SOUND_HZ} Hz here (got {node.rate_hz})")


def duties_on(board: Board, role: str) -> frozenset[str]:
    """The services of a role that run on this board. Raises BoardError when a required one cannot."""
    check_rates(board)
    names = {duty.name: duty for duty in DUTIES}
    for required in board.product.require:
        if required not in names:
            hint = nearest(required, names)
            raise BoardError(board.name, f"product.require: no service {required!r}{hint}")
        if (reason := why_off(names[required], board)) is not None:
            raise BoardError(board.name, f"product.require: {required!r} cannot run: {reason}")
    return frozenset(duty.name for duty in DUTIES if duty.role == role and why_off(duty, board) is None)


def roles_for(board: Board) -> tuple[str, ...]:
    """The processes a board needs: control and network always, media when it has services for it."""
    return tuple(role for role in ("control", "media", "network") if role != "media" or duties_on(board, "media"))


def awaited_on(board: Board) -> Awaited:
    """What the roles of this board will own once they have come up."""
    duties = [duty for duty in DUTIES if why_off(duty, board) is None]
    return Awaited(
        actions={name: duty.role for duty in duties for name in duty.actions},
        private_actions={name: duty.role for duty in duties for name in duty.private},
        groups={name: duty.role for duty in duties for name in duty.groups},
    )


def explain_services(board: Board) -> str:
    """Each service, on or off and why, as stable text."""
    duties_on(board, "control")
    lines = ["services"]
    for duty in DUTIES:
        reason = why_off(duty, board)
        needs = f" (has {', '.join(sorted(duty.needs))})" if duty.needs else ""
        state = f"on{needs}" if reason is None else f"off: {reason}"
        lines.append(f"  {duty.name:<15}{duty.role:<9}{state}")
    lines.append(f"roles: {', '.join(roles_for(board))}")
    return "\n".join(lines) + "\n"
