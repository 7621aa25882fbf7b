"""The wires of a real board on a machine that has none of them: every answer is one clear error."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import tty
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hal.buses.identity import read_identity
from hal.buses.real import RealWires
from hal.clock import SystemClock
from hal.errors import BoardError, BusError, HalError
from hal.types import ChipIdentity


@dataclass(frozen=True)
class GpioBus:
    chip: str
    kind: str = "gpio"


@dataclass(frozen=True)
class I2cBus:
    device: str
    kind: str = "i2c"


@dataclass(frozen=True)
class UartBus:
    device: str
    rs485: bool = False
    kind: str = "uart"


BUSES: dict[str, GpioBus | I2cBus | UartBus] = {
    "gpio0": GpioBus("/dev/none/gpio"),
    "i2c1": I2cBus("/dev/none/i2c"),
    "rs485": UartBus("/dev/none/uart"),
}


def failure(ask: Callable[[RealWires], Coroutine[Any, Any, object]], **options: Any) -> HalError:
    async def main() -> HalError:
        wires = RealWires(BUSES, SystemClock(), **options)
        with pytest.raises((BusError, BoardError)) as caught:
            await ask(wires)
        await wires.close()
        return caught.value

    return asyncio.run(main())


def test_an_unknown_bus_is_answered_with_the_nearest_one() -> None:
    error = failure(lambda wires: wires.gpio("gpio1"))
    assert isinstance(error, BoardError)
    assert str(error) == "buses: no bus 'gpio1'; did you mean 'gpio0'?"


def test_a_bus_of_another_kind_is_answered_with_one_that_fits() -> None:
    error = failure(lambda wires: wires.i2c("gpio0"))
    assert isinstance(error, BoardError)
    assert str(error) == "buses.gpio0: is a gpio bus, not i2c; valid: i2c1"


@pytest.mark.parametrize("gpio_factory", ["lintel", "lgpio"])
def test_a_chip_that_is_not_there_is_named(gpio_factory: str) -> None:
    # Not importorskip: importing lgpio anywhere but through our loader leaves a FIFO in the working folder.
    if gpio_factory == "lgpio" and importlib.util.find_spec("lgpio") is None:
        pytest.skip("lgpio is not installed here")
    error = failure(lambda wires: wires.gpio("gpio0"), gpio_factory=gpio_factory)
    assert str(error).startswith("gpio0: ")
    assert "/dev/none/gpio" in str(error)


def test_an_i2c_bus_or_port_that_is_not_there_is_named() -> None:
    assert str(failure(lambda wires: wires.i2c("i2c1"))).startswith("i2c1: cannot open the I2C bus /dev/none/i2c: ")
    error = failure(lambda wires: wires.uart("rs485", baud=9600))
    assert str(error).startswith("rs485: cannot open /dev/none/uart: ")


@pytest.mark.parametrize(
    ("module", "ours", "package", "ask"),
    [
        ("gpiod", "hal.buses.gpiod_factory", "gpiod", lambda wires: wires.gpio("gpio0")),
        ("smbus2", "hal.buses.i2c", "smbus2", lambda wires: wires.i2c("i2c1")),
        ("serial", "hal.buses.serial", "pyserial", lambda wires: wires.uart("rs485", baud=9600)),
    ],
)
def test_a_missing_library_is_one_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, module: str, ours: str, package: str, ask: Any
) -> None:
    for name in [name for name in sys.modules if name == module or name.startswith("hal.buses.")]:
        if name != "hal.buses.real":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    error = failure(ask)
    assert isinstance(error, BusError)
    assert error.message == f"needs the Python library {module}; install it with: pip install {package}"


def test_a_serial_bus_is_opened_by_name_and_closed_with_the_wires() -> None:
    async def main() -> None:
        master, slave = os.openpty()
        tty.setraw(slave)
        wires = RealWires({"rs485": UartBus(os.ttyname(slave))}, SystemClock())
        uart = await wires.uart("rs485", baud=9600)
        uart.write(b"hello")
        assert os.read(master, 5) == b"hello"
        await wires.close()
        with pytest.raises(BusError, match="was closed"):
            uart.write(b"hello")
        os.close(master)
        os.close(slave)

    asyncio.run(main())


def machine(root: Path, *, cpuinfo: str = "", tree: bytes = b"", ports: dict[str, dict[str, str | None]]) -> Path:
    """A root folder with the files of a machine; a port's value None makes a folder."""
    (root / "proc/device-tree").mkdir(parents=True)
    (root / "proc/cpuinfo").write_text(cpuinfo)
    if tree:
        (root / "proc/device-tree/serial-number").write_bytes(tree)
    for port, files in ports.items():
        folder = root / "sys/class/net" / port
        folder.mkdir(parents=True)
        for name, text in files.items():
            if text is None:
                (folder / name).mkdir()
            else:
                (folder / name).write_text(text + "\n")
    return root


WIRED: dict[str, str | None] = {"address": "dc:a6:32:01:02:0f", "type": "1", "device": None}


def test_the_identity_is_the_processors_number_and_the_first_wired_port(tmp_path: Path) -> None:
    ports: dict[str, dict[str, str | None]] = {
        "docker0": {"address": "02:42:00:00:00:01", "type": "1"},
        "end0": WIRED,
        "lo": {"address": "00:00:00:00:00:00", "type": "772"},
        "a_wlan0": {"address": "dc:a6:32:01:02:10", "type": "1", "device": None, "wireless": None},
    }
    root = machine(tmp_path, tree=b"10000000abcdef01\0", ports=ports)
    assert read_identity(root) == ChipIdentity(serial="DCA63201020F", chip_id="10000000abcdef01")


def test_an_older_kernel_tells_the_number_in_cpuinfo(tmp_path: Path) -> None:
    root = machine(tmp_path, cpuinfo="Hardware\t: BCM2711\nSerial\t\t: 10000000abcdef02\n", ports={"eth0": WIRED})
    assert read_identity(root).chip_id == "10000000abcdef02"


def test_a_machine_without_number_or_port_says_so(tmp_path: Path) -> None:
    with pytest.raises(BusError, match="identity: no processor serial number"):
        read_identity(machine(tmp_path / "a", cpuinfo="Serial : 0000000000000000\n", ports={"eth0": WIRED}))
    with pytest.raises(BusError, match="identity: no wired network port"):
        read_identity(machine(tmp_path / "b", tree=b"1\0", ports={"eth0": {**WIRED, "address": "00:00:00:00:00:00"}}))
