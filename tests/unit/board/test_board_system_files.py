"""udev rules and systemd units: what they promise is what the board files and the command line use."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from firmware.upgrade.boot_tryboot import RASPBERRY_PI, TRY_ONCE, ask_systemd
from hal.assemble import assemble
from hal.assemble_cameras import assemble_cameras
from hal.assemble_sound import assemble_sound
from hal.board import BOARDS, AudioInNode, AudioOutNode, board_names, load_board
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World
from hal.wires import Gpio, I2c, PulseOut, Uart

PROJECT = BOARDS.parent
RESTART = PROJECT / "systemd" / "lintel-restart.service"
ROLES = ("control", "media", "network")
UNITS = [PROJECT / "systemd" / f"lintel-{role}.service" for role in ROLES]
CONTROL = PROJECT / "systemd" / "lintel-control.service"
NETWORK = PROJECT / "systemd" / "lintel-network.service"
MEDIA = PROJECT / "systemd" / "lintel-media.service"

Rule = list[tuple[str, str, str]]
Sections = dict[str, dict[str, list[str]]]

CARD = re.compile(r":CARD=(\w+)")
PAIR = re.compile(r'([A-Z]+(?:\{[A-Za-z_]+\})?)(==|!=|\+=|:=|=)"([^"]*)"')


def rules() -> list[Rule]:
    """Every rule as (key, operator, value); what is not such a list is an error."""
    found = []
    lines = [line for path in sorted((PROJECT / "udev").glob("*.rules")) for line in path.read_text().splitlines()]
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            parts = [part.strip() for part in line.split(", ")]
            matches = [PAIR.fullmatch(part) for part in parts]
            assert all(matches), f"line {number} is no udev rule: {line}"
            found.append([(match[1], match[2], match[3]) for match in matches if match is not None])
    return found


def value(rule: Rule, key: str) -> str | None:
    """The value a rule gives to or demands of a key."""
    return next((given for name, _, given in rule if name == key), None)


def unit(path: Path) -> Sections:
    """A unit file, repeated keys kept in their order; a line that is none of section, setting, comment is an error."""
    sections: Sections = {}
    current: dict[str, list[str]] | None = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith(("#", ";")):
            continue
        if match := re.fullmatch(r"\[([A-Za-z]+)\]", line):
            current = sections.setdefault(match[1], defaultdict(list))
        else:
            match = re.fullmatch(r"([A-Z][A-Za-z0-9]+)=(.*)", line)
            assert match is not None, f"{path.name} line {number}: {line}"
            assert current is not None, f"{path.name} line {number}: before any section"
            current[match[1]].append(match[2])
    return sections


def test_every_device_a_board_uses_is_made_by_a_rule() -> None:
    made = {f"/dev/{value(rule, 'SYMLINK')}" for rule in rules()}
    buses = [bus for name in board_names() for bus in load_board(name).buses.values()]
    used = {bus.path for bus in buses if bus.kind != "csi"}  # a ribbon has no device file of its own
    assert used <= made
    assert {str(RASPBERRY_PI.autoboot), *map(str, RASPBERRY_PI.boots.values())} <= made


def test_every_sound_card_of_a_board_has_its_id_from_a_rule() -> None:
    given = {value(rule, "ATTR{id}") for rule in rules()} - {None}
    nodes = [node for name in board_names() for node in load_board(name).nodes.values()]
    cards = {CARD.search(node.device) for node in nodes if isinstance(node, AudioInNode | AudioOutNode)}
    assert {card[1] for card in cards if card is not None} == given == {"lintel"}
    assert None not in cards, "a card that is named by its number is another one tomorrow"


def test_a_board_file_may_name_every_device_that_a_rule_makes(tmp_path: Path) -> None:
    """What is made for boards of one's own: a camera on USB, and an RS-485 adapter by its serial number."""
    made = {value(rule, "SYMLINK") for rule in rules()} - {None}
    adapters = {name for name in made if name.startswith("lintel/rs485-")}
    assert adapters == {"lintel/rs485-$env{ID_USB_SERIAL_SHORT}", "lintel/rs485-$env{ID_PATH_TAG}"}
    assert "lintel/camera" in made
    text = (
        'base = "_rpi.toml"\n[product]\nname = "Own"\nmodel = "OWN-1"\n[buses]\n'
        'usb0 = { kind = "video", device = "/dev/lintel/camera" }\n'
        'line0 = { kind = "uart", device = "/dev/lintel/rs485-A50285BI", rs485 = true }\n'
        '[nodes]\ncamera1 = { compatible = "camera", bus = "usb0" }\n'
        'reader1 = { compatible = "osdp-reader", bus = "line0" }\n'
    )
    path = tmp_path / "own.toml"
    path.write_text(text)
    assert {bus.path for bus in load_board(str(path)).buses.values()} >= {
        "/dev/lintel/camera",
        "/dev/lintel/rs485-A50285BI",
    }


def test_names_of_partitions_are_asked_for_after_they_are_read() -> None:
    for path in (PROJECT / "udev").glob("*.rules"):
        if "ID_PART_ENTRY_NAME" in path.read_text():
            assert path.name > "60-persistent-storage.rules"
        if "ID_USB_SERIAL_SHORT" in path.read_text():
            assert path.name > "60-serial.rules"


def test_the_restart_unit_looks_where_the_firmware_asks_and_passes_nothing_on_but_the_one_word(tmp_path: Path) -> None:
    path = unit(PROJECT / "systemd" / "lintel-restart.path")
    ask_systemd(tmp_path / "restart-asked")
    assert (tmp_path / "restart-asked").exists()
    assert path["Path"]["PathExists"] == [str(RASPBERRY_PI.reboot_param.with_name("restart-asked"))]
    assert path["Path"]["Unit"] == [RESTART.name]
    (command,) = unit(RESTART)["Service"]["ExecStart"]
    script = re.fullmatch(r"/bin/sh -c '(.*)'", command)
    assert script is not None
    assert str(RASPBERRY_PI.reboot_param) in script[1]
    (tmp_path / "systemctl").write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    (tmp_path / "systemctl").chmod(0o755)
    param = tmp_path / "reboot-param"
    answers = {}
    for text in (None, TRY_ONCE + "\n", "0 tryboot; halt\n", "1 tryboot\n"):
        param.unlink(missing_ok=True)
        if text is not None:
            param.write_text(text)
        words = ["sh", "-c", script[1].replace(str(RASPBERRY_PI.reboot_param), str(param))]
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
        answers[text] = done.stdout
    plain = "reboot|"
    assert answers == {
        None: plain,
        TRY_ONCE + "\n": "reboot|--reboot-argument=0 tryboot|",
        "0 tryboot; halt\n": plain,
        "1 tryboot\n": plain,
    }


def test_every_rule_says_for_which_device_and_for_which_group() -> None:
    groups = {
        "gpio": "gpio", "i2c-dev": "i2c", "tty": "dialout", "block": "lintel", "sound": "audio",
        "video4linux": "video", "media": "video", "dma_heap": "video",
    }  # fmt: skip
    for rule in rules():
        if value(rule, "ATTR{id}") is not None:
            continue  # a card has no device file of its own: its parts have
        subsystem = value(rule, "SUBSYSTEM")
        assert subsystem is not None
        assert value(rule, "GROUP") == groups[subsystem]
        assert value(rule, "MODE") == "0660"
        assert value(rule, "KERNEL")


def test_no_two_rules_make_the_same_name() -> None:
    names = [name for rule in rules() if (name := value(rule, "SYMLINK")) is not None]
    assert len(names) == len(set(names)) == 11


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_is_well_formed_and_complete(path: Path) -> None:
    sections = unit(path)
    assert list(sections) == ["Unit", "Service", "Install"]
    service = sections["Service"]
    assert service["User"] == ["lintel"]
    assert service["Restart"] == ["always"]
    assert service["NoNewPrivileges"] == ["yes"]
    assert service["ProtectSystem"] == ["strict"]
    assert service["RuntimeDirectoryPreserve"] == ["yes"], "the other role still has its sockets there"
    assert len(service["ExecStart"]) == 1


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_the_command_of_a_unit_is_one_the_firmware_understands(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from firmware.cli.run import parse

    service = unit(path)["Service"]
    words = service["ExecStart"][0].split()
    settings = dict(word.split("=", 1) for word in " ".join(service["Environment"]).split())
    words = [re.sub(r"\$\{(\w+)\}", lambda match: settings[match[1]], word) for word in words]
    assert words[:2] == ["/usr/bin/lintel", "run"]
    options = parse(words[2:])
    assert f"lintel-{options.role}" == path.stem
    assert options.hal == "real"
    assert str(options.state) == "/var/lib/lintel"
    load_board(options.board)


def test_each_role_may_touch_its_own_hardware_and_only_the_network_role_the_network() -> None:
    control, network, media = (unit(path)["Service"] for path in (CONTROL, NETWORK, MEDIA))
    assert control["SupplementaryGroups"] == ["gpio i2c dialout"]
    assert control["PrivateNetwork"] == ["yes"]
    assert media["PrivateNetwork"] == ["yes"]
    assert media["SupplementaryGroups"] == ["video audio"]
    assert not set(media["DeviceAllow"]) & set(control["DeviceAllow"])
    assert network["PrivateDevices"] == ["yes"]
    assert "SupplementaryGroups" not in network
    assert "DeviceAllow" not in network


ALLOWED_BY = {
    "gpio": "char-gpiochip rw",
    "i2c": "char-i2c rw",
    "uart": "char-ttyAMA rw",
    "sound": "char-alsa rw",
    "camera": "char-video4linux rw",
}


class Asked(SimWires):
    """The wires of a board that note what kind of device was asked for; its cards are silent and its cameras dark."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.kinds: set[str] = set()

    async def gpio(self, bus: str) -> Gpio:
        self.kinds.add("gpio")
        return await super().gpio(bus)

    async def i2c(self, bus: str) -> I2c:
        self.kinds.add("i2c")
        return await super().i2c(bus)

    async def uart(self, bus: str, *, baud: int) -> Uart:
        self.kinds.add("uart")
        return await super().uart(bus, baud=baud)

    async def pulses(self, bus: str, owner: str, d0: int, d1: int, *, active_high: bool) -> PulseOut:
        self.kinds.add("gpio")
        return await super().pulses(bus, owner, d0, d1, active_high=active_high)

    async def pcm_out(self, owner: str, device: str, *, rate_hz: int, channels: int) -> Any:
        self.kinds.add("sound")
        return SilentCard()

    async def pcm_in(self, owner: str, device: str, *, rate_hz: int, channels: int) -> Any:
        self.kinds.add("sound")
        return SilentCard()

    async def frames(self, bus: str) -> Any:
        self.kinds.add("camera")


class SilentCard:
    """A card that neither plays nor hears."""

    def receive(self, handler: object) -> None: ...

    async def close(self) -> None: ...


@pytest.mark.parametrize("board", board_names())
def test_no_role_opens_hardware_that_its_unit_does_not_allow(board: str) -> None:
    asked: dict[Path, set[str]] = {}

    async def main(clock: VirtualClock) -> None:
        world = World(clock, load_board(board))
        control, media = Asked(world), Asked(world)
        opened = await assemble(world.board, control, clock)
        sound = await assemble_sound(world.board, media)
        await assemble_cameras(world.board, media, clock)
        asked.update({CONTROL: control.kinds, MEDIA: media.kinds})
        await sound.close()
        await opened.close()
        await control.close()
        world.close()

    virtual_run(main)
    assert "gpio" in asked[CONTROL]
    for path, kinds in asked.items():
        assert {ALLOWED_BY[kind] for kind in kinds} <= set(unit(path)["Service"]["DeviceAllow"])


def test_the_groups_of_the_rules_and_the_user_of_the_units_are_declared() -> None:
    text = (PROJECT / "systemd" / "sysusers.d" / "lintel.conf").read_text()
    # a user of that file has a group of the same name
    declared = {line.split()[1] for line in text.splitlines() if line and not line.startswith("#")}
    used = {value(rule, "GROUP") for rule in rules()} - {None} | {unit(path)["Service"]["User"][0] for path in UNITS}
    assert used <= declared


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_systemd_itself_has_no_complaint_about_a_unit(path: Path, tmp_path: Path) -> None:
    assert shutil.which("systemd-analyze"), "tools/system-packages.sh installs it"
    for each in UNITS:  # they name one another; the program they start need not be installed here
        (tmp_path / each.name).write_text(each.read_text().replace("/usr/bin/lintel", "/bin/true"))
    assert verify(tmp_path / path.name) == []
    broken = tmp_path / "broken.service"
    broken.write_text((tmp_path / path.name).read_text().replace("ProtectHome=yes", "ProtectHome=perhaps"))
    assert verify(broken), "a mistake would not be noticed"


def verify(path: Path) -> list[str]:
    """What systemd-analyze says about a unit."""
    command = ["systemd-analyze", "verify", "--man=no", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return [line for line in done.stderr.splitlines() if str(path) in line or path.name in line]
